"""Libraries that nobody includes (FLOW132)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Place
from specs.facts import Spot
from specs.project import Project, ProjectRule, finding


def unused_libraries(project: Project) -> Iterator[Diagnostic]:
    """Every library is included by a flow, directly or through another library; told at its first character."""
    for source in project.unused:
        first = len(source.text) - len(source.text.lstrip())
        spot = Spot(Place(source, first, min(first + 1, len(source.text))), ())
        yield finding("FLOW132", spot, "no flow includes this library", help="include it, or remove the file")


RULES: tuple[ProjectRule, ...] = (unused_libraries,)
