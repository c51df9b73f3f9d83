"""A task that asks its ancestors to run again (`LANGUAGE.md` 9)."""

from __future__ import annotations

from collections.abc import Iterator

from engine.deciding.decision import Decision
from engine.events import AttemptStopping, ResetRequested, TasksReset
from engine.outcomes import Failure
from engine.plan import PlanTask
from engine.retry import matches, names_precisely


def asks_at_once(spec: PlanTask, failure: Failure) -> bool:
    """Whether the task asks before its own attempts are used up: the error is named, or its script asked."""
    upstream = spec.retry_upstream
    if upstream is None:
        return False
    return bool(failure.asks_upstream) or names_precisely(upstream.errors, failure)


def may_ask(d: Decision, name: str, failure: Failure) -> bool:
    """Whether the task may ask now: the error matches, rounds are left, and the run is not about to end.

    A script that names tasks to run again (`FLOW_CONTROL`) is heard if all of them are among `tasks`.
    """
    spec, task = d.task(name)
    upstream = spec.retry_upstream
    if upstream is None or d.run.draining is not None:
        return False
    if task.requests >= upstream.rounds or d.run.resets >= d.plan.resets:
        return False
    asked = failure.asks_upstream
    if asked and set(asked) <= set(upstream.tasks):
        return True
    return "any" in upstream.errors or matches(upstream.errors, failure)


def request_reset(d: Decision, name: str, failure: Failure | None) -> None:
    """Ask for the reset, end what runs of its members, and make it if nothing is in the way.

    `failure` is why the task itself would have failed, `None` when one of its items asks.
    """
    upstream = d.plan.tasks[name].retry_upstream
    if upstream is None:
        raise AssertionError(name)
    d.emit(ResetRequested(d.now, name, upstream.members, d.now + upstream.delay, failure=failure))
    for member in upstream.members:
        task = d.run.tasks[member]
        for item in list(_live_units(d, member)):
            if task.unit(item).stopping is None:
                d.emit(AttemptStopping(d.now, member, item, "reset"))
    apply_resets(d)


def _live_units(d: Decision, name: str) -> Iterator[int | None]:
    task = d.run.tasks[name]
    if task.items is not None:
        yield from (index for index, item in enumerate(task.items) if item.live)
    elif task.live:
        yield None


def apply_resets(d: Decision) -> None:
    """Make every reset whose time has come and of whose members nothing runs any more."""
    for name, members, due in list(d.run.pending_resets):
        if due <= d.now and not any(True for member in members for _ in _live_units(d, member)):
            d.emit(TasksReset(d.now, name, members))
