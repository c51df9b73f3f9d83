"""Where the things of a flow are defined and used: for going to a definition, finding references and renaming."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal

from msgspec import Struct

from specs.context import FlowContext, Path
from specs.diagnostics import Edit, Place
from specs.expressions.analysis import Read
from specs.expressions.references import Reference, references
from specs.expressions.report import place_of
from specs.graph import FlowGraph
from specs.model.flow import HooksSpec
from specs.model.task import TaskSpec
from specs.model.values import ID_PATTERN
from specs.places import MergedPlaces

Kind = Literal["task", "param", "secret", "template", "pool", "connector"]
_ROOTS: dict[str, Kind] = {"tasks": "task", "params": "param", "secrets": "secret"}


class Symbol(Struct, frozen=True):
    """A thing with a name; `hook` is the kind of hook a task is of."""

    kind: Kind
    name: str
    hook: str = ""


class Occurrence(Struct, frozen=True):
    """A place at which a symbol is named. `is_definition` where it is the key that defines it."""

    symbol: Symbol
    place: Place
    is_definition: bool = False


class CannotRename(Exception):
    """A symbol cannot be renamed as asked; the message says why."""


def occurrences(context: FlowContext) -> list[Occurrence]:
    """Every place of a flow, and of the libraries it includes, that names something of it."""
    return [*_definitions(context), *_in_tasks(context), *_in_expressions(context), *_elsewhere(context)]


def at(found: list[Occurrence], offset: int, file: str) -> Occurrence | None:
    """The occurrence at an offset of a file, also just behind its last character."""
    touching = (one for one in found if one.place.source.name == file and one.place.start <= offset <= one.place.end)
    return min(touching, key=lambda one: one.place.end - one.place.start, default=None)


def of_symbol(found: list[Occurrence], symbol: Symbol) -> list[Occurrence]:
    """All occurrences of a symbol, each place once, in source order."""
    places = {(one.place.source.name, one.place.start): one for one in found if one.symbol == symbol}
    return [places[key] for key in sorted(places)]


def rename(context: FlowContext, symbol: Symbol, new: str) -> list[Edit]:
    """The edits that give a task another id, at its definition and everywhere it is used.

    Raises:
        CannotRename: with the reason.
    """
    if symbol.kind != "task":
        raise CannotRename(f"a {symbol.kind} cannot be renamed here, only a task")
    if not re.fullmatch(ID_PATTERN, new):
        raise CannotRename(f"`{new}` is not an id: a lower-case letter, then letters, digits and `_`, at most 63")
    if new in context.flow.tasks or new in _hook_tasks(context, symbol.hook):
        raise CannotRename(f"there is a task `{new}` already")
    edits = []
    for one in of_symbol(occurrences(context), symbol):
        place = unquoted(one.place)
        if place.source.text[place.start : place.end] != symbol.name:
            line = place.source.position(place.start)[0]
            raise CannotRename(f"`{symbol.name}` is named by an alias or an escape in line {line}; write it out first")
        edits.append(Edit(place, new))
    return edits


def _hook_tasks(context: FlowContext, hook: str) -> dict[str, TaskSpec]:
    return getattr(context.flow.hooks, hook) if hook else {}


def unquoted(place: Place) -> Place:
    """The place of a name without the quotes around it."""
    text = place.source.text
    quoted = text[place.start : place.start + 1] in ("'", '"') and place.end - place.start > 1
    return Place(place.source, place.start + 1, place.end - 1) if quoted else place


# --- definitions ------------------------------------------------------------------------------------------------------


def _definitions(context: FlowContext) -> Iterator[Occurrence]:
    flow = context.flow
    for section, kind in (("params", "param"), ("secrets", "secret"), ("pools", "pool"), ("connectors", "connector")):
        for name in getattr(flow, section):
            yield _defined(context, Symbol(kind, name), (section, name))  # type: ignore[arg-type]  # the kinds are listed here
    for name in flow.tasks:
        yield _defined(context, Symbol("task", name), ("tasks", name))
    for hook in HooksSpec.model_fields:
        for name in getattr(flow.hooks, hook):
            yield _defined(context, Symbol("task", name, hook), ("hooks", hook, name))
    if isinstance(context.places, MergedPlaces):
        for name, layer in context.places.inheritance.templates.items():
            yield Occurrence(Symbol("template", name), layer.document.place(layer.path, key=True), is_definition=True)


def _defined(context: FlowContext, symbol: Symbol, path: Path) -> Occurrence:
    return Occurrence(symbol, context.places.place(path, key=True), is_definition=True)


# --- uses -------------------------------------------------------------------------------------------------------------


def _in_tasks(context: FlowContext) -> Iterator[Occurrence]:
    for graph in context.graphs:
        hook = str(graph.prefix[1]) if len(graph.prefix) > 1 else ""
        for link in (*graph.links, *graph.unknown, *graph.own):
            if link.kind != "recovery":
                yield Occurrence(Symbol("task", link.named, hook), context.places.place(link.path))
        for name, task in graph.tasks.items():
            yield from _named_by(context, (*graph.prefix, name), task, hook)


def _named_by(context: FlowContext, path: Path, task: TaskSpec, hook: str) -> Iterator[Occurrence]:
    """What a task names besides its edges."""
    place = context.places.place
    if task.retry_upstream is not None:
        for index, name in enumerate(task.retry_upstream.tasks):
            yield Occurrence(Symbol("task", name, hook), place((*path, "retry_upstream", "tasks", index)))
    if task.extends is not None:
        yield Occurrence(Symbol("template", task.extends), place((*path, "extends")))
    if isinstance(task.pool, str):
        yield Occurrence(Symbol("pool", task.pool), place((*path, "pool")))
    for name in task.pool if isinstance(task.pool, dict) else ():
        yield Occurrence(Symbol("pool", name), place((*path, "pool", name), key=True))
    if task.use is not None and task.use.partition(".")[0] in context.flow.connectors:
        name, whole = task.use.partition(".")[0], unquoted(place((*path, "use")))
        yield Occurrence(Symbol("connector", name), Place(whole.source, whole.start, whole.start + len(name)))


def _in_expressions(context: FlowContext) -> Iterator[Occurrence]:
    graphs = {str(graph.prefix[1]) if len(graph.prefix) > 1 else "": graph for graph in context.graphs}
    for read in context.expressions.reads:
        for part in read.parts:
            for reference in references(part.expression):
                kind = _ROOTS.get(reference.root)
                if kind is None or not reference.keys:
                    continue
                start, end = reference.spans[1]
                place = place_of(context, read.use, (part.offset + start, part.offset + end))
                if place is not None:
                    hook = _hook_of(graphs, read, reference)
                    yield Occurrence(Symbol(kind, reference.keys[0], hook if kind == "task" else ""), place)


def _hook_of(graphs: dict[str, FlowGraph], read: Read, reference: Reference) -> str:
    """In a hook its own tasks stand before those of the flow."""
    hook = read.use.reader.hook
    return hook if hook in graphs and reference.keys[0] in graphs[hook].tasks else ""


def _elsewhere(context: FlowContext) -> Iterator[Occurrence]:
    for name, trigger in context.flow.triggers.items():
        for param in trigger.params:
            place = context.places.place(("triggers", name, "params", param), key=True)
            yield Occurrence(Symbol("param", param), place)
        if trigger.webhook is not None and trigger.webhook.signature is not None:
            path: tuple[Any, ...] = ("triggers", name, "webhook", "signature", "secret")
            yield Occurrence(Symbol("secret", trigger.webhook.signature.secret), context.places.place(path))
        if trigger.queue is not None:
            place = context.places.place(("triggers", name, "queue", "connector"))
            yield Occurrence(Symbol("connector", trigger.queue.connector), place)
