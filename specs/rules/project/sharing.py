"""Pools and locks are shared by name, so all files have to mean the same by one (FLOW227)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.diagnostics import Diagnostic, Label
from specs.facts import Declared
from specs.project import Project, ProjectRule, finding
from specs.scalars import shortened


def different_declarations(project: Project) -> Iterator[Diagnostic]:
    """A pool, and the lease of a lock, is the same wherever it is declared. One of a library is one declaration."""
    first: dict[tuple[str, str], Declared] = {}
    told: set[tuple[str, int]] = set()
    for flow in project.flows:
        for declared in flow.declared:
            known = first.setdefault((declared.kind, declared.name), declared)
            place = declared.spot.place
            mark = (place.source.name, place.start)
            if known.terms == declared.terms or mark in told:
                continue
            told.add(mark)
            elsewhere = known.spot.place.source.name
            where = "above" if elsewhere == place.source.name else f"in `{shortened(elsewhere, 80)}`"
            yield finding(
                "FLOW227",
                declared.spot,
                f"the {declared.kind} `{declared.name}` has {declared.terms} here and {known.terms} {where}",
                help=_help(declared.kind),
                labels=(Label(known.spot.place, f"{known.terms} here"),),
            )


def _help(kind: str) -> str:
    if kind == "pool":
        return "declare it once, in a library that the flows `include`; as it is, the smaller holds"
    return "write the same lease everywhere; as it is, the smaller holds"


RULES: tuple[ProjectRule, ...] = (different_declarations,)
