"""Actions and fan-outs: texts become expressions and templates, once, when the flow is compiled."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

from engine.deciding.items import MOST_COMBINATIONS, covers
from engine.outcomes import Json
from engine.plan import (
    Action,
    Arm,
    BranchAction,
    CallAction,
    ExecAction,
    FailAction,
    FanOut,
    FlowAction,
    RunAction,
    SetAction,
    SwitchAction,
    UseAction,
    WaitAction,
)
from specs.expressions import compile_value, parse
from specs.expressions.nodes import Expression
from specs.expressions.values import CompiledValue, Fixed, MapValue
from specs.model import FlowSpec
from specs.model.parts import BranchArm, FanOutSpec, SwitchSpec, WaitSpec
from specs.model.task import TaskSpec, UndoSpec


def bare(text: object) -> Expression:
    """An expression of a place that takes it without braces; YAML's `true`, `false` and numbers are expressions, too."""
    return parse(str(text).lower() if isinstance(text, bool) else str(text))


def compile_map(values: Mapping[str, Any]) -> MapValue:
    """A map whose entries are resolved one by one, each in the form its place wants."""
    return MapValue(tuple((name, compile_value(value)) for name, value in values.items()))


def compile_action(task: TaskSpec | UndoSpec, flow: FlowSpec) -> Action:
    """The one action of a checked task."""
    codes = frozenset(getattr(task, "success_codes", None) or (0,))
    if task.run is not None:
        shell = getattr(task, "shell", None) or "sh"
        return RunAction(task.run, shell if isinstance(shell, str) else tuple(shell), codes)
    if task.exec is not None:
        return ExecAction(tuple(compile_value(argument) for argument in task.exec), codes)
    if task.call is not None:
        return CallAction(task.call, compile_map(task.with_))
    if task.use is not None:
        return _use(task.use, task.with_, flow)
    if task.flow is not None:
        return FlowAction(task.flow, compile_map(task.with_))
    if isinstance(task, TaskSpec):
        return _without_process(task)
    raise AssertionError(task)


def _use(use: str, arguments: Mapping[str, Any], flow: FlowSpec) -> UseAction:
    target, _, action = use.rpartition(".")
    connector = flow.connectors.get(target)
    if connector is None:
        return UseAction(target, action, MapValue(()), compile_map(arguments))
    return UseAction(connector.type, action, compile_map(connector.with_), compile_map(arguments))


def _without_process(task: TaskSpec) -> Action:
    if task.branch is not None:
        return BranchAction(tuple(_arm(arm) for arm in task.branch))
    if task.switch is not None:
        return _switch(task.switch)
    if task.set is not None:
        return SetAction(compile_map(task.set))
    if task.fail is not None:
        return FailAction(compile_value(task.fail))
    if task.wait is not None:
        return _wait(task.wait)
    raise AssertionError(task)


def _arm(arm: BranchArm) -> Arm:
    if arm.otherwise is not None:
        return Arm(None, tuple(arm.otherwise))
    return Arm(bare(arm.condition), tuple(arm.then or ()))


def _switch(spec: SwitchSpec) -> SwitchAction:
    cases = tuple((case, tuple(tasks)) for case, tasks in spec.cases.items())
    return SwitchAction(bare(spec.value), cases, None if spec.default is None else tuple(spec.default))


def _wait(spec: WaitSpec) -> WaitAction:
    duration = None if spec.duration is None else compile_value(spec.duration)
    return WaitAction(duration, None if spec.until is None else compile_value(spec.until))


# --- fan-out ------------------------------------------------------------------------------------------------------------


def compile_fan_out(spec: FanOutSpec) -> FanOut:
    """A fan-out; a list or a matrix of literals alone is multiplied out here, so that pictures can show it."""
    tolerate, percent = _tolerate(spec.tolerate)
    axes = tuple((name, _source(axis)) for name, axis in (spec.matrix or {}).items())
    exclude = tuple(compile_value(entry) for entry in spec.exclude)
    include = tuple(compile_value(entry) for entry in spec.include)
    items = _source(spec.items) if spec.items is not None else None
    literal = _literal(items, axes, exclude, include)
    return FanOut(
        items=None if literal is not None else items,
        literal=literal,
        axes=() if literal is not None else axes,
        exclude=() if literal is not None else exclude,
        include=() if literal is not None else include,
        where=None if spec.where is None else bare(spec.where),
        key=None if spec.key is None else bare(spec.key),
        batch=spec.batch,
        max_items=spec.max_items,
        max_parallel=spec.max_parallel,
        tolerate=tolerate,
        tolerate_percent=percent,
        fail_fast=spec.fail_fast,
        on_empty=spec.on_empty,
    )


def _source(value: Any) -> Expression | CompiledValue:
    return compile_value(value) if isinstance(value, list) else bare(value)


def _tolerate(value: int | str) -> tuple[int, float | None]:
    return (value, None) if isinstance(value, int) else (0, float(value.rstrip("%")))


def _literal(
    items: Expression | CompiledValue | None,
    axes: tuple[tuple[str, Expression | CompiledValue], ...],
    exclude: tuple[CompiledValue, ...],
    include: tuple[CompiledValue, ...],
) -> tuple[Json, ...] | None:
    """The items, when all of them are known now."""
    if items is not None:
        return tuple(items.value) if isinstance(items, Fixed) else None
    values = {name: axis.value for name, axis in axes if isinstance(axis, Fixed)}
    fixed = [entry.value for entry in exclude if isinstance(entry, Fixed)]
    added = [entry.value for entry in include if isinstance(entry, Fixed)]
    if len(values) < len(axes) or len(fixed) < len(exclude) or len(added) < len(include):
        return None
    size = 1
    for axis_values in values.values():
        size *= len(axis_values)
    if size > MOST_COMBINATIONS:
        return None
    combinations = (
        [dict(zip(values, chosen, strict=True)) for chosen in itertools.product(*values.values())] if axes else []
    )
    kept = [one for one in combinations if not any(covers(entry, one) for entry in fixed)]
    return (*kept, *added)
