"""A file as it is written: values with their style, and every comment at the entry it belongs to."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct, field


class Comment(Struct, frozen=True):
    """A comment on a line of its own; `text` begins with `#`, `blank` says whether an empty line stands before it."""

    text: str
    blank: bool = False


class Scalar(Struct):
    """A single value.

    Attributes:
        value: the text the reader makes of it, before it is resolved.
        style: `""` for plain, else the first character of its form.
        raw: as it is written, without anchor and comments.
        indent: of a block scalar, the columns its content is indented in the file.
    """

    value: str
    style: str
    raw: str
    anchor: str | None = None
    indent: int = 0


class Alias(Struct):
    """Another name of an anchored value."""

    name: str


class Entry(Struct):
    """An entry of a map, or without `key` of a list.

    Attributes:
        leading: comments on the lines before it.
        trailing: the comment behind it.
        blank: whether an empty line stands before it (after its leading comments).
    """

    key: Scalar | Alias | None
    value: Node
    leading: list[Comment] = field(default_factory=list)
    trailing: str | None = None
    blank: bool = False


class Collection(Struct):
    """A map or a list; `footer` are comments behind the last entry, `column` is that of its first entry."""

    is_map: bool
    is_flow: bool
    column: int
    anchor: str | None = None
    entries: list[Entry] = field(default_factory=list)
    footer: list[Comment] = field(default_factory=list)

    def get(self, key: str) -> Node | None:
        """The value of the entry with the plain or quoted key `key`."""
        return next((one.value for one in self.entries if isinstance(one.key, Scalar) and one.key.value == key), None)


Node: TypeAlias = Scalar | Alias | Collection


class FileTree(Struct):
    """A whole file: comments above everything, and the map at its top."""

    header: list[Comment]
    root: Collection
