"""From `pending` to `queued`: what the edges decide, the condition, the items, and actions that need no process."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from engine.deciding.decision import Decision
from engine.deciding.ending import conclude, fail_finally, is_suspended, succeed
from engine.deciding.items import TooManyItems, make_items
from engine.edges import verdict
from engine.events import AttemptStarted, FannedOut, TaskBlocked, TaskCancelled, TaskQueued, TaskSkipped
from engine.outcomes import Failure, Json
from engine.plan import (
    BranchAction,
    EdgeKind,
    FailAction,
    FanOut,
    PlanTask,
    SetAction,
    SwitchAction,
    WaitAction,
)
from engine.run import BROKEN, MET, TaskRun
from engine.scope import task_scope
from engine.states import TaskState
from specs.expressions import EvaluationError, evaluate, evaluate_condition, resolve, resolve_text
from specs.quantities import parse_duration

S = TaskState


def consider(d: Decision, name: str) -> None:
    """Look at a pending task whose edges have changed: skip, block, begin, or leave it."""
    spec, task = d.task(name)
    if task.state is not S.PENDING or is_suspended(d, name):
        return
    found = verdict(spec.edges, task.edges, spec.join)
    if found == "skipped":
        d.emit(TaskSkipped(d.now, name, _why_skipped(spec, task)))
    elif found == "blocked":
        d.emit(TaskBlocked(d.now, name, _cause(d, spec, task)))
    elif found == "run" and _condition_holds(d, name, spec):
        _begin_or_cancel(d, name)


def _why_skipped(spec: PlanTask, task: TaskRun) -> str:
    arms = [e for e in spec.edges if e.kind is EdgeKind.ARM]
    if arms and not any(
        state == MET for edge, state in zip(spec.edges, task.edges, strict=True) if edge.kind is EdgeKind.ARM
    ):
        return f"no arm of `{arms[0].upstream}` takes it"
    if any(edge.kind is EdgeKind.AFTER_FAILURE for edge in spec.edges):
        return "nothing it handles has failed"
    return "what it waits for is not part of this run"


def _cause(d: Decision, spec: PlanTask, task: TaskRun) -> str:
    """The task at the root: the upstream of the first broken edge, or what blocked that one."""
    for edge, state in zip(spec.edges, task.edges, strict=True):
        if state == BROKEN:
            upstream = d.run.tasks[edge.upstream]
            return upstream.cause if upstream.state is S.BLOCKED and upstream.cause else edge.upstream
    return spec.edges[0].upstream


def _condition_holds(d: Decision, name: str, spec: PlanTask) -> bool:
    if spec.condition is None:
        return True
    try:
        holds = evaluate_condition(spec.condition, task_scope(d.plan, d.run, name))
    except EvaluationError as problem:
        conclude(d, name, Failure("expression", f"`if`: {problem}"))
        return False
    if not holds:
        d.emit(TaskSkipped(d.now, name, "`if` is false"))
    return holds


def _begin_or_cancel(d: Decision, name: str) -> None:
    if may_start(d, name):
        begin(d, name)
    else:
        d.emit(TaskCancelled(d.now, name))


def may_start(d: Decision, name: str) -> bool:
    """Whether a task that would run may: in a drain only cleanup and handlers do, and only until the drain is hurried."""
    run = d.run
    if name.startswith("hooks.start."):
        return run.draining is None
    if "." in name:  # other hooks and undo have phases of their own
        return not run.hurried_everything
    if run.draining is None:
        return True
    if run.hurried or run.draining == "start_hook":
        return False
    spec, task = d.task(name)
    kinds = (EdgeKind.AFTER_END, EdgeKind.AFTER_FAILURE)
    return any(e.kind in kinds and s == MET for e, s in zip(spec.edges, task.edges, strict=True))


def begin(d: Decision, name: str) -> None:
    """Queue the task, expand it into items, or carry it out at once when its action needs no process."""
    spec, task = d.task(name)
    if spec.fan_out is not None:
        expand(d, name, spec.fan_out)
    elif is_immediate(spec):
        d.emit(AttemptStarted(d.now, name, None, task.round, 1, due=None))
        carry_out(d, name, None)
    elif isinstance(spec.action, WaitAction):
        _begin_wait(d, name, spec.action)
    else:
        d.emit(TaskQueued(d.now, name))


def is_immediate(spec: PlanTask) -> bool:
    """Whether the action is carried out by the engine itself, in the decision that begins it."""
    return isinstance(spec.action, BranchAction | SwitchAction | SetAction | FailAction)


def carry_out(d: Decision, name: str, item: int | None) -> None:
    """Do an immediate action that has just been started."""
    action = d.plan.tasks[name].action
    try:
        scope = task_scope(d.plan, d.run, name, item)
        result = _immediate_result(action, scope)
    except EvaluationError as problem:
        result = Failure("expression", str(problem))
    if isinstance(result, Failure):
        fail_finally(d, name, item, result)
    else:
        succeed(d, name, item, result)


def _immediate_result(action: object, scope: Mapping[str, Any]) -> Json | Failure:
    match action:
        case BranchAction():
            return _take_arm(action, scope)
        case SwitchAction():
            return _take_case(action, scope)
        case SetAction():
            return resolve(action.values, scope)
        case FailAction():
            return Failure("fail", resolve_text(action.message, scope))
        case _:
            raise AssertionError(action)


def _take_arm(action: BranchAction, scope: Mapping[str, Any]) -> Json:
    for number, arm in enumerate(action.arms, start=1):
        if arm.condition is None or evaluate_condition(arm.condition, scope):
            return {"arm": number, "chosen": list(arm.tasks)}
    return {"arm": None, "chosen": []}


def _take_case(action: SwitchAction, scope: Mapping[str, Any]) -> Json | Failure:
    value = evaluate(action.value, scope)
    for case, tasks in action.cases:
        if type(case) is type(value) and case == value:
            return {"chosen": list(tasks)}
    if action.default is None:
        return Failure("no_match", f"no case for `{value}`")
    return {"chosen": list(action.default)}


def _begin_wait(d: Decision, name: str, action: WaitAction) -> None:
    task = d.run.tasks[name]
    try:
        scope = task_scope(d.plan, d.run, name)
        due = _wait_until(action, scope, d.now)
    except EvaluationError as problem:
        conclude(d, name, Failure("expression", f"`wait`: {problem}"))
        return
    d.emit(AttemptStarted(d.now, name, None, task.round, 1, due=due))


def _wait_until(action: WaitAction, scope: Mapping[str, Any], now: datetime) -> datetime:
    if action.duration is not None:
        return now + _duration(resolve(action.duration, scope))
    if action.until is None:
        raise AssertionError(action)
    return max(now, _instant(resolve(action.until, scope)))


def _duration(value: Json) -> timedelta:
    found = parse_duration(value) if isinstance(value, str) else None
    if found is None:
        raise EvaluationError(f"`{value}` is not a duration such as `90s`")
    return found


def _instant(value: Json) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
        if found is not None and found.tzinfo is not None:
            return found.astimezone(UTC)
    except (ValueError, OverflowError):  # at the ends of the calendar an offset leads out of it
        found = None
    raise EvaluationError(f"`{value}` is not an instant with an offset such as `2026-01-02T03:04:05Z`")


# --- items --------------------------------------------------------------------------------------------------------------


def expand(d: Decision, name: str, spec: FanOut) -> None:
    """Turn the task into items, or end it at once when there are none, too many, or they cannot be had."""
    scope = task_scope(d.plan, d.run, name)
    try:
        keys, items = make_items(spec, scope)
        room = d.plan.fan_out_items - d.run.fanned_out
        if len(items) > room:
            raise TooManyItems(len(items), room)
    except TooManyItems as problem:
        conclude(d, name, Failure("too_many_items", str(problem)))
    except EvaluationError as problem:
        conclude(d, name, Failure("expression", f"`fan_out`: {problem}"))
    else:
        _begin_items(d, name, spec, keys, items)


def _begin_items(d: Decision, name: str, spec: FanOut, keys: tuple[str, ...], items: tuple[Json, ...]) -> None:
    if not items and spec.on_empty == "skip":
        d.emit(TaskSkipped(d.now, name, "it has no items"))
    elif not items and spec.on_empty == "fail":
        conclude(d, name, Failure("no_items", "it has no items"))
    elif not items:
        d.emit(FannedOut(d.now, name, (), ()))
        conclude(d, name, None)
    else:
        d.emit(FannedOut(d.now, name, keys, items))
        if is_immediate(d.plan.tasks[name]):
            _carry_out_all(d, name, len(items))


def _carry_out_all(d: Decision, name: str, count: int) -> None:
    task, round_ = d.run.tasks[name], d.run.tasks[name].round
    for index in range(count):
        if task.unit(index).state is not S.QUEUED:  # cancelled, since an earlier one has failed
            continue
        d.emit(AttemptStarted(d.now, name, index, round_, 1))
        carry_out(d, name, index)
