"""Libraries that nobody includes (FLOW132)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Place
from specs.facts import Spot
from specs.project import Project, ProjectRule, finding


def unused_libraries(project: Project) -> Iterator[Diagnostic]:
    """Every library is included by a flow, directly or through another library."""
    for source in project.unused:
        first = len(source.text) - len(source.text.lstrip())
        spot = Spot(Place(source, 0, 0) if first == len(source.text) else Place(source, first, first), ())
        yield finding("FLOW132", spot, "no flow includes this library", help="include it, or remove the file")


RULES: tuple[ProjectRule, ...] = (unused_libraries,)
