"""Where things of a merged flow stand: in the flow itself, in its defaults or templates, or in a library file."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from specs.diagnostics import Place
from specs.inheritance import MERGED, Inheritance, Layer
from specs.source import Document

Path = tuple[Any, ...]


class MergedPlaces(Struct):
    """The `Places` of a checked flow.

    Attributes:
        document: the flow's own file.
        inheritance: what its tasks inherit.
        borrowed: by (section, name), the library file an entry of `connectors`, `pools` or `env` comes from.
    """

    document: Document
    inheritance: Inheritance
    borrowed: dict[tuple[str, Any], Document] = field(default_factory=dict)

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` stands, or with `key` its key; the nearest parent of a path that goes too deep."""
        document, own = self.locate(path)
        return document.place(own, key=key)

    def inherited(self, path: Path) -> bool:
        """Whether the value comes from `defaults`, a template or an included file rather than from where it is read."""
        document, own = self.locate(path)
        return document is not self.document or own != path

    def scalar_offset(self, path: Path, index: int) -> int | None:
        """The offset in the file of code point `index` of the text at `path`, or `None` where it cannot be told."""
        document, own = self.locate(path)
        return document.scalar_offset(own, index)

    def locate(self, path: Path) -> tuple[Document, Path]:
        """The file and the path in it at which the value of a path of the merged flow is written."""
        if len(path) >= 2 and (path[0], path[1]) in self.borrowed:
            return self.borrowed[path[0], path[1]], path
        depth = _task_depth(path)
        if depth is None or len(path) <= depth:
            return self.document, path
        data = self.document.value(path[:depth])
        if isinstance(data, dict):
            rest = path[depth:]
            for layer in self.inheritance.layers(Layer(self.document, path[:depth], data)):
                if _holds(layer.data, rest):
                    return layer.document, (*layer.path, *rest)
        return self.document, path


def _task_depth(path: Path) -> int | None:
    """How many parts of a path name a task, `None` for a path outside of tasks."""
    return {"tasks": 2, "hooks": 3}.get(path[0]) if path else None


def _holds(data: dict[Any, Any], rest: Path) -> bool:
    value = data.get(rest[0])
    if value is None or rest[0] not in MERGED or len(rest) == 1:
        return value is not None
    if isinstance(value, dict):
        return rest[1] in value
    return rest[:2] == ("retry", "preset")
