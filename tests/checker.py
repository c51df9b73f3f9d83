"""What must hold of a store after anything that can befall engines, each as a function over the store and what was seen
from outside of it: the ids that were acknowledged, and a ledger of the starts and ends of attempts.

The numbers are those of the guarantees: I1 acknowledged runs are there once, I2 they end, I3 a recorded success is final, I4
attempts count up and overlap only across a take-over, I5 the log is gap-free and makes the state that is stored, I6 nothing
starts before its needs, I7 nothing of a run lives on, I9 limits hold. Each raises `AssertionError`.
"""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

from engine.edges import verdict
from engine.events import (
    AttemptFinished,
    AttemptStarted,
    AttemptStopping,
    Event,
    RunDraining,
    RunTakenOver,
    TaskCancelled,
    TaskFailed,
    TasksReset,
    TaskSucceeded,
    decode,
)
from engine.evolve import evolve, new_run
from engine.plan import Plan
from engine.projection import item_row, run_row, task_row
from engine.run import Run
from engine.states import RunState, TaskState
from engine.store.port import Store
from engine.store.rows import EventRow, RunFilter, RunRow

PlanOf = Callable[[RunRow], Plan]
Unit = tuple[str, str, int | None]
"""Run, task, item."""


class Noted(NamedTuple):
    """A line of the ledger: an attempt has started, or ended, at an instant that only ever grows."""

    run: str
    task: str
    item: int | None
    round: int
    attempt: int
    what: str
    at: float

    @property
    def unit(self) -> Unit:
        return (self.run, self.task, self.item)

    @property
    def number(self) -> tuple[int, int]:
        return (self.round, self.attempt)


def every_run(store: Store) -> list[RunRow]:
    """All runs of a store, those of called flows included."""
    found: list[RunRow] = []
    cursor = None
    while True:
        page = store.runs(RunFilter(top_level_only=False), limit=1000, cursor=cursor)
        found += page.items
        cursor = page.next
        if cursor is None:
            return found


def decoded(rows: Iterable[EventRow]) -> list[Event]:
    """Events as objects."""
    return [decode(row.type, row.at, row.task, row.item, row.data) for row in rows]


def check_all(
    store: Store,
    plan_of: PlanOf,
    *,
    acknowledged: Sequence[str] = (),
    ledger: Sequence[Noted] = (),
    limits: Mapping[str, int] | None = None,
) -> None:
    """Everything below but I7, which is about processes; `limits` are attempts of a task at once, by its name."""
    check_acknowledged(store, acknowledged)
    check_ended(store)
    check_successes(store, ledger)
    check_attempts(store, ledger)
    check_logs(store, plan_of)
    check_needs(store, plan_of)
    check_limits(store, ledger, limits or {})
    check_nothing_is_held(store)
    check_once(store)


def check_acknowledged(store: Store, acknowledged: Sequence[str]) -> None:
    """I1: every acknowledged id has exactly one run."""
    counts = Counter(row.id for row in every_run(store))
    assert len(set(acknowledged)) == len(acknowledged)
    for run_id in acknowledged:
        assert counts[run_id] == 1, f"{run_id} was acknowledged and is there {counts[run_id]} times"


def check_ended(store: Store) -> None:
    """I2: every run has ended, and so have its tasks."""
    for row in every_run(store):
        assert RunState(row.state).is_final, f"{row.id} is {row.state}"
        assert row.owner is None, f"{row.id} has ended and belongs to {row.owner}"
        for task in store.tasks(row.id, items=True):
            assert TaskState(task.state) in (*_FINAL, TaskState.PENDING), f"{row.id} {task.task} is {task.state}"


_FINAL = tuple(state for state in TaskState if state.is_final)


def check_nothing_is_held(store: Store) -> None:
    """Where all runs have ended, no engine is on record as holding any."""
    assert store.holdings() == ()


def check_successes(store: Store, ledger: Sequence[Noted]) -> None:
    """I3: of each unit and round one success is recorded at most, and nothing of that round starts after it."""
    starts = Counter((line.unit, line.number) for line in ledger if line.what == "start")
    for line, count in starts.items():
        assert count == 1, f"{line} was started {count} times"
    for row in every_run(store):
        succeeded: dict[tuple[Unit, int], int] = {}
        latest: dict[Unit, tuple[int, int]] = {}
        for event in decoded(store.events(row.id)):
            if isinstance(event, AttemptStarted):
                unit = (row.id, event.task, event.item)
                assert (unit, event.round) not in succeeded, f"{unit} starts again after its success"
                latest[unit] = (event.round, event.attempt)
            elif isinstance(event, TaskSucceeded) and (row.id, event.task, event.item) in latest:
                round_, attempt = latest[row.id, event.task, event.item]
                succeeded[(row.id, event.task, event.item), round_] = attempt
        for noted in ledger:
            last = succeeded.get((noted.unit, noted.round))
            assert last is None or noted.attempt <= last, f"{noted} is later than the success of attempt {last}"


def check_attempts(store: Store, ledger: Sequence[Noted]) -> None:
    """I4: the attempts of each unit and round count from 1 without a gap, one after the other. In the ledger two of them
    may overlap only if the run was taken over in between."""
    for row in every_run(store):
        last: dict[tuple[str, int | None, int], int] = {}
        live: set[tuple[str, int | None]] = set()
        takeovers = 0
        for event in decoded(store.events(row.id)):
            if isinstance(event, AttemptStarted):
                unit = (event.task, event.item, event.round)
                assert event.attempt == last.get(unit, 0) + 1, f"{row.id} {event}"
                assert unit[:2] not in live, f"{row.id} {event} while another attempt is being made"
                last[unit] = event.attempt
                live.add(unit[:2])
            elif isinstance(event, AttemptFinished):
                assert last[event.task, event.item, event.round] == event.attempt
                live.discard((event.task, event.item))
            elif isinstance(event, TaskCancelled | TaskFailed | TaskSucceeded):  # of a wait, which no runner reports
                live.discard((event.task, event.item))
            elif isinstance(event, RunTakenOver):
                takeovers += 1
        assert not live, f"{row.id}: {live} have no end"
        if not takeovers:
            _require_no_overlap([line for line in ledger if line.run == row.id])


def _require_no_overlap(ledger: Sequence[Noted]) -> None:
    live: set[Unit] = set()
    for line in sorted(ledger, key=lambda each: each.at):
        if line.what == "start":
            assert line.unit not in live, f"{line} while another attempt of it is being made"
            live.add(line.unit)
        else:
            live.discard(line.unit)


def check_logs(store: Store, plan_of: PlanOf) -> None:
    """I5: every log counts from 1 without a gap and in time, and folding it gives the rows that are stored."""
    for row in every_run(store):
        rows = store.events(row.id)
        assert [each.seq for each in rows] == list(range(1, row.seq + 1))
        assert all(before.at <= after.at for before, after in pairwise(rows)), f"{row.id}: time goes back in its log"
        plan = plan_of(row)
        run = _folded(plan, row.id, rows)
        assert run_row(plan, run, owner=row.owner, token=row.token) == row
        expected = []
        for name, task in run.tasks.items():
            expected.append(task_row(plan, row.id, name, task))
            expected += [
                item_row(plan, row.id, name, i, item, round_=task.round) for i, item in enumerate(task.items or ())
            ]
        stored = {(task.task, task.item): task for task in store.tasks(row.id, items=True)}
        for wanted in expected:
            assert stored[wanted.task, wanted.item] == wanted


def check_once(store: Store) -> None:
    """A run drains once for each reason, and the deadline of a task passes once a round: what was decided before a crash is
    not decided again after it."""
    for row in every_run(store):
        found: Counter[tuple[str, str | None, int | None, int]] = Counter()
        rounds: Counter[str] = Counter()
        for event in decoded(store.events(row.id)):
            if isinstance(event, TasksReset):
                rounds.update(event.members)
            elif isinstance(event, RunDraining):
                found[event.reason, None, None, 0] += 1
            elif isinstance(event, AttemptStopping) and event.reason == "deadline":
                found[event.reason, event.task, event.item, rounds[event.task]] += 1
        for what, count in found.items():
            assert count == 1, f"{row.id}: {what} was decided {count} times"


def check_prefix(store: Store, earlier: Mapping[str, Sequence[EventRow]]) -> None:
    """I5: what was read of logs earlier is how they still begin."""
    for run_id, rows in earlier.items():
        assert tuple(store.events(run_id, limit=len(rows) or 1))[: len(rows)] == tuple(rows)


def _folded(plan: Plan, run_id: str, rows: Iterable[EventRow]) -> Run:
    run = new_run(plan, run_id)
    for event in decoded(rows):
        evolve(plan, run, event)
    return run


def check_needs(store: Store, plan_of: PlanOf) -> None:
    """I6: when an attempt starts, the edges of its task say that it may."""
    for row in every_run(store):
        plan = plan_of(row)
        run = new_run(plan, row.id)
        for event in decoded(store.events(row.id)):
            if isinstance(event, AttemptStarted):
                spec, task = plan.tasks[event.task], run.tasks[event.task]
                assert verdict(spec.edges, task.edges, spec.join) == "run", f"{row.id} {event}: {task.edges}"
            evolve(plan, run, event)


def check_limits(store: Store, ledger: Sequence[Noted], limits: Mapping[str, int]) -> None:
    """I9: of each task named no more attempts are being made at a time than it may, by the log and by the ledger."""
    for row in every_run(store):
        live: dict[str, int] = defaultdict(int)
        for event in decoded(store.events(row.id)):
            if isinstance(event, AttemptStarted):
                live[event.task] += 1
                assert live[event.task] <= limits.get(event.task, live[event.task]), f"{row.id} {event}"
            elif isinstance(event, AttemptFinished):
                live[event.task] -= 1
    noted: dict[tuple[str, str], int] = defaultdict(int)
    for line in sorted(ledger, key=lambda each: (each.at, each.what != "end")):
        noted[line.run, line.task] += 1 if line.what == "start" else -1
        assert noted[line.run, line.task] <= limits.get(line.task, 1 << 30), f"{line}"


def check_no_process(run_ids: Iterable[str]) -> None:
    """I7: no process of these runs is alive."""
    wanted = {f"FLOW_RUN_ID={run_id}".encode() for run_id in run_ids}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            found = set((folder / "environ").read_bytes().split(b"\0"))
        except OSError:
            continue
        assert wanted.isdisjoint(found), f"process {folder.name} is left: {(folder / 'cmdline').read_bytes()!r}"
