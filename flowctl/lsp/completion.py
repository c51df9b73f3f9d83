"""What can be written where the cursor stands: keys, words, names of tasks and of other things, parts of expressions."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from flowctl.lsp.cursor import Cursor, Path
from flowctl.lsp.fields import field_text, keys_of, type_text, values_of
from flowctl.lsp.names import defined_names
from flowctl.lsp.scopes import roots_at
from specs.context import FlowContext
from specs.expressions.filters import FILTERS, TESTS
from specs.expressions.types import Type
from specs.model.task import ACTIONS, EDGE_KEYS
from specs.places import MergedPlaces

Kind = Literal["field", "word", "task", "name", "variable", "filter", "file"]

_PATH = re.compile(r"([A-Za-z_]\w*)((?:\.\w+|\[[^\[\]]*\])*)\.(\w*)$")
_ROOT = re.compile(r"(?:^|[^\w.'\"])([A-Za-z_]\w*)?$")
_FILTER = re.compile(r"\|\s*(\w*)$")
_TEST = re.compile(r"\bis\s+(?:not\s+)?(\w*)$")
_STEP = re.compile(r"\.(\w+)|\[([^\[\]]*)\]")


class Proposal(Struct, frozen=True):
    """A text to write from `start` up to the cursor; `detail` is short, `text` explains it as Markdown."""

    label: str
    insert: str
    start: int
    kind: Kind
    detail: str = ""
    text: str | None = None


class Surroundings(Struct, frozen=True):
    """What is known when something is completed.

    Attributes:
        text: as it stands in the editor.
        context: of the last time the flow could be read, `None` when it never could.
        files: paths of flows of the project from this file, for `flow:`.
    """

    text: str
    context: FlowContext | None
    files: tuple[str, ...] = ()


def completions(cursor: Cursor, around: Surroundings) -> list[Proposal]:
    """Everything that can be written at the cursor, in the order in which it should be offered."""
    if cursor.expression is not None:
        return list(_in_expression(cursor, around))
    if cursor.kind == "key":
        return list(_keys(cursor, around))
    return list(_values(cursor, around)) if cursor.kind == "value" else []


# --- keys -------------------------------------------------------------------------------------------------------------


def _keys(cursor: Cursor, around: Surroundings) -> Iterator[Proposal]:
    for key in keys_of(cursor.path):
        if key in cursor.siblings or (key in ACTIONS and not cursor.siblings.isdisjoint(ACTIONS) and _is_task(cursor)):
            continue
        path = (*cursor.path, key)
        yield Proposal(key, f"{key}: ", cursor.start, "field", type_text(path).replace("`", ""), field_text(path))
    for name, detail in _named_keys(cursor.path, around):
        if name not in cursor.siblings:
            yield Proposal(name, f"{name}: ", cursor.start, "name", detail)


def _is_task(cursor: Cursor) -> bool:
    return cursor.path[-1:] != ("undo",) or len(cursor.path) > 2


def _named_keys(path: Path, around: Surroundings) -> Iterator[tuple[str, str]]:
    """Keys that the flow itself defines: fields of what `with` is given to, parameters that a trigger sets."""
    context = around.context
    if context is None:
        return
    if path[:1] == ("triggers",) and path[-1:] == ("params",):
        for name, param in context.flow.params.items():
            yield name, param.type
    if path[-1:] != ("with",) or path[:1] != ("tasks",) or len(path) != 3:
        return
    task = context.flow.tasks.get(str(path[1]))
    if task is not None and task.flow is not None:
        child = context.children.get(task.flow)
        for name, param in child.flow.params.items() if child is not None else ():
            yield name, param.type
    elif task is not None and task.use is not None and context.catalogue is not None:
        type_name, _, action = task.use.partition(".")
        configured = context.flow.connectors.get(type_name)
        actions = context.catalogue.actions(configured.type if configured else type_name) or {}
        for name, spec in actions[action].fields.items() if action in actions else ():
            yield name, spec.type


# --- values -----------------------------------------------------------------------------------------------------------


def _values(cursor: Cursor, around: Surroundings) -> Iterator[Proposal]:
    quote = cursor.word[:1] if cursor.word[:1] in ("'", '"') else ""
    start = cursor.start + len(quote)
    for word in values_of(cursor.path):
        yield Proposal(word, word, start, "word")
    names, kind = _names(cursor.path, around)
    for name in names:
        yield Proposal(name, name, start, kind)
    if cursor.path[-1] in EDGE_KEYS and not cursor.in_brackets:
        for name in _tasks(cursor.path, around):
            yield Proposal(name, f"[{name}]", start, "task")


def _names(path: Path, around: Surroundings) -> tuple[Iterable[str], Kind]:
    """Names that a value at `path` may be."""
    if _names_a_task(path):
        return _tasks(path, around), "task"
    match path:
        case (*_, "extends"):
            return [name for name in _known("templates", around) if path != ("templates", name, "extends")], "name"
        case (*_, "pool") | (*_, "pool", _):
            return _known("pools", around), "name"
        case (*_, "secret"):
            return _known("secrets", around), "name"
        case (*_, "queue", "connector"):
            return _known("connectors", around), "name"
        case (*_, "use"):
            return _actions(around), "name"
        case ("tasks" | "hooks", *_, "flow"):
            return around.files, "file"
    return (), "name"


def _known(section: str, around: Surroundings) -> list[str]:
    """Names of a section of the file, and of the libraries it includes."""
    own = defined_names(around.text).get(section, ())
    context = around.context
    borrowed: Iterable[str] = ()
    if context is not None and section != "templates":
        borrowed = getattr(context.flow, section)
    elif context is not None and isinstance(context.places, MergedPlaces):
        borrowed = context.places.inheritance.templates
    return list(dict.fromkeys((*own, *borrowed)))


def _names_a_task(path: Path) -> bool:
    match path:
        case (*_, str(key), int()) if key in EDGE_KEYS or key in ("then", "else", "default"):
            return True
        case (*_, str(key), int(), "task") if key in EDGE_KEYS:
            return True
        case (*_, "cases", _, int()) | (*_, "retry_upstream", "tasks", int()):
            return True
    return False


def _tasks(path: Path, around: Surroundings) -> list[str]:
    """Tasks that may be named in a task: all of its own map but itself."""
    if path[:1] == ("hooks",) and len(path) >= 3:
        names, own = defined_names(around.text).get(f"hooks.{path[1]}", ()), path[2]
    else:
        names, own = defined_names(around.text).get("tasks", ()), path[1]  # where a task is named, the path is longer
    if not names and around.context is not None:
        names = tuple(around.context.flow.tasks)
    return [name for name in names if name != own]


def _actions(around: Surroundings) -> Iterator[str]:
    context = around.context
    if context is None or context.catalogue is None:
        return
    catalogue = context.catalogue
    named = {name: connector.type for name, connector in context.flow.connectors.items()}
    for name, type_name in {**{name: name for name in catalogue.unconfigured()}, **named}.items():
        for action in catalogue.actions(type_name) or ():
            yield f"{name}.{action}"


# --- expressions ------------------------------------------------------------------------------------------------------


def _in_expression(cursor: Cursor, around: Surroundings) -> Iterator[Proposal]:
    text = cursor.expression or ""
    end = cursor.start + len(cursor.word)
    for pattern, names in ((_FILTER, FILTERS), (_TEST, TESTS)):
        match = pattern.search(text)
        if match is not None:
            for name in names:
                detail = FILTERS[name].signature if names is FILTERS else ""
                yield Proposal(name, name, end - len(match[1]), "filter", detail)
            return
    if around.context is None:
        return
    roots = roots_at(around.context, cursor.path)
    path = _PATH.search(text)
    if path is not None:
        found = _walk(roots.get(path[1]), path[2])
        yield from _fields(found, end - len(path[3]))
        return
    root = _ROOT.search(text)
    if root is not None:
        for name, each in roots.items():
            if each.refusal is None:
                yield Proposal(name, name, end - len(root[1] or ""), "variable", str(each))


def _walk(found: Type | None, steps: str) -> Type | None:
    """The type that a path of keys and indices leads to."""
    for match in _STEP.finditer(steps):
        if found is None:
            return None
        key = match[1] or (match[2] or "").strip("'\"")
        found = found.items if found.kind == "list" else (found.fields or {}).get(key)
    return found


def _fields(found: Type | None, start: int) -> Iterator[Proposal]:
    for name, each in (found.fields or {}).items() if found is not None else ():
        if each.refusal is None:
            detail = f"{each}, may be undefined" if each.optional else str(each)
            yield Proposal(name, name, start, "variable", detail)
