"""Parts of the language that this engine does not honour yet (FLOW190), from one table that shrinks as it grows.

What a flow asks for and would silently not get is worse than a refusal: fields marked `blocks_run` make `run` refuse.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct
from msgspec.structs import replace
from pydantic import BaseModel

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Severity
from specs.graph import FlowGraph

When = Literal["used", "written"]


class Field(Struct, frozen=True):
    """A field that is not honoured.

    Attributes:
        path: keys from the top of the file; `*` is any name. `tasks` stands for tasks of hooks too.
        shown: how messages call it.
        blocks_run: whether `run` refuses a flow that has it.
        when: `used` is any value but the default, `written` any value at all.
        values: the values it is about, none for all.
    """

    path: tuple[str, ...]
    shown: str
    blocks_run: bool = True
    when: When = "used"
    values: tuple[str, ...] = ()


NOT_HONOURED: tuple[Field, ...] = (
    Field(("tasks", "*", "approval"), "`approval`"),
    Field(("tasks", "*", "wait", "signal"), "`wait.signal`"),
    Field(("tasks", "*", "use"), "`use: notify.send`", values=("notify.send",)),
    Field(("tasks", "*", "retry", "retry_after"), "`retry_after: pool`", values=("pool",)),
    Field(("tasks", "*", "service"), "`service`"),
    Field(("tasks", "*", "ready"), "`ready`"),
    Field(("tasks", "*", "health"), "`health`"),
    Field(("tasks", "*", "lock"), "`lock`"),
    Field(("tasks", "*", "pool"), "`pool`"),
    Field(("tasks", "*", "worker"), "`worker`"),
    Field(("tasks", "*", "resources"), "`resources`"),
    Field(("tasks", "*", "preemptible"), "`preemptible`"),
    Field(("tasks", "*", "dead_letter"), "`dead_letter`"),
    Field(("tasks", "*", "artifacts"), "`artifacts`"),
    Field(("dedup",), "`dedup`"),
    Field(("concurrency", "runs"), "`concurrency.runs`", when="written"),
    Field(("concurrency", "key"), "`concurrency.key`", when="written"),
    Field(("concurrency", "when_busy"), "`concurrency.when_busy`", when="written"),
    Field(("concurrency", "max_queued"), "`concurrency.max_queued`", when="written"),
    Field(("concurrency", "wait"), "`concurrency.wait`", when="written"),
    Field(("pools", "*", "rate"), "`rate` of a pool"),
    Field(("hours",), "`hours`", blocks_run=False),
    Field(("sla",), "`sla`", blocks_run=False),
    Field(("notify",), "`notify`", blocks_run=False),
    Field(("triggers",), "`triggers`", blocks_run=False),
)


def not_honoured(context: FlowContext) -> Iterator[Diagnostic]:
    """One finding for each use of what the engine does not honour; what many tasks inherit is told of once."""
    told: set[tuple[str, int, str]] = set()
    for path, field in _uses(context):
        place = context.places.place(path, key=True)
        mark = (place.source.name, place.start, field.shown)
        if mark not in told:
            told.add(mark)
            yield context.finding(
                "FLOW190",
                path,
                f"{field.shown} is part of the language, but this engine does not honour it yet",
                place=place,
                help="`flowctl run` refuses this flow until then" if field.blocks_run else None,
            )


def blocking(context: FlowContext) -> tuple[Diagnostic, ...]:
    """The findings, as errors, for which `run` refuses the flow; those of the flows it calls included."""
    found = [replace(one, severity=Severity.ERROR) for one in not_honoured(context) if one.help is not None]
    seen = {context.name}
    waiting = [child for child in context.children.values() if child is not None]
    while waiting:
        child = waiting.pop()
        if child.name not in seen:
            seen.add(child.name)
            found += [replace(one, severity=Severity.ERROR) for one in not_honoured(child) if one.help is not None]
            waiting += [inner for inner in child.children.values() if inner is not None]
    return tuple(found)


def _uses(context: FlowContext) -> Iterator[tuple[Path, Field]]:
    for field in NOT_HONOURED:
        if field.path[0] == "tasks":
            for graph in context.graphs:
                yield from _in_tasks(graph, field)
        else:
            yield from _below(context.flow, field, field.path, ())


def _in_tasks(graph: FlowGraph, field: Field) -> Iterator[tuple[Path, Field]]:
    for task, spec in graph.having(field.path[2]):
        yield from _below(spec, field, field.path[2:], (*graph.prefix, task))


def _below(part: BaseModel, field: Field, keys: tuple[str, ...], path: Path) -> Iterator[tuple[Path, Field]]:
    """Where the field is used below `part`, a map of the model at `path`."""
    key, *rest = keys
    if key not in part.model_fields_set:
        return
    value = getattr(part, key)
    here = (*path, key)
    if rest and rest[0] == "*":
        for name, inner in value.items():
            yield from _below(inner, field, tuple(rest[1:]), (*here, name))
    elif rest:
        if isinstance(value, BaseModel):
            yield from _below(value, field, tuple(rest), here)
    elif field.when == "written" or _is_used(type(part), key, value, field):
        yield here, field


def _is_used(model: type[BaseModel], key: str, value: Any, field: Field) -> bool:
    if field.values:
        return value in field.values
    return bool(value != model.model_fields[key].get_default(call_default_factory=True))


RULES: tuple[Rule, ...] = (not_honoured,)
