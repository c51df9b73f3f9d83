"""A task's action and inputs as their author wrote them, shortened to what fits a line; nothing is evaluated."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import assert_never

from engine.drawing.labels import clean
from engine.forecast.model import Input
from engine.plan import (
    ATTEMPT_ACTIONS,
    Action,
    BranchAction,
    CallAction,
    ExecAction,
    FailAction,
    FlowAction,
    Plan,
    PlanTask,
    RunAction,
    SetAction,
    SwitchAction,
    UseAction,
    WaitAction,
)
from specs.expressions import CompiledValue, Fixed, ListValue, MapValue, Template

_SPACE = re.compile(r"\s")
SUMMARY_LENGTH = 160
VALUE_LENGTH = 200
DEEPEST = 12


def summary(action: Action) -> str:
    """One line of what will run."""
    return clean(_summary(action), SUMMARY_LENGTH)


def _summary(action: Action) -> str:
    match action:
        case RunAction():
            return _script(action)
        case ExecAction():
            return " ".join(_argument(part) for part in action.arguments)
        case CallAction():
            return f"{action.target}()"
        case UseAction():
            target = _field(action.arguments, "url") or _field(action.arguments, "path")
            return f"{action.type}.{action.action}" + (f" {target}" if target else "")
        case FlowAction():
            return action.flow
        case BranchAction():
            return " / ".join(
                f"{'else' if arm.condition is None else arm.condition.text} -> {', '.join(arm.tasks)}"
                for arm in action.arms
            )
        case SwitchAction():
            default = () if action.default is None else (("default", action.default),)
            arms = (f"{case} -> {', '.join(tasks)}" for case, tasks in (*action.cases, *default))
            return f"{action.value.text}: {' / '.join(arms)}"
        case SetAction():
            return value_text(action.values)
        case FailAction():
            return value_text(action.message)
        case WaitAction():
            return f"for {value_text(action.duration)}" if action.duration else f"until {value_text(action.until)}"
    assert_never(action)


def _script(action: RunAction) -> str:
    """The first line that does something, and how many there are."""
    lines = [line.strip() for line in action.script[:20_000].splitlines()]
    telling = [line for line in lines if line and not line.startswith("#")] or [""]
    return telling[0] if len(telling) == 1 else f"{clean(telling[0], SUMMARY_LENGTH - 20)} (+{len(telling) - 1} lines)"


def _argument(part: CompiledValue) -> str:
    """An argument, in quotes where its end would not be seen."""
    text = value_text(part)
    return text if text and _SPACE.search(text.replace("${{ ", "")) is None else _quoted(text)


def _quoted(text: str) -> str:
    return text if text.startswith("${{") and text.endswith("}}") else json.dumps(text, ensure_ascii=False)


def _field(value: CompiledValue, name: str) -> str | None:
    """One field of a map of arguments as written, `None` when it is not there."""
    if isinstance(value, MapValue):
        return next((value_text(inner) for key, inner in value.entries if key == name), None)
    if isinstance(value, Fixed) and isinstance(value.value, dict) and name in value.value:
        return str(value.value[name])
    return None


def value_text(value: CompiledValue | None) -> str:
    """A value as written, on one line; what is nested too deep or too long is `…`."""
    return clean(_text(value, DEEPEST), VALUE_LENGTH)


def _text(value: CompiledValue | None, depth: int) -> str:
    if depth == 0:
        return "…"
    match value:
        case None:
            return ""
        case Template():
            return value.text
        case ListValue():
            return "[" + ", ".join(_text(element, depth - 1) for element in value.elements[:50]) + "]"
        case MapValue():
            return "{" + ", ".join(f"{key}: {_text(inner, depth - 1)}" for key, inner in value.entries[:50]) + "}"
        case Fixed():
            return value.text if value.text is not None else _json(value.value)
    assert_never(value)


def _json(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (ValueError, RecursionError):  # nested deeper than anybody reads
        return "…"


def inputs(plan: Plan, task: PlanTask) -> Iterator[Input]:
    """Every value the task is given, in the order flow env, env, with, workdir."""
    if isinstance(task.action, ATTEMPT_ACTIONS):
        yield from _entries("flow env", plan.env)
    yield from _entries("env", task.env)
    if isinstance(task.action, CallAction | UseAction | FlowAction):
        yield from _entries("with", task.action.arguments)
    if task.workdir is not None:
        yield Input("workdir", "", value_text(task.workdir))


def _entries(place: str, value: CompiledValue | None) -> Iterator[Input]:
    if isinstance(value, MapValue):
        yield from (Input(place, key, value_text(inner)) for key, inner in value.entries)
    elif isinstance(value, Fixed) and isinstance(value.value, dict):
        yield from (Input(place, str(key), clean(_scalar(inner), VALUE_LENGTH)) for key, inner in value.value.items())


def _scalar(value: object) -> str:
    return value if isinstance(value, str) else _json(value)
