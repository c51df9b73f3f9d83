"""What removing writes, in statements that every database takes: finished runs with all that belongs to them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from engine.states import RunState
from engine.store.codec import micros
from engine.store.rows import RunRow
from engine.store.statements import Query, Write

_FINAL = ", ".join(f"'{state}'" for state in RunState if state.is_final)
_REMOVE_RUN = f"DELETE FROM runs WHERE id = ? AND seq = ? AND token = ? AND state IN ({_FINAL})"  # noqa: S608 - our own words
_REMOVE_OF_RUN = tuple(
    f"DELETE FROM {table} WHERE run_id = ?"  # noqa: S608 - our own words
    for table in ("inbox", "attempts", "tasks", "events")
)
_UNUSED = "FROM specs WHERE created_at < ? AND digest NOT IN (SELECT digest FROM runs)"


def runs_removed(runs: Sequence[RunRow]) -> list[Write]:
    """Remove these runs, each if it is finished and stands as it was read."""
    ids = [(run.id,) for run in runs]
    guarded = Write(_REMOVE_RUN, [(run.id, run.seq, run.token) for run in runs], guarded=True)
    return [guarded, *(Write(sql, list(ids)) for sql in _REMOVE_OF_RUN)]


def unused_specs(before: datetime) -> Query:
    """Digests of the files stored before then that no run was compiled from."""
    return Query(f"SELECT digest {_UNUSED} ORDER BY digest", (micros(before),))


def unused_specs_removed(before: datetime) -> list[Write]:
    """Remove those files."""
    return [Write(f"DELETE {_UNUSED}", [(micros(before),)])]
