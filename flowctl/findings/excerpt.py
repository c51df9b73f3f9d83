"""The excerpt under a finding: one line of the source with a mark below the place, however odd or long the line is."""

from __future__ import annotations

from msgspec import Struct

from flowctl.terminal.sanitise import visible
from flowctl.terminal.width import TAB, character_width
from specs.diagnostics import Place

SHORTEST = 20
"""Columns of source shown at the least, however narrow the terminal is."""


class Excerpt(Struct, frozen=True):
    """A line of source as printed. `indent` columns go before the mark, which is `length` columns long."""

    line: int
    text: str
    indent: int
    length: int


def excerpt(place: Place, *, columns: int, ellipsis: str = "…") -> Excerpt:
    """The line where `place` starts, cut to about `columns`; of a place of many lines the first is marked."""
    number, column = place.source.position(place.start)
    # A line is read only as far as it can be shown: a file of one line of 8 MiB must not cost 8 MiB for each finding.
    columns = max(columns, SHORTEST)
    start = place.start - (column - 1)
    first, last = _window(column - 1, room=columns, mark=place.end - place.start)
    shown = _line_part(place.source.text, start + first, start + last)
    cut_before, cut_after = first > 0, _goes_on(place.source.text, start + last, at=len(shown) == last - first)
    cells = [_cell(character) for character in shown]
    head = cells[: column - 1 - first]
    marked = cells[column - 1 - first : max(column - first, place.end - start - first)]
    text = "".join(cells).rstrip() if not cut_after else "".join(cells)
    lead = ellipsis if cut_before else ""
    return Excerpt(
        line=number,
        text=lead + text + (ellipsis if cut_after else ""),
        indent=len(lead) + _columns(head),
        length=max(1, _columns(marked)),
    )


def _window(column: int, *, room: int, mark: int) -> tuple[int, int]:
    """First and last code point of a line to show, so that the mark is in it with some of what is before."""
    if column + min(mark, room // 2) < room:
        return 0, room
    first = column - room // 3
    return first, first + room


def _line_part(text: str, start: int, end: int) -> str:
    part = text[start:end]
    stop = part.find("\n")
    part = part if stop < 0 else part[:stop]
    return part.rstrip("\r")


def _goes_on(text: str, end: int, *, at: bool) -> bool:
    return at and end < len(text) and text[end] not in "\r\n"


def _cell(character: str) -> str:
    return " " * TAB if character == "\t" else visible(character)


def _columns(cells: list[str]) -> int:
    return sum(sum(map(character_width, cell)) for cell in cells)
