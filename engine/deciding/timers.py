"""What happens when an instant has come: retries, waits, limits of attempts, tasks, edges and the run."""

from __future__ import annotations

import heapq
from collections.abc import Callable

from engine.deciding.decision import Decision
from engine.deciding.ending import after_item, conclude, fail_finally, is_suspended, succeed
from engine.deciding.lifecycle import drain, hurry, start
from engine.deciding.resets import apply_resets
from engine.events import (
    AttemptFinished,
    AttemptStopping,
    EdgeTimedOut,
    TaskCancelled,
    TaskQueued,
    TaskSkipped,
)
from engine.outcomes import Ending, Failure
from engine.run import WAITING, Timer, Unit
from engine.states import RunState, TaskState
from specs.quantities import format_duration

S = TaskState


def fire_due(d: Decision) -> None:
    """Handle every timer that is due, earliest first; one that no longer means anything is dropped."""
    timers = d.run.timers
    while timers and timers[0].at <= d.now and not d.run.state.is_final:
        timer = heapq.heappop(timers)
        _HANDLERS[timer.kind](d, timer)


def _run_start(d: Decision, timer: Timer) -> None:
    if d.run.state is RunState.SCHEDULED:
        start(d)


def _run_timeout(d: Decision, timer: Timer) -> None:
    if d.run.phase in ("start", "main") and d.run.draining not in ("cancelled", "timed_out"):
        drain(d, "timed_out", stops=True)


def _cleanup(d: Decision, timer: Timer) -> None:
    """End the cleanup. Where a drain lets run what runs, its time counts from the end of the last of that."""
    run = d.run
    if run.draining is None or run.hurried or run.phase not in ("start", "main"):
        return
    if not run.stops:
        others = [task for name, task in run.tasks.items() if "." not in name and not task.cleanup and task.started]
        ends = [task.ended_at for task in others if task.ended_at is not None]
        since = d.now if any(task.ended_at is None for task in others) else max(ends, default=timer.at)
        if since + d.plan.cleanup > d.now:
            heapq.heappush(run.timers, Timer(since + d.plan.cleanup, run.seq, "cleanup"))
            return
    hurry(d, everything=False)


def _unit(d: Decision, timer: Timer) -> Unit | None:
    """The unit a timer was set for, `None` when a reset has taken it away or keeps it from going on."""
    task = d.run.tasks[timer.task]
    return None if task.round != timer.round or is_suspended(d, timer.task) else task.unit(timer.item)


def _retry(d: Decision, timer: Timer) -> None:
    unit = _unit(d, timer)
    if unit is not None and unit.state is S.RETRYING and unit.due is not None and unit.due <= d.now:
        d.emit(TaskQueued(d.now, timer.task, timer.item))


def _wait(d: Decision, timer: Timer) -> None:
    task = d.run.tasks[timer.task]
    if task.state is S.WAITING and task.round == timer.round and not is_suspended(d, timer.task):
        d.emit(
            AttemptFinished(
                d.now,
                timer.task,
                None,
                task.round,
                task.attempt,
                task.attempt_started_at or d.now,
                Ending.SUCCEEDED,
            )
        )
        succeed(d, timer.task, None, None)


def _timeout(d: Decision, timer: Timer) -> None:
    task = d.run.tasks[timer.task]
    if task.round != timer.round:
        return
    unit = task.unit(timer.item)
    if unit.live and unit.attempt == timer.attempt and unit.stopping is None:
        d.emit(AttemptStopping(d.now, timer.task, timer.item, "timeout"))


def _queue_timeout(d: Decision, timer: Timer) -> None:
    unit = _unit(d, timer)
    limit = d.plan.tasks[timer.task].queue_timeout
    if (
        unit is None
        or unit.state is not S.QUEUED
        or unit.queued_at is None
        or limit is None
        or unit.queued_at + limit > d.now
    ):
        return
    failure = Failure("queue_timeout", f"it was queued for {format_duration(limit)} and could not start")
    fail_finally(d, timer.task, timer.item, failure)


def _deadline(d: Decision, timer: Timer) -> None:
    spec, task = d.task(timer.task)
    if _unit(d, timer) is None or task.state.is_final or task.state is S.COMPLETING or spec.deadline is None:
        return
    if task.items is not None:
        if task.stopping == "deadline":  # a run made again from its log meets its old timers once more
            return
        _pass_deadline_of_items(d, timer.task)
    elif task.live:
        if task.stopping in (None, "timeout"):  # what was cancelled stays so
            d.emit(AttemptStopping(d.now, timer.task, None, "deadline"))
    else:
        conclude(d, timer.task, Failure("deadline", f"the deadline of {format_duration(spec.deadline)} has passed"))


def _pass_deadline_of_items(d: Decision, name: str) -> None:
    d.emit(AttemptStopping(d.now, name, None, "deadline"))
    for index, item in enumerate(d.run.tasks[name].items or ()):
        if item.live:
            d.emit(AttemptStopping(d.now, name, index, "cancelled"))
        elif not item.state.is_final:
            d.emit(TaskCancelled(d.now, name, index))
    after_item(d, name)


def _edge(d: Decision, timer: Timer) -> None:
    spec, task = d.task(timer.task)
    if task.state is not S.PENDING or task.round != timer.round or timer.item is None:
        return
    if task.edges[timer.item] != WAITING or task.open != 1 or is_suspended(d, timer.task):
        return
    edge = spec.edges[timer.item]
    if edge.on_timeout == "fail":
        waited = format_duration(edge.timeout) if edge.timeout is not None else ""
        message = f"waited {waited} for `{edge.upstream}` in vain"
        conclude(d, timer.task, Failure("dependency_timeout", message))
    elif edge.on_timeout == "skip":
        d.emit(TaskSkipped(d.now, timer.task, f"`{edge.upstream}` did not get there in time"))
    else:
        d.emit(EdgeTimedOut(d.now, timer.task, timer.item))


def _reset(d: Decision, timer: Timer) -> None:
    apply_resets(d)


_HANDLERS: dict[str, Callable[[Decision, Timer], None]] = {
    "run_start": _run_start,
    "run_timeout": _run_timeout,
    "cleanup": _cleanup,
    "retry": _retry,
    "wait": _wait,
    "timeout": _timeout,
    "queue_timeout": _queue_timeout,
    "deadline": _deadline,
    "edge": _edge,
    "reset": _reset,
}
