"""Formatting a file, and making sure that nothing but its looks has changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from msgspec import Struct

from specs.collection import without_collection
from specs.diagnostics import Diagnostic, has_errors
from specs.formatting.order import bring_in_order, maps_of_tasks
from specs.formatting.parse import parse_tree
from specs.formatting.tree import Collection, FileTree
from specs.formatting.write import write_tree
from specs.scalars import WrittenFloat, WrittenInt
from specs.source import DEFAULT_LIMITS, Document, Limits, read_document


class FormattingError(Exception):
    """The formatted text would not mean the same; a defect of ours, and the file stays as it is."""


class Formatted(Struct, frozen=True):
    """A text and its one form, `None` where it cannot be read; then `diagnostics` say why."""

    old: str
    text: str | None
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def is_changed(self) -> bool:
        """Whether the text is not in its one form yet."""
        return self.text is not None and self.text != self.old


def format_flow(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Formatted:
    """The one form of a flow or library. The byte order mark is not part of the texts; line breaks stay what they are.

    Raises:
        FormattingError: the result does not read as the same values and comments.
    """
    reading = read_document(data, name, limits)
    if reading.document is None or has_errors(reading.diagnostics):
        return Formatted(reading.source.text, None, reading.diagnostics)
    with without_collection():
        tree = parse_tree(reading.source)
        comments = Counter(_comments(tree))
        text = _laid_out(tree)
        _require_same(reading.document, comments, text, name, limits)
    newline = "\r\n" if "\r\n" in reading.source.text else "\n"
    return Formatted(reading.source.text, text.replace("\n", newline))


def _laid_out(tree: FileTree) -> str:
    root = tree.root
    bring_in_order(root)
    groups = list(maps_of_tasks(root))
    block = {id(root), *map(id, groups)}
    hooks = root.get("hooks")
    if isinstance(hooks, Collection) and not block.isdisjoint(id(entry.value) for entry in hooks.entries):
        block.add(id(hooks))
    return write_tree(tree, always_block=frozenset(block), spaced=frozenset(map(id, groups)))


def _require_same(before: Document, comments: Counter[str], text: str, name: str, limits: Limits) -> None:
    after = read_document(text.encode("utf-8", "surrogatepass"), name, limits)
    if after.document is None or has_errors(after.diagnostics):
        raise FormattingError(f"the result cannot be read: {after.diagnostics[0].message}")
    if not _same_flow(before.data, after.document.data):
        raise FormattingError("the result has other values")
    if Counter(_comments(parse_tree(after.source))) != comments:
        raise FormattingError("the result has other comments")


def _comments(tree: FileTree) -> Iterator[str]:
    yield from (comment.text for comment in tree.header)
    pending = [tree.root]
    while pending:
        node = pending.pop()
        yield from (comment.text for comment in node.footer)
        for entry in node.entries:
            yield from (comment.text for comment in entry.leading)
            if entry.trailing is not None:
                yield entry.trailing
            if isinstance(entry.value, Collection):
                pending.append(entry.value)


# --- same values ------------------------------------------------------------------------------------------------------


def _same_flow(before: dict[Any, Any], after: dict[Any, Any]) -> bool:
    """Whether two files hold the same, but for the order of keys that have none and the long name of `after`."""
    return _same(_normal(before), _normal(after))


def _normal(data: dict[Any, Any]) -> dict[Any, Any]:
    flow = _sorted(data)
    hooks = flow.get("hooks")
    if isinstance(hooks, dict):
        flow["hooks"] = {kind: _tasks(tasks) for kind, tasks in hooks.items()}
    for key in ("tasks", "templates"):
        flow[key] = _tasks(flow.get(key))
    flow["defaults"] = _task(flow.get("defaults"))
    return flow


def _tasks(tasks: Any) -> Any:
    return {name: _task(task) for name, task in tasks.items()} if isinstance(tasks, dict) else tasks


def _task(task: Any) -> Any:
    if not isinstance(task, dict):
        return task
    renamed = dict(task)
    if "after_complete" in renamed and "after" not in renamed:
        renamed["after"] = renamed.pop("after_complete")
    return _sorted(renamed)


def _sorted(data: dict[Any, Any]) -> dict[Any, Any]:
    return {key: data[key] for key in sorted(data, key=lambda key: (str(type(key)), str(key)))}


def _same(before: Any, after: Any) -> bool:
    """Whether two values are the same: types, the way numbers are written, the order of keys. Iterative."""
    pending = [(before, after)]
    seen: set[tuple[int, int]] = set()
    while pending:
        one, other = pending.pop()
        if isinstance(one, dict | list):
            if (id(one), id(other)) in seen:  # an alias: compared already
                continue
            seen.add((id(one), id(other)))
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            if [(type(key), key) for key in one] != [(type(key), key) for key in other]:
                return False
            pending.extend(zip(one.values(), other.values(), strict=True))
        elif isinstance(one, list):
            if len(one) != len(other):
                return False
            pending.extend(zip(one, other, strict=True))
        elif one != other or (isinstance(one, WrittenInt | WrittenFloat) and one.written != other.written):
            return False
    return True
