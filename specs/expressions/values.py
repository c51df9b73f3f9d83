"""Values of a spec in which texts may hold `${{ }}`, compiled once and resolved as often as needed."""

from __future__ import annotations

from typing import Any, TypeAlias

from msgspec import Struct

from specs.expressions.nodes import Template

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can hold."""


class Fixed(Struct, frozen=True, array_like=True, tag=True):
    """A value without any expression. `value` is plain JSON; `text` is its written form where a text is wanted
    (`1.10`, `0755`, `true`), `None` for lists, maps and null."""

    value: Any
    text: str | None


class ListValue(Struct, frozen=True, array_like=True, tag=True):
    """A list with at least one expression somewhere inside."""

    elements: tuple[CompiledValue, ...]


class MapValue(Struct, frozen=True, array_like=True, tag=True):
    """A map; `entries` in the order written."""

    entries: tuple[tuple[str, CompiledValue], ...]


CompiledValue: TypeAlias = Fixed | Template | ListValue | MapValue
