"""Values of a spec in which texts may hold `${{ }}`, compiled once and resolved as often as needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from specs.expressions.nodes import Template

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can hold."""


@dataclass(frozen=True, slots=True)
class Fixed:
    """A value without any expression. `value` is plain JSON; `text` is its written form where a text is wanted
    (`1.10`, `0755`, `true`), `None` for lists, maps and null."""

    value: Any
    text: str | None


@dataclass(frozen=True, slots=True)
class ListValue:
    """A list with at least one expression somewhere inside."""

    elements: tuple[CompiledValue, ...]


@dataclass(frozen=True, slots=True)
class MapValue:
    """A map; `entries` in the order written."""

    entries: tuple[tuple[str, CompiledValue], ...]


CompiledValue: TypeAlias = Fixed | Template | ListValue | MapValue
