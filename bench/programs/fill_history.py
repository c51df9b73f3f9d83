"""Fill a store with finished runs: copies of its newest one, each older than the one before, written by the store's own commit.

Arguments: the store's file, how many runs it is to hold in the end.
"""

import sys
from datetime import timedelta
from pathlib import Path

from msgspec.structs import replace

from engine.ids import RandomIds
from engine.store.rows import RunBatch, RunFilter
from engine.store.sqlite import SqliteStore

RUNS_AT_ONCE = 50
STEP = timedelta(seconds=30)


def main(path, wanted):
    """Write what is missing."""
    store = SqliteStore.open(Path(path), create=False)
    ids = RandomIds()
    newest = store.latest()
    pattern, events = store.snapshot(newest), store.events(newest)
    there = len(store.ids(limit=10**7))
    for first in range(there, wanted, RUNS_AT_ONCE):
        batches = [copy(pattern, events, number, ids) for number in range(first, min(first + RUNS_AT_ONCE, wanted))]
        store.commit(batches)
    assert len(store.runs(RunFilter(), limit=1).items) == 1
    store.close()


def copy(pattern, events, number, ids):
    """The pattern as a run of its own, `number` steps older."""
    earlier = STEP * number
    run_id = ids.new(pattern.run.created_at - earlier)
    run = replace(
        pattern.run,
        id=run_id,
        **{name: getattr(pattern.run, name) - earlier for name in ("created_at", "started_at", "ended_at")},
    )
    return RunBatch(
        run=run,
        events=tuple(replace(event, run_id=run_id, at=event.at - earlier) for event in events),
        tasks=tuple(replace(task, run_id=run_id) for task in pattern.tasks),
        attempts=tuple(replace(attempt, run_id=run_id) for attempt in pattern.attempts),
        new=True,
    )


main(sys.argv[1], int(sys.argv[2]))
