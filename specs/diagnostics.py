"""What a check found: a place, a stable code, a message and a way out.

Shapes only. What each code means stands in `specs/codes.py`; how findings are printed, in `flowctl/findings/`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from enum import StrEnum
from functools import cached_property

from msgspec import Struct


class Severity(StrEnum):
    """How much a finding weighs: an error stops `run`, a warning does not, information is shown on request."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Source(Struct, frozen=True, dict=True):
    """A text and the name it is shown under (a path relative to where the user stands, or `<stdin>`)."""

    name: str
    text: str

    @cached_property
    def line_starts(self) -> list[int]:
        """Offsets, in code points, at which each line starts."""
        starts = [0]
        find = self.text.find
        at = find("\n")
        while at >= 0:
            starts.append(at + 1)
            at = find("\n", at + 1)
        return starts

    def position(self, offset: int) -> tuple[int, int]:
        """Line and column of `offset`, both from 1, columns in code points."""
        line = bisect_right(self.line_starts, offset)
        return line, offset - self.line_starts[line - 1] + 1

    def line(self, number: int) -> str:
        """The text of line `number` (from 1) without its line break."""
        start = self.line_starts[number - 1]
        end = self.line_starts[number] if number < len(self.line_starts) else len(self.text)
        return self.text[start:end].rstrip("\r\n")


class Place(Struct, frozen=True):
    """A half-open range of code points of a source."""

    source: Source
    start: int
    end: int


class Label(Struct, frozen=True):
    """A second place that helps to understand a finding, with a short text."""

    place: Place
    text: str


class Edit(Struct, frozen=True):
    """Replace the text at `place` by `text`."""

    place: Place
    text: str


class Fix(Struct, frozen=True):
    """Edits which, applied together, remove the finding and change nothing else of the meaning."""

    title: str
    edits: tuple[Edit, ...]


class Diagnostic(Struct, frozen=True):
    """One finding. `message` is lower case with names in backticks; `help` says what to do, when it is known.

    `path` is the path of keys in the file (stable when lines move), `()` where there is none.
    """

    code: str
    place: Place
    message: str
    help: str | None = None
    severity: Severity = Severity.ERROR
    labels: tuple[Label, ...] = ()
    fix: Fix | None = None
    path: tuple[str | int, ...] = ()


def in_source_order(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """Sort findings by file, place and code, so that the same input always prints the same list."""
    return sorted(diagnostics, key=lambda d: (d.place.source.name, d.place.start, d.place.end, d.code, d.message))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any finding is an error."""
    return any(d.severity is Severity.ERROR for d in diagnostics)
