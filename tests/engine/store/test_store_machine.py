"""The store against a dictionary: whatever is committed, refused or opened again, both hold the same."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from msgspec.structs import replace

from engine.errors import StoreConflict
from engine.store.port import Store
from engine.store.rows import AttemptRow, EventRow, RunBatch, RunFilter, RunRow, TaskRow
from engine.store.sqlite import SqliteStore

from .samples import attempt, continuing, inserting, run, task

IDS = tuple(f"run-{letter}" for letter in "abcdef")
STATES = ("queued", "running", "failed")
ids = st.sampled_from(IDS)


class Model:
    """What a store should hold, in dictionaries."""

    def __init__(self) -> None:
        self.runs: dict[str, RunRow] = {}
        self.events: dict[str, tuple[EventRow, ...]] = {}
        self.tasks: dict[tuple[str, str, int], TaskRow] = {}
        self.attempts: dict[tuple[str, str, int, int, int], AttemptRow] = {}

    def copy(self) -> Model:
        other = Model()
        other.runs, other.events = dict(self.runs), dict(self.events)
        other.tasks, other.attempts = dict(self.tasks), dict(self.attempts)
        return other

    def take(self, batch: RunBatch) -> bool:
        """Do as the batch says; false if another writer was first."""
        row, stored = batch.run, self.runs.get(batch.run.id)
        token = row.token if batch.expected_token is None else batch.expected_token
        if batch.new != (stored is None):
            return False
        if stored is not None and (stored.seq, stored.token) != (batch.expected_seq, token):
            return False
        self.runs[row.id] = row
        self.events[row.id] = self.events.get(row.id, ()) + batch.events
        self.tasks |= {(each.run_id, each.task, each.item): each for each in batch.tasks}
        self.attempts |= {(e.run_id, e.task, e.item, e.round, e.attempt): e for e in batch.attempts}
        return True


class StoreMachine(RuleBasedStateMachine):
    """Writers that are sometimes late, and processes that close and open the store."""

    def __init__(self) -> None:
        super().__init__()
        self.store = self.make()
        self.model = Model()
        self.created = 0

    def make(self) -> Store:
        """An empty store."""
        self.folder = Path(tempfile.mkdtemp())
        return self.open()

    def open(self) -> Store:
        """The store that was made, once more."""
        return SqliteStore.open(self.folder / "flow.db")

    def remove(self) -> None:
        """Leave nothing behind."""
        shutil.rmtree(self.folder)

    def teardown(self) -> None:
        self.store.close()
        self.remove()

    def commit(self, batches: list[RunBatch]) -> None:
        after = self.model.copy()
        if all(after.take(batch) for batch in batches):
            self.store.commit(batches)
            self.model = after
        else:
            with pytest.raises(StoreConflict):
                self.store.commit(batches)

    def submit_batch(self, run_id: str, events: int) -> RunBatch:
        self.created += 1
        return inserting(run(run_id, seq=events, created=self.created // 2))

    def next_batch(self, run_id: str, events: int, late: int, state: str) -> RunBatch:
        stored = self.model.runs.get(run_id, run(run_id))
        row = replace(stored, seq=max(stored.seq - late, 0), state=state)
        number = row.seq % 3
        rows = (task(run_id, "t", state=state), task(run_id, "t", item=number, state=state))
        return continuing(row, events=events, tasks=rows, attempts=(attempt(run_id, "t", number),))

    @rule(run_id=ids, events=st.integers(0, 3))
    def submit(self, run_id: str, events: int) -> None:
        self.commit([self.submit_batch(run_id, events)])

    @rule(run_id=ids, events=st.integers(0, 3), late=st.sampled_from([0, 0, 0, 1, 2]), state=st.sampled_from(STATES))
    def go_on(self, run_id: str, events: int, late: int, state: str) -> None:
        self.commit([self.next_batch(run_id, events, late, state)])

    @rule(run_id=ids, stale=st.booleans())
    def take_over(self, run_id: str, stale: bool) -> None:
        row = self.model.runs.get(run_id, run(run_id))
        taken = replace(row, token=row.token + 1, owner=f"engine-{row.token}")
        self.commit([continuing(taken, events=1, expected_token=row.token - 1 if stale else row.token)])

    @rule(
        changes=st.lists(st.tuples(ids, st.booleans(), st.integers(0, 2), st.sampled_from([0, 0, 0, 0, 1])), max_size=4)
    )
    def commit_together(self, changes: list[tuple[str, bool, int, int]]) -> None:
        batches = {
            run_id: self.submit_batch(run_id, events) if new else self.next_batch(run_id, events, late, "running")
            for run_id, new, events, late in changes
        }
        self.commit(list(batches.values()))

    @rule()
    def open_again(self) -> None:
        self.store.close()
        self.store = self.open()

    @rule()
    def open_beside(self) -> None:
        other = self.open()
        self.store.close()
        self.store = other

    @rule(limit=st.integers(1, 4), states=st.none() | st.lists(st.sampled_from(STATES)).map(tuple))
    def lists_agree(self, limit: int, states: tuple[str, ...] | None) -> None:
        wanted = [row for row in self.model.runs.values() if states is None or row.state in states]
        wanted.sort(key=lambda row: (row.created_at, row.id), reverse=True)
        found: list[RunRow] = []
        cursor: str | None = None
        while True:
            page = self.store.runs(RunFilter(states=states), limit=limit, cursor=cursor)
            found += page.items
            cursor = page.next
            if cursor is None:
                break
        assert found == wanted
        assert self.store.latest() == next(iter(row.id for row in wanted), None) or states is not None

    @invariant()
    def rows_agree(self) -> None:
        for run_id in IDS:
            assert self.store.run(run_id) == self.model.runs.get(run_id)
            assert self.store.events(run_id) == self.model.events.get(run_id, ())
            tasks = sorted((key, row) for key, row in self.model.tasks.items() if key[0] == run_id)
            assert self.store.tasks(run_id, items=True) == tuple(row for _, row in tasks)
            attempts = sorted((key, row) for key, row in self.model.attempts.items() if key[0] == run_id)
            assert self.store.attempts(run_id) == tuple(row for _, row in attempts)


TestStoreMachine = StoreMachine.TestCase
TestStoreMachine.settings = settings(max_examples=15, stateful_step_count=25, deadline=None)
