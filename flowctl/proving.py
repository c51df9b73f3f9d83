"""Runs of a store proven, one by one: each is folded anew from its log and compared with what is stored."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import RunNotFound
from engine.outcomes import Json
from flowctl.history import PlanLost, StoredPlans, events_of
from flowctl.records import SCHEMA_VERSION
from flowctl.redaction import HIDDEN

if TYPE_CHECKING:
    from engine.operations.replaying import Difference
    from engine.store.port import Store
    from engine.store.reading import StoredRows
    from engine.store.rows import RunRow

PAGE = 500
"""Runs listed at a time."""

_LONGEST = 200


class Proof(Struct, frozen=True):
    """What came of one run. `unproven` is why it could not be folded; without it and a `difference` all is well."""

    run: RunRow
    difference: Difference | None = None
    unproven: str | None = None

    @property
    def holds(self) -> bool:
        """Whether the log makes exactly what is stored."""
        return self.difference is None and self.unproven is None


def prove(store: Store | StoredRows, plans: StoredPlans, run_id: str) -> Proof:
    """Fold a run from its log, as far as it has come, and compare it with what is stored of the same instant.

    Raises:
        RunNotFound: it is not there any more.
    """
    from engine.operations.replaying import first_difference

    stored = store.snapshot(run_id)
    if stored is None:
        raise RunNotFound(f"there is no run `{run_id}`")
    row = stored.run
    try:
        plan = plans.plan(row.digest)
    except PlanLost as lost:
        return Proof(row, unproven=str(lost))
    events = (event for event in events_of(store, run_id) if event.seq <= row.seq)
    found = first_difference(plan, stored, events)
    if found is not None and store.run(run_id) is None:  # removed while its log was read
        raise RunNotFound(f"there is no run `{run_id}`")
    if found is not None and found.field == "params":
        hidden = plans.sensitive(row)
        found = replace(found, stored=_hiding(found.stored, hidden), folded=_hiding(found.folded, hidden))
    return Proof(row, found)


def every_id(store: Store | StoredRows) -> Iterator[str]:
    """Ids of all runs in order, those of sub-flows, too, read page by page."""
    after = ""
    while page := store.ids(after=after, limit=PAGE):
        yield from page
        after = page[-1]


def proof_object(proof: Proof) -> dict[str, Any]:
    """A proof as `replay --json` prints it."""
    found = proof.difference
    return {
        "schema_version": SCHEMA_VERSION,
        "type": "replay",
        "run": proof.run.id,
        "flow": proof.run.flow,
        "events": proof.run.seq,
        "holds": proof.holds,
        "difference": None
        if found is None
        else {
            "seq": found.seq,
            "place": found.place,
            "field": found.field,
            "stored": found.stored,
            "folded": found.folded,
        },
        "unproven": proof.unproven,
    }


def proof_text(proof: Proof) -> str:
    """A proof in a line."""
    if proof.unproven is not None:
        return f"not proven: {proof.unproven}"
    found = proof.difference
    if found is None:
        return f"{proof.run.seq} events make what is stored"
    where = f"event {found.seq}: {found.place}, `{found.field}`"
    return f"{where}: stored {_short(found.stored)}, the log makes {_short(found.folded)}"


def _short(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _hiding(value: Json, names: frozenset[str]) -> Json:
    if not isinstance(value, dict):
        return value
    return {name: HIDDEN if name in names else one for name, one in value.items()}
