"""Who reads at a path: the names an expression there may use, as types."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from flowctl.lsp.cursor import Path
from specs.context import FlowContext
from specs.expressions.scope import tasks_of
from specs.expressions.types import Type
from specs.expressions.uses import Reader


def roots_at(context: FlowContext, path: Path) -> Mapping[str, Type]:
    """The root names at `path`; names that exist elsewhere only are refusals."""
    reader = reader_at(context, path)
    return context.expressions.scope.roots(reader, str(path[-1]) if path else "")


def reader_at(context: FlowContext, path: Path) -> Reader:
    """Who reads a text at `path`."""
    match path:
        case ("tasks", str(name), *rest):
            return _task_reader(context, Reader("task", name), rest)
        case ("hooks", str(kind), str(name), *rest) if kind in type(context.flow.hooks).model_fields:
            return _task_reader(context, Reader("hook", name, hook=kind), rest)
        case ("triggers", str(name), *_) if name in context.flow.triggers:
            return Reader("trigger", name)
        case ("connectors", str(name), *_):
            return Reader("connector", name)
        case ("env", *_):
            return Reader("env")
        case ("outputs", *_):
            return Reader("outputs")
        case ("notify", *_):
            return Reader("notify")
    return Reader("key")


def _task_reader(context: FlowContext, reader: Reader, rest: list[str | int]) -> Reader:
    task = tasks_of(context.flow, reader.hook).get(reader.task)
    fans_out = task is not None and task.fan_out is not None
    within = replace(reader, item=fans_out)
    match rest:
        case ["if", *_]:
            return replace(reader, stage="if")
        case ["fan_out", "items" | "matrix" | "include" | "exclude", *_]:
            return replace(reader, stage="items")
        case ["fan_out", *_]:
            return replace(reader, item=True)
        case ["repeat", *_]:
            return replace(within, stage="until")
        case ["undo", "env", *_]:
            return replace(within, stage="undo", secret=True)
        case ["undo", *_]:
            return replace(within, stage="undo")
        case ["env", *_]:
            return replace(within, secret=True)
    return within
