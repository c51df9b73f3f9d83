"""What validates does not end for a reason that a check should have seen: random flows, simulated with random outcomes."""

from __future__ import annotations

from pathlib import Path

from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st

from engine.compile import compile_flow
from engine.outcomes import Failure
from engine.parameters import bind_parameters
from engine.plan import Plan
from engine.simulation import Played, Setup, StubSet, play
from specs.check import Checked, check_text
from tests.flows import FILES, flow_texts, stub_sets
from tests.specs.projects import MemoryFiles

SEEN_BY_CHECKS = frozenset({"expression", "secret", "no_match"})
"""Kinds of failure that a rule should have seen: the flows read nothing that only a run can know."""


def check(text: str) -> Checked:
    return check_text(text.encode(), "random.yaml", MemoryFiles(FILES))


def setup_of(plan: Plan, stubs: StubSet, seed: int = 0) -> Setup:
    return Setup(plan, bind_parameters(plan.params, {}, {}), stubs=stubs, seed=seed)


def failures(played: Played) -> list[Failure]:
    found = [getattr(entry.event, "failure", None) for entry in played.trace.entries]
    return [failure for failure in found if failure is not None]


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.filter_too_much, HealthCheck.too_slow])
@given(text=flow_texts(), stubs=stub_sets(), seed=st.integers(0, 3))
def test_a_flow_that_validates_ends_and_never_by_what_a_check_should_have_seen(
    text: str, stubs: StubSet, seed: int
) -> None:
    checked = check(text)
    event("valid" if checked.ok else "refused")
    assume(checked.ok)
    played = play(setup_of(compile_flow(checked, base=Path("/flows")), stubs, seed))
    assert [failure for failure in failures(played) if failure.kind in SEEN_BY_CHECKS] == []
    assert all(task.state.is_final for name, task in played.first.run.tasks.items() if "." not in name)
    assert all(traced.run.state.is_final for traced in played.trace.runs.values())
