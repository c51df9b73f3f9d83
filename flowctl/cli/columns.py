"""Rows of text in columns, as wide as the terminal; as wide as they are where nobody has a width."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from msgspec import Struct

from flowctl.findings.text import Look
from flowctl.terminal.colour import Style
from flowctl.terminal.sanitise import visible
from flowctl.terminal.width import cut, display_width

GAP = "  "
NARROWEST = 8
"""A column that may be cut keeps at least this much."""


class Column(Struct, frozen=True):
    """A title, and whether texts may be cut where there is no room, or stand on the right."""

    title: str
    may_be_cut: bool = False
    right: bool = False


class Cell(Struct, frozen=True):
    """A text, which may come from anywhere, and how it looks."""

    text: str
    style: Style | None = None


def in_columns(
    columns: Sequence[Column], rows: Sequence[Sequence[Cell]], look: Look, *, width: int | None
) -> Iterator[str]:
    """The titles and the rows as lines of at most `width` columns, as far as what may be cut allows; `None` cuts
    nothing."""
    titles = [Cell(column.title, Style.FAINT) for column in columns]
    table = [[Cell(visible(cell.text), cell.style) for cell in row] for row in (titles, *rows)]
    wide = [max(display_width(row[index].text) for row in table) for index in range(len(columns))]
    if width is not None:
        wide = _narrowed(columns, wide, width - len(GAP) * (len(columns) - 1))
    for row in table:
        yield GAP.join(_written(row[n], wide[n], columns[n], look) for n in range(len(columns))).rstrip()


def _narrowed(columns: Sequence[Column], wide: Sequence[int], room: int) -> list[int]:
    """Widths that fit the room: what may be cut gives way, the widest first."""
    found = list(wide)
    while sum(found) > room:
        able = [n for n, column in enumerate(columns) if column.may_be_cut and found[n] > NARROWEST]
        if not able:
            break
        widest = max(able, key=lambda n: found[n])
        others = [found[n] for n in able if n != widest]
        found[widest] = max(
            NARROWEST, found[widest] - (sum(found) - room), min(found[widest] - 1, max(others, default=0))
        )
    return found


def _written(cell: Cell, wide: int, column: Column, look: Look) -> str:
    text = cut(cell.text, wide, ellipsis=look.ellipsis) if column.may_be_cut else cell.text
    padding = " " * (wide - display_width(text))
    shown = look.paint(text, cell.style) if cell.style is not None else text
    return padding + shown if column.right else shown + padding
