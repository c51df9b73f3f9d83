"""Which effect is taken back next: one after the other, a task's before those of its ancestors, latest finished first."""

from __future__ import annotations

from datetime import datetime

from engine.deciding.decision import Decision
from engine.states import TaskState

S = TaskState


def next_undo(d: Decision) -> str | None:
    """The undo task to begin now; `""` while one is under way; `None` when all have been done."""
    left: list[str] = []
    for name in d.plan.main:
        undo = d.plan.tasks[name].undo
        if undo is None or d.run.tasks[name].state is not S.SUCCEEDED:
            continue
        state = d.run.tasks[undo].state
        if state is S.PENDING:
            left.append(name)
        elif not state.is_final:
            return ""
    if not left:
        return None
    free = [name for name in left if not _has_descendant(d, name, set(left))]
    return d.plan.tasks[max(free, key=lambda name: _ended(d, name))].undo


def _ended(d: Decision, name: str) -> tuple[datetime, int]:
    ended = d.run.tasks[name].ended_at
    if ended is None:
        raise AssertionError(name)
    return ended, d.plan.tasks[name].position


def _has_descendant(d: Decision, name: str, among: set[str]) -> bool:
    seen = {name}
    stack = [name]
    while stack:
        for follower in d.plan.downstream.get(stack.pop(), ()):
            if follower in among:
                return True
            if follower not in seen:
                seen.add(follower)
                stack.append(follower)
    return False
