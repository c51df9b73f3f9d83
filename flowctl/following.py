"""Following a run that goes on in another process: its events as they are committed, until it has ended."""

from __future__ import annotations

import time
from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

from engine.ownership import why_free
from engine.states import RunState
from flowctl.history import BATCH

if TYPE_CHECKING:
    from engine.store.port import Store
    from engine.store.rows import EventRow, RunRow

PAUSE_S = 0.2
"""Between two looks at the store."""


class Follower:
    """Follows one run. `abandoned` is true afterwards if the process that drove it has died, so that nothing follows."""

    def __init__(self, store: Store, run_id: str) -> None:
        self._store = store
        self._run_id = run_id
        self.abandoned = False

    def batches(self, *, after: int = 0) -> Iterator[tuple[EventRow, ...]]:
        """Events above `after` as they come, in batches; an empty one each time there was nothing new.

        Whatever a task has written is in its log before the last batch is yielded.
        """
        while True:
            row = self._store.run(self._run_id)
            events = self._store.events(self._run_id, after=after, limit=BATCH)
            yield events
            if events:
                after = events[-1].seq
            if len(events) == BATCH:
                continue
            # The row was read first: if it says that the run has ended, the events above are the last ones.
            if row is None or RunState(row.state).is_final:
                return
            if not events and is_abandoned(row, abandoned_owners(self._store)):
                self.abandoned = True
                return
            time.sleep(PAUSE_S)


def abandoned_owners(store: Store) -> frozenset[str | None]:
    """Who holds unfinished runs and drives them no more; `None` for those that nobody holds."""
    return frozenset(holding.owner for holding in store.holdings() if why_free(holding) is not None)


def interrupted_runs(store: Store) -> list[RunRow]:
    """The runs that nobody drives, the oldest first; those they have called are among them."""
    found: list[RunRow] = []
    for owner in abandoned_owners(store):
        last = ""
        while rows := store.held(owner, after=last, limit=BATCH):
            last = rows[-1].id
            found += rows
    return sorted(found, key=lambda row: row.id)


def count_interrupted(store: Store) -> int:
    """How many runs nobody drives, those they have called not counted; of very many, those are counted as well."""
    number = sum(holding.runs for holding in store.holdings() if why_free(holding) is not None)
    if not 0 < number <= BATCH:
        return number
    found = interrupted_runs(store)
    ids = {row.id for row in found}
    return sum(row.parent_run not in ids for row in found)


def is_abandoned(row: RunRow, gone: Collection[str | None]) -> bool:
    """Whether the run has not ended and nobody drives it any more, so that `flowctl resume` can; `gone` is what
    `abandoned_owners` says."""
    return not RunState(row.state).is_final and row.owner in gone
