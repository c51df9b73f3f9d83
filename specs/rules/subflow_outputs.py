"""What is read of a called flow is one of its outputs (FLOW256)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Place
from specs.expressions.errors import ExpressionError
from specs.expressions.nodes import Expression
from specs.expressions.references import Reference, references
from specs.model import FlowSpec
from specs.suggest import did_you_mean

_BARE = {"until": "repeat", "where": "fan_out", "key": "fan_out", "items": "fan_out", "value": "switch"}
_LITERAL = ("run", "description")


def unknown_output(context: FlowContext) -> Iterator[Diagnostic]:
    """Every `tasks.t.output.o` of a task that calls a flow names an output of that flow."""
    called = _called(context)
    if not called:
        return
    for path, text in _texts(context.flow):
        for offset, expression in _expressions(path, text):
            for read in references(expression):
                if _is_unknown(read, called):
                    yield _unknown(context, path, offset, read, called[read.keys[0]])


def _called(context: FlowContext) -> dict[str, tuple[str, FlowSpec]]:
    found = {}
    for task, spec in context.flow.tasks.items():
        child = context.children.get(spec.flow) if spec.flow is not None else None
        if spec.flow is not None and child is not None and spec.fan_out is None:
            found[task] = (spec.flow, child.flow)
    return found


def _is_unknown(read: Reference, called: Mapping[str, tuple[str, FlowSpec]]) -> bool:
    if read.root != "tasks" or len(read.keys) < 3 or read.keys[1] != "output":
        return False
    return read.keys[0] in called and read.keys[2] not in called[read.keys[0]][1].outputs


def _unknown(
    context: FlowContext, path: Path, offset: int, read: Reference, called: tuple[str, FlowSpec]
) -> Diagnostic:
    name, (flow, spec) = read.keys[2], called
    place = context.places.place(path)
    start = context.places.scalar_offset(path, offset + read.spans[3][0])
    return context.finding(
        "FLOW256",
        path,
        f"`{flow}` has no output `{name}`",
        place=place if start is None else Place(place.source, start, start + len(name)),
        help=did_you_mean(name, spec.outputs) or "it declares no `outputs`",
    )


def _expressions(path: Path, text: str) -> Iterator[tuple[int, Expression]]:
    """The expressions of a text with their offsets; none of what is not an expression at all, which others report."""
    from specs.expressions.parse import parse  # brings the parser's library: only for a flow that reads what it calls
    from specs.expressions.templates import parse_template

    try:
        if "${{" in text:
            template = parse_template(text)
            found = (part for part in template.parts if isinstance(part, Expression))
            yield from zip(template.offsets, found, strict=True)
        elif _is_bare(path):
            yield 0, parse(text)
    except ExpressionError:
        return


def _is_bare(path: Path) -> bool:
    return path[-1] == "if" or path[-2] in ("matrix", _BARE.get(str(path[-1])))


def _texts(flow: FlowSpec) -> Iterator[tuple[Path, str]]:
    """Every text of a flow that mentions a task, with its path."""
    parts = flow.model_dump(by_alias=True, include={"tasks", "hooks", "outputs"}, exclude_defaults=True)
    level: list[tuple[Path, Any]] = [((key,), value) for key, value in parts.items()]
    while level:
        following: list[tuple[Path, Any]] = []
        for path, value in level:
            if isinstance(value, str):
                if "tasks." in value and path[-1] not in _LITERAL:
                    yield path, value
            elif isinstance(value, Mapping):
                following += [((*path, key), inner) for key, inner in value.items()]
            elif isinstance(value, list | tuple):
                following += [((*path, index), inner) for index, inner in enumerate(value)]
        level = following


RULES: tuple[Rule, ...] = (unknown_output,)
