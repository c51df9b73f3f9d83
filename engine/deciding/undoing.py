"""What is taken back next: one after the other, a task's effect before those of its ancestors, latest finished first."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from engine.deciding.decision import Decision
from engine.deciding.starting import begin
from engine.events import FannedOut
from engine.plan import Plan
from engine.run import Run
from engine.states import TaskState

S = TaskState


def undo_order(plan: Plan, run: Run) -> list[str]:
    """The tasks that succeeded and have an `undo`, in the order in which they are undone.

    A task usually ends after its ancestors; behind an `after_start` edge it may end before one. So an ancestor counts as
    ended no later than any of its descendants that are undone.
    """
    limits: dict[str, datetime] = {}
    keys: dict[str, tuple[datetime, int, int]] = {}
    for depth, wave in reversed(list(enumerate(plan.waves))):
        for name in wave:
            task, spec = run.tasks[name], plan.tasks[name]
            below = [limits[follower] for follower in plan.downstream.get(name, ()) if follower in limits]
            is_undone = spec.undo is not None and task.state is S.SUCCEEDED and task.ended_at is not None
            ends = [task.ended_at, *below] if is_undone else below
            known = [end for end in ends if end is not None]
            if known:
                limits[name] = min(known)
            if is_undone:
                keys[name] = (limits[name], depth, spec.position)
    return sorted(keys, key=lambda name: keys[name], reverse=True)


def begin_next_undo(d: Decision) -> Literal["begun", "busy", "done"]:
    """Begin the next undo, unless one is under way or all are done; a run that is hurried begins none."""
    if d.run.to_undo is None:  # every task is final, so the order stays
        d.run.to_undo = undo_order(d.plan, d.run)[::-1]
    left = d.run.to_undo
    while left:
        name = left[-1]
        undo = d.plan.tasks[name].undo
        if undo is None:
            raise AssertionError(name)
        state = d.run.tasks[undo].state
        if state is S.PENDING:
            if d.run.hurried_everything:
                return "done"
            _begin(d, name, undo)
            return "begun"
        if not state.is_final:
            return "busy"
        left.pop()
    return "done"


def _begin(d: Decision, name: str, undo: str) -> None:
    """Of a fan-out every succeeded item is undone, the latest finished first; `max_parallel` of the undo is 1."""
    items = d.run.tasks[name].items
    if items is None:
        begin(d, undo)
        return
    done = [item for item in items if item.state is S.SUCCEEDED and item.ended_at is not None]
    done.sort(key=lambda item: item.ended_at or d.now, reverse=True)
    if done:
        d.emit(FannedOut(d.now, undo, tuple(i.key for i in done), tuple(i.value for i in done)))
    else:
        begin(d, undo)
