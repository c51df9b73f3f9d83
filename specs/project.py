"""The check of a project: what its flows say to each other, beyond what each says itself."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import import_module
from typing import Protocol

from msgspec import Struct

from specs.codes import CODES
from specs.diagnostics import Diagnostic, Label, Place, Source
from specs.facts import FlowFacts, Spot

FAMILIES = ("names", "starts", "sharing", "locks", "libraries")
"""Modules of `specs.rules.project`, each with its own `RULES`."""


class Project(Struct, frozen=True):
    """The flows that are checked together, in the order of their files.

    Attributes:
        flows: those that could be read.
        is_whole: whether these are all flows there are, so that what none of them has does not exist.
        unused: libraries of the project that none of the flows includes.
    """

    flows: tuple[FlowFacts, ...]
    is_whole: bool = False
    unused: tuple[Source, ...] = ()


class ProjectRule(Protocol):
    """A check of flows side by side: yields findings in any order; its time grows with the number of facts."""

    def __call__(self, project: Project) -> Iterator[Diagnostic]: ...


def check_project(project: Project) -> list[Diagnostic]:
    """What is wrong between the flows; not yet weighed or silenced (`specs.verdict.project_verdict`)."""
    return [found for rule in _rules() for found in _found_by(rule, project)]


def _found_by(rule: ProjectRule, project: Project) -> list[Diagnostic]:
    try:
        return list(rule(project))
    except Exception as error:  # noqa: BLE001 - a mistake in one check must not hide what the others find
        name = getattr(rule, "__name__", type(rule).__name__)
        message = f"internal: check `{name}` failed with {type(error).__name__}"
        help_ = "this is a defect of flowctl, please report it"
        return [
            finding("FLOW901", Spot(Place(flow.source, 0, 0), ()), message, help=help_) for flow in project.flows[:1]
        ]


def finding(
    code: str,
    spot: Spot,
    message: str,
    *,
    help: str | None = None,  # noqa: A002 - the diagnostic's word
    labels: tuple[Label, ...] = (),
) -> Diagnostic:
    """A diagnostic at a spot of a flow with the severity its code has."""
    path = tuple(part if isinstance(part, int | str) else str(part) for part in spot.path)
    return Diagnostic(code, spot.place, message, help, CODES[code].severity, labels, None, path)


@cache
def _rules() -> tuple[ProjectRule, ...]:
    modules = (import_module(f"specs.rules.project.{family}") for family in FAMILIES)
    return tuple(rule for module in modules for rule in module.RULES)
