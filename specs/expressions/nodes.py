"""The tree of an expression: frozen nodes, each with the half-open range of code points it was written in.

Our own types, so that what is checked, cached and evaluated is a closed set, whatever the parser may grow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias


@dataclass(frozen=True, slots=True)
class Literally:
    """A number, text, boolean or none; lists and maps of literals are `ListOf` and `MapOf`."""

    value: str | int | float | bool | None
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Name:
    """A root name such as `params` or `item`."""

    name: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Key:
    """`of.key`, or `of['key']` with a literal text: a key look-up and nothing else. `key_start` is where the key stands."""

    of: Node
    key: str
    key_start: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Index:
    """`of[index]` with any other index."""

    of: Node
    index: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Unary:
    """`not x`, `-x`, `+x`."""

    operator: Literal["not", "-", "+"]
    operand: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Binary:
    """Arithmetic on numbers, and `~`, which joins texts."""

    operator: Literal["+", "-", "*", "/", "//", "%", "~"]
    left: Node
    right: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Logic:
    """`and`, `or`: short-circuit, operands are booleans."""

    operator: Literal["and", "or"]
    left: Node
    right: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Compare:
    """A chain `a < b <= c`; `operators` has one entry fewer than `operands`."""

    operands: tuple[Node, ...]
    operators: tuple[Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"], ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Conditional:
    """`then if condition else otherwise`; both arms are required."""

    condition: Node
    then: Node
    otherwise: Node
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Filter:
    """`of | name(arguments)`. `name_start` is where the filter's name stands."""

    of: Node
    name: str
    arguments: tuple[Node, ...]
    name_start: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Test:
    """`of is name`, `of is not name`."""

    of: Node
    name: str
    negated: bool
    name_start: int
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class ListOf:
    """`[a, b]`."""

    elements: tuple[Node, ...]
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class MapOf:
    """`{'a': x}`; keys are literal texts."""

    entries: tuple[tuple[str, Node], ...]
    start: int
    end: int


Node: TypeAlias = (
    Literally | Name | Key | Index | Unary | Binary | Logic | Compare | Conditional | Filter | Test | ListOf | MapOf
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression: its text as written and its tree. Offsets in the tree count from the start of `text`."""

    text: str
    root: Node


@dataclass(frozen=True, slots=True)
class Template:
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
