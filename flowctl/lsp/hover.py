"""What an editor shows about the thing under the pointer, as Markdown."""

from __future__ import annotations

import re

from msgspec import Struct

from flowctl.explanations import explanation
from flowctl.lsp.cursor import cursor_at
from flowctl.lsp.fields import field_text
from flowctl.lsp.occurrences import Occurrence, at
from specs.codes import CODES
from specs.context import FlowContext
from specs.diagnostics import Diagnostic
from specs.expressions.analysis import Read
from specs.expressions.errors import ExpressionError
from specs.expressions.filters import FILTERS
from specs.expressions.infer import infer
from specs.expressions.nodes import Expression
from specs.expressions.parse import parse
from specs.expressions.references import Reference, references
from specs.expressions.report import place_of
from specs.expressions.scope import tasks_of
from specs.expressions.types import ANY, Type
from specs.scalars import written_form

_WORD = re.compile(r"[\w-]*")
_CODE = re.compile(r"FLOW\d{3}")


class Hover(Struct, frozen=True):
    """A text about what stands from `start` to `end`."""

    text: str
    start: int
    end: int


def hover(text: str, offset: int, context: FlowContext | None, found: list[Occurrence]) -> Hover | None:
    """What there is to say of the place at `offset`; `found` are the occurrences of the flow as it is now."""
    start = offset - len(_word_before(text, offset))
    word = _WORD.match(text, start)
    end = word.end() if word is not None else offset
    name = text[start:end]
    if _CODE.fullmatch(name) and name in CODES:
        return Hover(code_text(name), start, end)
    cursor = cursor_at(text, end)
    if cursor.kind == "key":
        about = field_text((*cursor.path, name)) or _of_named(offset, context, found)
        return Hover(about, start, end) if about else None
    if cursor.expression is not None and name in FILTERS and re.search(r"\|\s*$", text[:start]):
        return Hover(f"**{FILTERS[name].signature}**: filter", start, end)
    if cursor.kind == "literal" or context is None:
        return None
    return _of_expression(offset, context) or _of_value(offset, context, found, (start, end))


def code_text(code: str) -> str:
    """What a code means, with a wrong and a right example where there is one."""
    info, explained = CODES[code], explanation(code)
    parts = [f"**{code}** ({info.severity}, {info.group}): {info.title}"]
    if explained is not None:
        parts.append(explained.text)
        for title, flow in (("Wrong:", explained.wrong), ("Right:", explained.right)):
            parts += [f"{title}\n\n```yaml\n{flow.rstrip()}\n```"] if flow is not None else []
    return "\n\n".join(parts)


def finding_text(finding: Diagnostic) -> str:
    """A finding in an editor: its message, and the way out."""
    return f"{finding.message}\nhelp: {finding.help}" if finding.help else finding.message


def _word_before(text: str, offset: int) -> str:
    at_ = offset
    while at_ > 0 and (text[at_ - 1].isalnum() or text[at_ - 1] in "_-"):
        at_ -= 1
    return text[at_:offset]


# --- names ------------------------------------------------------------------------------------------------------------


def _of_value(offset: int, context: FlowContext, found: list[Occurrence], span: tuple[int, int]) -> Hover | None:
    about = _of_named(offset, context, found)
    return Hover(about, *span) if about else None


def _of_named(offset: int, context: FlowContext | None, found: list[Occurrence]) -> str | None:
    """What is known of the task or parameter that is named at `offset`."""
    if context is None:
        return None
    here = at(found, offset, context.name)
    if here is None:
        return None
    symbol = here.symbol
    if symbol.kind == "task":
        return task_text(context, symbol.name, symbol.hook)
    if symbol.kind == "param":
        return param_text(context, symbol.name)
    if symbol.kind == "secret" and symbol.name in context.flow.secrets:
        return f"**{symbol.name}**: secret from `{context.flow.secrets[symbol.name].source}`"
    if symbol.kind == "pool" and symbol.name in context.flow.pools:
        return f"**{symbol.name}**: pool of {context.flow.pools[symbol.name].slots} slots"
    if symbol.kind == "connector" and symbol.name in context.flow.connectors:
        return f"**{symbol.name}**: connector of type `{context.flow.connectors[symbol.name].type}`"
    return None


def task_text(context: FlowContext, name: str, hook: str = "") -> str | None:
    """A task: its action, what it is for, its outputs."""
    task = tasks_of(context.flow, hook).get(name)
    if task is None:
        return None
    action = task.actions()[0] if task.actions() else "task"
    parts = [f"**{name}**: `{action}`"]
    if task.description:
        parts.append(task.description)
    output = context.expressions.scope.output(task, hook, name)
    if output.fields:
        parts.append("\n".join(f"- `{key}`: {each}" for key, each in output.fields.items()))
    return "\n\n".join(parts)


def param_text(context: FlowContext, name: str) -> str | None:
    """A parameter: its type, default and choices."""
    param = context.flow.params.get(name)
    if param is None:
        return None
    kind = f"list of {param.items}" if param.type == "list" and param.items else param.type
    default = written_form(param.default)
    facts = ["required"] if param.required else [f"default `{default}`"] if default is not None else []
    facts += [f"one of {', '.join(f'`{written_form(choice)}`' for choice in param.choices)}"] if param.choices else []
    head = ", ".join([f"**{name}**: {kind}", *facts])
    return f"{head}\n\n{param.description}" if param.description else head


# --- expressions ------------------------------------------------------------------------------------------------------


def _of_expression(offset: int, context: FlowContext) -> Hover | None:
    """The type of the path under the pointer, up to the key it is on; elsewhere in an expression, that of all of it."""
    for read in context.expressions.reads:
        if context.places.inherited(read.use.path):
            continue
        whole = context.places.place(read.use.path)
        if not whole.start <= offset <= whole.end:
            continue
        for part in read.parts:
            place = place_of(context, read.use, (part.offset, part.offset + len(part.expression.text)))
            if place is not None and place.start <= offset <= place.end:
                return _of_part(offset, context, read, part.expression, part.offset) or Hover(
                    f"{part.inferred.type}", place.start, place.end
                )
    return None


def _of_part(offset: int, context: FlowContext, read: Read, expression: Expression, shift: int) -> Hover | None:
    for reference in references(expression):
        for number, (start, end) in enumerate(reference.spans):
            place = place_of(context, read.use, (shift + start, shift + end))
            if place is not None and place.start <= offset <= place.end:
                return Hover(_path_text(context, read, reference, number), place.start, place.end)
    return None


def _path_text(context: FlowContext, read: Read, reference: Reference, number: int) -> str:
    keys = reference.keys[:number]
    path = ".".join((reference.root, *keys))
    kind = _type_of(context, read, path)
    head = f"**{path}**: {kind}{', may be undefined' if kind.optional else ''}"
    more = None
    if number == 1 and reference.root == "params":
        more = param_text(context, keys[0])
    elif number == 1 and reference.root == "tasks":
        hook = read.use.reader.hook
        more = task_text(context, keys[0], hook) or task_text(context, keys[0])
    return f"{head}\n\n{more}" if more else head


def _type_of(context: FlowContext, read: Read, path: str) -> Type:
    try:
        return infer(parse(path), context.expressions.scope.roots(read.use.reader, read.use.field)).type
    except ExpressionError:  # a key that needs brackets
        return ANY
