"""The tree of an expression: frozen nodes, each with the half-open range of code points it was written in.

Our own types, so that what is checked, cached and evaluated is a closed set, whatever the parser may grow.
Tagged, so that a union of them can be written down as arrays and read again.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from msgspec import Struct


class Literally(Struct, frozen=True, array_like=True, tag=True):
    """A number, text, boolean or none; lists and maps of literals are `ListOf` and `MapOf`."""

    value: str | int | float | bool | None
    start: int
    end: int


class Name(Struct, frozen=True, array_like=True, tag=True):
    """A root name such as `params` or `item`."""

    name: str
    start: int
    end: int


class Key(Struct, frozen=True, array_like=True, tag=True):
    """`of.key`, or `of['key']` with a literal text: a key look-up and nothing else. `key_start` is where the key stands."""

    of: Node
    key: str
    key_start: int
    start: int
    end: int


class Index(Struct, frozen=True, array_like=True, tag=True):
    """`of[index]` with any other index."""

    of: Node
    index: Node
    start: int
    end: int


class Unary(Struct, frozen=True, array_like=True, tag=True):
    """`not x`, `-x`, `+x`."""

    operator: Literal["not", "-", "+"]
    operand: Node
    start: int
    end: int


class Binary(Struct, frozen=True, array_like=True, tag=True):
    """Arithmetic on numbers, and `~`, which joins texts."""

    operator: Literal["+", "-", "*", "/", "//", "%", "~"]
    left: Node
    right: Node
    start: int
    end: int


class Logic(Struct, frozen=True, array_like=True, tag=True):
    """`and`, `or`: short-circuit, operands are booleans."""

    operator: Literal["and", "or"]
    left: Node
    right: Node
    start: int
    end: int


class Compare(Struct, frozen=True, array_like=True, tag=True):
    """A chain `a < b <= c`; `operators` has one entry fewer than `operands`."""

    operands: tuple[Node, ...]
    operators: tuple[Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"], ...]
    start: int
    end: int


class Conditional(Struct, frozen=True, array_like=True, tag=True):
    """`then if condition else otherwise`; both arms are required."""

    condition: Node
    then: Node
    otherwise: Node
    start: int
    end: int


class Filter(Struct, frozen=True, array_like=True, tag=True):
    """`of | name(arguments)`. `name_start` is where the filter's name stands."""

    of: Node
    name: str
    arguments: tuple[Node, ...]
    name_start: int
    start: int
    end: int


class Test(Struct, frozen=True, array_like=True, tag=True):
    """`of is name`, `of is not name`."""

    of: Node
    name: str
    negated: bool
    name_start: int
    start: int
    end: int


class ListOf(Struct, frozen=True, array_like=True, tag=True):
    """`[a, b]`."""

    elements: tuple[Node, ...]
    start: int
    end: int


class MapOf(Struct, frozen=True, array_like=True, tag=True):
    """`{'a': x}`; keys are literal texts."""

    entries: tuple[tuple[str, Node], ...]
    start: int
    end: int


Node: TypeAlias = (
    Literally | Name | Key | Index | Unary | Binary | Logic | Compare | Conditional | Filter | Test | ListOf | MapOf
)


class Expression(Struct, frozen=True, array_like=True, tag=True):
    """A parsed expression: its text as written and its tree. Offsets in the tree count from the start of `text`."""

    text: str
    root: Node


class Template(Struct, frozen=True, array_like=True, tag=True):
    """A text with `${{ }}` in it: literal pieces and expressions in order, with the offset at which each expression
    starts in the text (of its first code point after `${{`)."""

    text: str
    parts: tuple[str | Expression, ...]
    offsets: tuple[int, ...]

    @property
    def single(self) -> Expression | None:
        """The expression, when the whole text is exactly one `${{ }}`; its value then keeps its type."""
        only = self.parts[0] if len(self.parts) == 1 else None
        return only if isinstance(only, Expression) else None
