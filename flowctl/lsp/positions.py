"""Offsets in code points, as flowctl counts, and positions as the protocol does: lines, and units of an encoding."""

from __future__ import annotations

from lsprotocol import types

from specs.diagnostics import Place, Source


class Positions:
    """Converts for one text. `encoding` is what client and server have agreed on: utf-8, utf-16 or utf-32."""

    def __init__(self, text: str, encoding: str = "utf-16") -> None:
        self._source = Source("", text)
        self._encoding = encoding

    def offset(self, position: types.Position) -> int:
        """The offset of a position; one that lies outside of the text gives the nearest inside."""
        starts = self._source.line_starts
        if position.line >= len(starts):
            return len(self._source.text)
        line = self._source.line(position.line + 1)
        at = units = 0
        while at < len(line) and units < position.character:
            units += self._units(line[at])
            at += 1
        return starts[position.line] + at

    def position(self, offset: int) -> types.Position:
        """The position of an offset."""
        offset = min(offset, len(self._source.text))
        line, column = self._source.position(offset)
        before = self._source.text[offset - column + 1 : offset]
        return types.Position(line - 1, len(before) if before.isascii() else sum(map(self._units, before)))

    def range(self, start: int, end: int) -> types.Range:
        """The range from one offset to another."""
        return types.Range(self.position(start), self.position(end))

    def _units(self, character: str) -> int:
        if self._encoding == "utf-32" or character < "\x80":
            return 1
        if self._encoding == "utf-8":
            return len(character.encode("utf-8", "surrogatepass"))
        return 2 if character > "\uffff" else 1


def place_range(place: Place, encoding: str) -> types.Range:
    """The range of a place in its own file."""
    return Positions(place.source.text, encoding).range(place.start, place.end)
