"""Collecting findings about a file whose typed model does not exist yet: each cause once."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Protocol

from msgspec import Struct, field

from specs.codes import CODES
from specs.diagnostics import Diagnostic, Edit, Fix, Label, Place

Path = tuple[Any, ...]


class Placing(Protocol):
    """What finds places: a document, or a merged flow."""

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path`, or with `key` its key, stands."""


class Findings(Struct):
    """What was found. A finding at a place that already has one of the same code is the same cause and is dropped."""

    found: list[Diagnostic] = field(default_factory=list)
    _seen: set[tuple[str, str, int, int]] = field(default_factory=set)

    def add(
        self,
        code: str,
        place: Place,
        message: str,
        *,
        path: Path = (),
        help_: str | None = None,
        labels: tuple[Label, ...] = (),
        fix: Fix | None = None,
    ) -> None:
        """Record a finding with the severity its code has."""
        shown = tuple(part if isinstance(part, int | str) else str(part) for part in path)
        severity = CODES[code].severity
        self.extend((Diagnostic(code, place, message, help_, severity, labels, fix, shown),))

    def extend(self, diagnostics: Iterable[Diagnostic]) -> None:
        """Record findings made elsewhere."""
        for diagnostic in diagnostics:
            place = diagnostic.place
            mark = (diagnostic.code, place.source.name, place.start, place.end)
            if mark not in self._seen:
                self._seen.add(mark)
                self.found.append(diagnostic)


def replacing(title: str, place: Place, text: str) -> Fix:
    """The fix that writes `text` in place of what stands at `place`."""
    return Fix(title, (Edit(place, text),))


def spanning(first: Place, last: Place) -> Place:
    """From the start of `first` to the end of `last`, two places of one file."""
    return Place(first.source, first.start, max(first.end, last.end))
