"""What follows from an attempt: its start, its end, the next one, or the end of the task."""

from __future__ import annotations

from datetime import datetime

from engine.attempts import AttemptEnded, AttemptKey
from engine.commands import Admit
from engine.deciding.decision import Decision
from engine.deciding.ending import after_item, fail_finally, is_suspended, succeed
from engine.deciding.lifecycle import is_needed
from engine.deciding.resets import apply_resets, asks_at_once, may_ask
from engine.events import (
    AttemptFinished,
    AttemptStarted,
    AttemptStopping,
    ServiceReady,
    TaskCancelled,
    TaskQueued,
    TaskRetrying,
)
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.plan import PlanTask
from engine.retry import Again, after_failure
from engine.run import Unit
from engine.scope import task_scope
from engine.states import TaskState
from specs.expressions import EvaluationError, evaluate_condition
from specs.quantities import format_duration

S = TaskState


def admit(d: Decision, command: Admit) -> None:
    """Start the next attempt of a queued unit. Nothing happens if it is not queued any more, or waits for a reset."""
    task = d.run.tasks[command.task]
    if command.item is not None and command.item >= len(task.items or ()):
        return
    unit = task.unit(command.item)
    if unit.state is not S.QUEUED or is_suspended(d, command.task):
        return
    d.emit(AttemptStarted(d.now, command.task, command.item, task.round, unit.attempt + 1, child=command.child))


def service_ready(d: Decision, key: AttemptKey) -> None:
    """A service answered its probe; a report about an earlier attempt is dropped. Where all that could need it has ended
    before it got so far, nothing would stop it later: it is stopped now."""
    unit = _current(d, key)
    if unit is not None and unit.stopping is None:
        d.emit(ServiceReady(d.now, key.task))
        if not is_needed(d, key.task):
            d.emit(AttemptStopping(d.now, key.task, None, "unneeded"))


def attempt_ended(d: Decision, report: AttemptEnded) -> None:
    """Record how an attempt ended and decide what follows; a report about an earlier attempt is dropped."""
    key, outcome = report.key, report.outcome
    unit = _current(d, key)
    if unit is None:
        return
    reason = unit.stopping
    d.emit(
        AttemptFinished(
            d.now,
            key.task,
            key.item,
            key.round,
            key.attempt,
            unit.attempt_started_at or d.now,
            outcome.ending,
            child=unit.child,
            failure=outcome.failure,
            exit_code=outcome.exit_code,
            output=outcome.output,
            notes=outcome.notes,
        )
    )
    _follow(d, key.task, key.item, outcome, reason)


def _current(d: Decision, key: AttemptKey) -> Unit | None:
    task = d.run.tasks.get(key.task)
    if task is None or task.round != key.round or (key.item is None) != (task.items is None):
        return None
    if key.item is not None and key.item >= len(task.items or ()):
        return None
    unit = task.unit(key.item)
    return unit if unit.live and unit.attempt == key.attempt else None


def _follow(d: Decision, name: str, item: int | None, outcome: Outcome, reason: str | None) -> None:
    spec = d.plan.tasks[name]
    if is_suspended(d, name):  # however it ended, it was the last thing a reset waited for, perhaps
        apply_resets(d)
    elif spec.service and reason == "unneeded":
        succeed(d, name, item, None)
    elif reason == "reset" or (reason in ("cancelled", "fail_fast") and outcome.ending is not Ending.SUCCEEDED):
        _cancel(d, name, item)
    elif outcome.ending is Ending.SUCCEEDED and not spec.service:
        _succeeded(d, name, item, spec, dict(outcome.output))
    else:
        _failed(d, name, item, spec, _failure_of(spec, outcome, reason))


def _failure_of(spec: PlanTask, outcome: Outcome, reason: str | None) -> Failure:
    if reason == "timeout" and spec.timeout is not None and outcome.ending is not Ending.LOST:
        return Failure("timeout", f"timed out after {format_duration(spec.timeout)}")
    if reason == "deadline" and spec.deadline is not None:
        return Failure("deadline", f"the deadline of {format_duration(spec.deadline)} has passed")
    if outcome.ending is Ending.SUCCEEDED:
        return Failure("exit", "the service ended by itself", exit_code=outcome.exit_code)
    if outcome.ending is Ending.LOST:
        return outcome.failure or Failure("lost", "the attempt was lost")
    return outcome.failure or Failure("signal", "the attempt was stopped from outside", signal="TERM")


def _cancel(d: Decision, name: str, item: int | None) -> None:
    d.emit(TaskCancelled(d.now, name, item))
    if item is not None:
        after_item(d, name)


def _succeeded(d: Decision, name: str, item: int | None, spec: PlanTask, output: dict[str, Json]) -> None:
    if spec.repeat is None:
        succeed(d, name, item, output)
        return
    unit = d.run.tasks[name].unit(item)
    try:
        scope = task_scope(d.plan, d.run, name, item)
        scope["task"]["output"] = output
        done = evaluate_condition(spec.repeat.until, scope)
    except EvaluationError as problem:
        fail_finally(d, name, item, Failure("expression", f"`until`: {problem}"))
        return
    due, deadline_at = d.now + spec.repeat.every, _deadline_at(spec, d.run.tasks[name].started_at)
    if done:
        succeed(d, name, item, output)
    elif unit.repeats + 1 >= spec.repeat.max:
        fail_finally(d, name, item, Failure("repeat", f"`until` was still false after {spec.repeat.max} times"))
    elif deadline_at is not None and due >= deadline_at:
        fail_finally(d, name, item, Failure("deadline", "`until` is still false and the next look would be too late"))
    else:
        _again(d, name, item, due, "repeat")


def _failed(d: Decision, name: str, item: int | None, spec: PlanTask, failure: Failure) -> None:
    task = d.run.tasks[name]
    unit = task.unit(item)
    if asks_at_once(spec, failure) and may_ask(d, name, failure):
        fail_finally(d, name, item, failure)  # which asks
        return
    follows = after_failure(
        spec.retry,
        failure,
        used=unit.used,
        refused=unit.refused,
        lost=unit.lost,
        first_started_at=unit.started_at or d.now,
        deadline_at=_deadline_at(spec, task.started_at),
        now=d.now,
        random=d.random,
    )
    if isinstance(follows, Again):
        _again(d, name, item, follows.due, follows.why)
    else:
        fail_finally(d, name, item, follows.failure)


def _deadline_at(spec: PlanTask, started_at: datetime | None) -> datetime | None:
    return started_at + spec.deadline if spec.deadline is not None and started_at is not None else None


def _again(d: Decision, name: str, item: int | None, due: datetime, why: str) -> None:
    d.emit(TaskRetrying(d.now, name, item, due, why))
    if due <= d.now:
        d.emit(TaskQueued(d.now, name, item))
