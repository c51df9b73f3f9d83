"""The states of runs, tasks and items, and the moves between them (`LANGUAGE.md` 5 and 10). Values are stored."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum


class TaskState(StrEnum):
    """Where a task of a run, or one item of a fan-out, stands."""

    PENDING = "pending"  # waits for the tasks its edges name
    QUEUED = "queued"  # may start as soon as admission lets it
    RUNNING = "running"  # an attempt is being made
    RETRYING = "retrying"  # an attempt has failed, the next has its time
    WAITING = "waiting"  # an approval, a wait or a child run: no process
    COMPLETING = "completing"  # its own work is done, others must end before it counts
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  # not part of this run
    BLOCKED = "blocked"  # part of it, could not be started
    CANCELLED = "cancelled"

    is_final: bool
    """Whether only a reset or an operator can move the task again."""

    __hash__ = str.__hash__  # as a text, not by a function: states are looked up for every event


class RunState(StrEnum):
    """Where a run stands; paused is a mark on it, not a state."""

    SCHEDULED = "scheduled"
    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    is_final: bool
    """Whether the run has ended."""

    __hash__ = str.__hash__


class IllegalTransition(Exception):
    """A move the table does not have: a defect of the engine, never of a flow."""

    def __init__(self, old: StrEnum, new: StrEnum) -> None:
        super().__init__(f"{old} -> {new}")
        self.old = old
        self.new = new


T = TaskState
FINAL = frozenset({T.SUCCEEDED, T.FAILED, T.SKIPPED, T.BLOCKED, T.CANCELLED})
for task_state in T:
    task_state.is_final = task_state in FINAL

TRANSITIONS: Mapping[TaskState, frozenset[TaskState]] = {
    T.PENDING: frozenset({T.QUEUED, T.SKIPPED, T.BLOCKED, T.CANCELLED, T.FAILED, T.SUCCEEDED}),
    T.QUEUED: frozenset({T.RUNNING, T.COMPLETING, T.SUCCEEDED, T.CANCELLED, T.FAILED, T.PENDING}),
    T.RUNNING: frozenset(
        {T.QUEUED, T.RETRYING, T.WAITING, T.COMPLETING, T.SUCCEEDED, T.FAILED, T.CANCELLED, T.PENDING}
    ),
    T.RETRYING: frozenset({T.QUEUED, T.SUCCEEDED, T.FAILED, T.CANCELLED, T.COMPLETING, T.PENDING}),
    T.WAITING: frozenset({T.RUNNING, T.COMPLETING, T.RETRYING, T.SUCCEEDED, T.FAILED, T.CANCELLED, T.PENDING}),
    T.COMPLETING: frozenset({T.SUCCEEDED, T.FAILED, T.CANCELLED, T.PENDING}),
    T.SUCCEEDED: frozenset({T.PENDING}),
    T.FAILED: frozenset({T.PENDING}),
    T.SKIPPED: frozenset({T.PENDING}),
    T.BLOCKED: frozenset({T.PENDING}),
    T.CANCELLED: frozenset({T.PENDING}),
}
"""Edges back to `pending` exist for a reset (`LANGUAGE.md` 9) and an operator's rerun only. `pending -> succeeded` is a
fan-out over nothing with `on_empty: succeed`; `queued -> succeeded` one whose items all waited too long and are tolerated,
or, like `retrying -> succeeded`, a service that nobody needs any more."""

R = RunState
for run_state in R:
    run_state.is_final = run_state in (R.SUCCEEDED, R.FAILED, R.CANCELLED)
RUN_TRANSITIONS: Mapping[RunState, frozenset[RunState]] = {
    R.SCHEDULED: frozenset({R.QUEUED, R.RUNNING, R.CANCELLED, R.FAILED}),
    R.QUEUED: frozenset({R.RUNNING, R.CANCELLED, R.FAILED}),
    R.RUNNING: frozenset({R.SUCCEEDED, R.FAILED, R.CANCELLED}),
    R.SUCCEEDED: frozenset({R.RUNNING}),
    R.FAILED: frozenset({R.RUNNING}),
    R.CANCELLED: frozenset({R.RUNNING}),
}
"""A final run goes back to `running` only by an operator's rerun."""


def advance(old: TaskState, new: TaskState) -> TaskState:
    """Return `new` if the table has the move; raise `IllegalTransition` if not."""
    if new not in TRANSITIONS[old]:
        raise IllegalTransition(old, new)
    return new


def advance_run(old: RunState, new: RunState) -> RunState:
    """Return `new` if the table has the move; raise `IllegalTransition` if not."""
    if new not in RUN_TRANSITIONS[old]:
        raise IllegalTransition(old, new)
    return new
