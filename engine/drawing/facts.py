"""What is worth telling of a task in a picture or a forecast, in words: its size, its conditions, its arms."""

from __future__ import annotations

from collections.abc import Iterator

from engine.plan import BranchAction, FanOut, FlowAction, PlanTask, SwitchAction
from specs.expressions import ListValue


def size_of(task: PlanTask) -> str | None:
    """How many instances a fan-out has as far as the plan tells: `12`, `≤12` when a filter may drop some, or `n`; `None`
    for a task without one. An undo goes through the items that will have succeeded, so their number is not known."""
    fan_out = task.fan_out
    if fan_out is None:
        return None
    length = None if task.id.startswith("undo.") else _length(fan_out)
    if length is None:
        return "n"
    instances = -(-length // max(fan_out.batch, 1))
    return str(instances) if fan_out.where is None else f"≤{instances}"


def _length(fan_out: FanOut) -> int | None:
    if fan_out.literal is not None:
        return len(fan_out.literal)
    return len(fan_out.items.elements) if isinstance(fan_out.items, ListValue) else None


def notes_of(task: PlanTask) -> Iterator[str]:
    """What decides whether the task runs and what its failure means, beside its edges."""
    if task.condition is not None:
        yield f"if {task.condition.text}"
    if task.join != "all":
        yield f"join {task.join}"
    if isinstance(task.action, FlowAction):
        yield f"flow {task.action.flow}"
    if isinstance(task.action, SwitchAction):
        yield f"switch {task.action.value.text}"
    if task.allow_failure:
        yield "failure allowed"
    if task.retry.attempts > 1:
        yield f"{task.retry.attempts} attempts"
    if task.repeat is not None:
        yield f"repeated until {task.repeat.until.text}"


def arm_labels(choice: PlanTask, target: str) -> tuple[str, ...]:
    """What takes `target` in a branch or a switch: conditions, `case "x"`, `else` or `default`, in order."""
    if isinstance(choice.action, BranchAction):
        named = (arm.condition for arm in choice.action.arms if target in arm.tasks)
        return tuple("else" if condition is None else condition.text for condition in named)
    if isinstance(choice.action, SwitchAction):
        cases = [f"case {_case(value)}" for value, tasks in choice.action.cases if target in tasks]
        return (*cases, "default") if target in (choice.action.default or ()) else tuple(cases)
    return ()


def _case(value: str | int | float | bool) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'"{value}"' if isinstance(value, str) else str(value)
