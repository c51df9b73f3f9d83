"""Run the cases of a suite, each by itself: a case is a simulated run and what was expected of it."""

from __future__ import annotations

from datetime import timedelta

from msgspec import Struct

from engine.errors import FlowctlError
from engine.simulation import Setup, StubSet, play
from flowctl.simulating import begin_at
from flowctl.testing.assertions import Unmet, as_text, length_of, unmet
from flowctl.testing.coverage import Coverage
from flowctl.testing.loading import Suite
from flowctl.testing.stubbing import make_stubs, merged
from specs.context import Catalogue
from specs.diagnostics import Place


class Difference(Struct, frozen=True):
    """An expectation that was not met, and its place in the test file."""

    place: Place
    what: str
    expected: str
    actual: str

    @property
    def message(self) -> str:
        """On one line: what, what was expected, what was."""
        return f"{self.what}: expected {self.expected}, found {self.actual}"


class CaseResult(Struct, frozen=True):
    """What became of a case. `problem` is why it could not be run to its end, `length` its virtual duration."""

    suite: Suite
    name: str
    differences: tuple[Difference, ...] = ()
    problem: str | None = None
    length: timedelta = timedelta(0)

    @property
    def passed(self) -> bool:
        """Whether everything was as expected."""
        return not self.differences and self.problem is None


def run_case(
    suite: Suite, name: str, *, seed: int = 0, catalogue: Catalogue | None = None, coverage: Coverage | None = None
) -> CaseResult:
    """Simulate a case and compare. Never raises for what the flow or the case says."""
    case = suite.spec.cases[name]
    try:
        played = play(_setup(suite, name, seed=seed, catalogue=catalogue))
    except (FlowctlError, ValueError) as error:
        return CaseResult(suite, name, problem=str(error))
    found = tuple(_difference(suite, name, one) for one in unmet(case.expect, played))
    if coverage is not None:
        coverage.add(played.trace)
    played.store.close()
    return CaseResult(suite, name, found, length=length_of(played.first.run))


def _setup(suite: Suite, name: str, *, seed: int, catalogue: Catalogue | None) -> Setup:
    case, start = suite.spec.cases[name], suite.starts[name]
    return Setup(
        suite.plan,
        start.params,
        env={key: as_text(value) for key, value in case.env.items()},
        trigger=start.trigger,
        stubs=StubSet(make_stubs(merged(suite.spec.stubs, case.stubs))),
        secrets={**suite.spec.secrets, **case.secrets},
        seed=seed if case.seed is None else case.seed,
        at=begin_at(case.at),
        catalogue=catalogue,
    )


def _difference(suite: Suite, case: str, one: Unmet) -> Difference:
    place = suite.document.place(("cases", case, *one.path))
    return Difference(place, one.what, one.expected, one.actual)
