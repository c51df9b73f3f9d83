"""One task, many items: making them, and ending the task when they have ended (`LANGUAGE.md` 7)."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.deciding.decision import Decision
from engine.deciding.tasks import cancel_unit, carry_out, conclude, is_immediate
from engine.events import AttemptStarted, FannedOut, TaskCancelled, TaskFailed, TaskSkipped
from engine.outcomes import Failure, Json
from engine.plan import FanOut
from engine.run import TaskRun
from engine.scope import item_scope, task_scope
from engine.states import TaskState
from specs.expressions import EvaluationError, evaluate, evaluate_condition, resolve
from specs.expressions.nodes import Expression

S = TaskState
MOST_COMBINATIONS = 100_000
"""The hard limit of `max_items`: what a product of axes or a list may hold before `where` looks at it."""


class TooManyItems(Exception):
    """More items than the flow, or the engine, allows."""

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(f"{found} items, at most {limit} are allowed")


def expand(d: Decision, name: str, spec: FanOut) -> None:
    """Turn the task into items, or end it at once when there are none, too many, or they cannot be had."""
    scope = task_scope(d.plan, d.run, name)
    try:
        keys, items = make_items(spec, scope)
        room = d.plan.fan_out_items - d.run.fanned_out
        if len(items) > room:
            raise TooManyItems(len(items), room)
    except TooManyItems as problem:
        d.emit(TaskFailed(d.now, name, Failure("too_many_items", str(problem))))
    except EvaluationError as problem:
        d.emit(TaskFailed(d.now, name, Failure("expression", f"`fan_out`: {problem}")))
    else:
        _begin_items(d, name, spec, keys, items)


def _begin_items(d: Decision, name: str, spec: FanOut, keys: tuple[str, ...], items: tuple[Json, ...]) -> None:
    if not items and spec.on_empty == "skip":
        d.emit(TaskSkipped(d.now, name, "it has no items"))
    elif not items and spec.on_empty == "fail":
        d.emit(TaskFailed(d.now, name, Failure("no_items", "it has no items")))
    elif not items:
        d.emit(FannedOut(d.now, name, (), ()))
        conclude(d, name, None)
    else:
        d.emit(FannedOut(d.now, name, keys, items))
        if is_immediate(d.plan.tasks[name]):
            _carry_out_all(d, name, len(items))


def _carry_out_all(d: Decision, name: str, count: int) -> None:
    round_ = d.run.tasks[name].round
    for index in range(count):
        d.emit(AttemptStarted(d.now, name, index, round_, 1))
        carry_out(d, name, index)


# --- the items ----------------------------------------------------------------------------------------------------------


def make_items(spec: FanOut, scope: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Json, ...]]:
    """Keys and items, in order, after `exclude`, `include`, `where` and `batch`.

    Raises:
        TooManyItems: more than `max_items` are left after `where`, or more than 100,000 before it.
        EvaluationError: an expression fails, yields no list, or a key occurs twice.
    """
    kept = [item for item in _candidates(spec, scope) if _wanted(spec, item, scope)]
    if len(kept) > spec.max_items:
        raise TooManyItems(len(kept), spec.max_items)
    if spec.batch > 1:
        kept = [list(chunk) for chunk in _batches(kept, spec.batch)]
    return _keys(spec, kept, scope), tuple(kept)


def _candidates(spec: FanOut, scope: Mapping[str, Any]) -> list[Json]:
    if spec.literal is not None:
        found: list[Json] = list(spec.literal)
    elif spec.items is not None:
        found = _list(spec.items, scope, "items")
    else:
        found = list(_combinations(spec, scope))
    if len(found) > MOST_COMBINATIONS:
        raise TooManyItems(len(found), MOST_COMBINATIONS)
    return found


def _list(expression: Expression, scope: Mapping[str, Any], what: str) -> list[Json]:
    value = evaluate(expression, scope)
    if not isinstance(value, list):
        raise EvaluationError(f"`{what}` must be a list, `{expression.text}` is not")
    return value


def _combinations(spec: FanOut, scope: Mapping[str, Any]) -> Iterator[Json]:
    """The product of the axes in key order without what `exclude` matches, then what `include` adds."""
    axes = {
        name: _list(axis, scope, name) if isinstance(axis, Expression) else list(axis) for name, axis in spec.axes
    }
    size = 1
    for values in axes.values():
        size *= len(values)
    if size > MOST_COMBINATIONS:
        raise TooManyItems(size, MOST_COMBINATIONS)
    excluded = [resolve(entry, scope) for entry in spec.exclude]
    if axes:
        for values in itertools.product(*axes.values()):
            combination = dict(zip(axes, values, strict=True))
            if not any(_covers(entry, combination) for entry in excluded):
                yield combination
    for entry in spec.include:
        yield resolve(entry, scope)


def _covers(entry: Json, combination: Mapping[str, Json]) -> bool:
    if not isinstance(entry, dict):
        return False
    return all(key in combination and combination[key] == value for key, value in entry.items())


def _wanted(spec: FanOut, item: Json, scope: Mapping[str, Any]) -> bool:
    return spec.where is None or evaluate_condition(spec.where, {**scope, "item": item})


def _batches(items: list[Json], size: int) -> Iterator[list[Json]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _keys(spec: FanOut, items: Iterable[Json], scope: Mapping[str, Any]) -> tuple[str, ...]:
    if spec.key is None:
        return tuple(str(index) for index, _ in enumerate(items))
    keys: dict[str, None] = {}
    for index, item in enumerate(items):
        value = evaluate(spec.key, {**scope, **item_scope(item, index, "")})
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise EvaluationError(f"`key` must be a text or a number, `{spec.key.text}` of item {index} is not")
        if str(value) in keys:
            raise EvaluationError(f"`key` must be unique, `{value}` occurs twice")
        keys[str(value)] = None
    return tuple(keys)


# --- the end ------------------------------------------------------------------------------------------------------------


def tolerates(spec: FanOut, failed: int, total: int) -> bool:
    """Whether `failed` of `total` items may fail and the task still succeed."""
    if spec.tolerate_percent is not None:
        return failed * 100 <= spec.tolerate_percent * total
    return failed <= spec.tolerate


def after_item(d: Decision, name: str) -> None:
    """An item has become final: cancel its siblings when the fan-out fails fast, end the task when it was the last."""
    spec, task = d.task(name)
    fan_out, items = spec.fan_out, task.items
    if fan_out is None or items is None or task.state.is_final:
        return
    exceeded = not tolerates(fan_out, task.failed, len(items))
    if exceeded and fan_out.fail_fast and task.stopping is None:
        for index in range(len(items)):
            cancel_unit(d, name, index, reason="fail_fast")
    if task.active == 0 and not task.state.is_final and task.state is not S.COMPLETING:
        _end(d, name, task, exceeded=exceeded)


def _end(d: Decision, name: str, task: TaskRun, *, exceeded: bool) -> None:
    total = len(task.items or ())
    if task.stopping == "deadline":
        conclude(d, name, Failure("deadline", f"the deadline passed with {task.succeeded} of {total} items done"))
    elif exceeded:
        first = next(item for item in task.items or () if item.state is S.FAILED and item.failure)
        reason = first.failure.message if first.failure else ""
        conclude(d, name, Failure("items", f"{task.failed} of {total} items failed; the first, `{first.key}`: {reason}"))
    elif any(item.state is S.CANCELLED for item in task.items or ()):
        d.emit(TaskCancelled(d.now, name))
    else:
        conclude(d, name, None)
