"""The outline of a flow: what stands at its top, and its tasks."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from specs.diagnostics import Place
from specs.model.task import ACTIONS
from specs.source import Document

_OF_NAMES = ("params", "secrets", "triggers", "pools", "connectors", "templates", "tasks", "outputs", "env")
"""Sections whose keys are names that the author has chosen."""


class Outlined(Struct, frozen=True):
    """An entry of the outline: all of it, its key, and what stands below it. `kind` is `section`, `task` or `name`."""

    name: str
    kind: str
    detail: str
    whole: Place
    key: Place
    children: list[Outlined] = field(default_factory=list)


def outline(document: Document) -> list[Outlined]:
    """The entries at the top of a file, in its order."""
    return [_section(document, key) for key in document.data if isinstance(key, str)]


def _section(document: Document, key: str) -> Outlined:
    children: list[Outlined] = []
    if key in _OF_NAMES:
        children = list(_names(document, (key,), is_task=key == "tasks"))
    elif key == "hooks" and isinstance(document.data[key], dict):
        for kind in document.data[key]:
            below = list(_names(document, (key, kind), is_task=True))
            children.append(_outlined(document, (key, kind), str(kind), "section", below))
    return _outlined(document, (key,), key, "section", children)


def _names(document: Document, path: tuple[object, ...], *, is_task: bool) -> Iterator[Outlined]:
    entries = document.value(path)
    for name, value in entries.items() if isinstance(entries, dict) else ():
        kind = "task" if is_task else "name"
        action = next((key for key in ACTIONS if isinstance(value, dict) and key in value), "") if is_task else ""
        yield _outlined(document, (*path, name), str(name), kind, [], action)


def _outlined(
    document: Document, path: tuple[object, ...], name: str, kind: str, children: list[Outlined], detail: str = ""
) -> Outlined:
    key = document.place(path, key=True)
    value = document.place(path)
    whole = Place(key.source, key.start, value.end if value.start >= key.start else key.end)
    return Outlined(name or "(empty)", kind, detail, whole, key, children)
