"""Checking, compiling and foreseeing a flow take a number of steps that grows with the flow and no faster."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.compile import compile_flow
from engine.forecast import forecast, json_parts
from engine.graph import plan_graph
from engine.plan import Plan
from specs.check import Checked, check_text
from tests.growth import assert_linear

SIZE = 150
NOW = datetime(2026, 3, 27, 12, 0, tzinfo=UTC)

Make = Callable[[int], str]


def flow(*tasks: str) -> str:
    """A flow of these tasks, each written in one line."""
    return f"version: 1\nlimits: {{tasks: {len(tasks)}}}\ntasks:\n" + "".join(f"  {task}\n" for task in tasks)


def names(count: int) -> str:
    """The tasks below this number, as a list in brackets."""
    return f"[{', '.join(f't{number}' for number in range(count))}]"


def task(number: int, more: str = "") -> str:
    """A task that starts a program."""
    return f"t{number}: {{exec: [/bin/true, 'a {number}']{more}}}"


def wide(count: int) -> str:
    return flow(*(task(number) for number in range(count)))


def chain(count: int) -> str:
    return flow(task(0), *(task(number, f", after: [t{number - 1}]") for number in range(1, count)))


def joined(count: int) -> str:
    return flow(*(task(number) for number in range(count)), f"join: {{exec: [/bin/true], after: {names(count)}}}")


def spread(count: int) -> str:
    return flow("first: {exec: [/bin/true]}", *(task(number, ", after: [first]") for number in range(count)))


def layered(count: int) -> str:
    needs = (
        f", after: [{', '.join(f't{number - back}' for back in (10, 11, 12) if number >= back)}]"
        for number in range(count)
    )
    return flow(*(task(number, need if number >= 10 else "") for number, need in enumerate(needs)))


def read(count: int) -> str:
    """Each task reads what the one before puts out."""
    more = (
        ", outputs: {x: {from: stdout}}"
        + (f", after: [t{number - 1}], env: {{X: '${{{{ tasks.t{number - 1}.output.x }}}}'}}" if number else "")
        for number in range(count)
    )
    return flow(*(task(number, each) for number, each in enumerate(more)))


def held(count: int) -> str:
    """One task that is complete only after all others."""
    return flow("last: {exec: [/bin/true]}", *(task(number, ", before_complete: [last]") for number in range(count)))


def branched(count: int) -> str:
    return flow(
        f"choose: {{branch: [{{if: 'true', then: {names(count)}}}]}}", *(task(number) for number in range(count))
    )


def recovered(count: int) -> str:
    """Every second task has a handler that the next pair waits for."""
    more = (
        f", after_failure: [t{number - 1}], recovers: true"
        if number % 2
        else f", after: [t{number - 2}]"
        if number
        else ""
        for number in range(count)
    )
    return flow(*(task(number, each) for number, each in enumerate(more)))


def misread(count: int) -> str:
    """Each task reads one that does not exist."""
    return flow(*(task(number, f", env: {{X: '${{{{ tasks.s{number}.output.x }}}}'}}") for number in range(count)))


def misnamed(count: int) -> str:
    """Each task waits for one that does not exist."""
    return flow(*(task(number, f", after: [s{number}]") for number in range(count)))


def circling(count: int) -> str:
    """Tasks that wait for each other, two by two."""
    return flow(*(task(number, f", after: [t{number ^ 1}]") for number in range(count)))


MISTAKEN: tuple[Make, ...] = (misread, misnamed, circling)
SHAPES: tuple[Make, ...] = (wide, chain, joined, spread, layered, read, held, branched, recovered)


def checked(text: str) -> Checked:
    """The flow, which has no errors."""
    found = check_text(text.encode(), "flow.yaml", None)
    assert found.ok, [one.message for one in found.diagnostics]
    return found


def compiled(text: str) -> Plan:
    """The plan of a flow."""
    return compile_flow(checked(text), base=Path("/"))


@pytest.mark.parametrize("shape", SHAPES)
def test_checking_takes_steps_in_proportion(shape: Make) -> None:
    def prepare(size: int) -> Callable[[], object]:
        text = shape(size)
        return lambda: checked(text)

    assert_linear(prepare, size=SIZE)


@pytest.mark.parametrize("shape", MISTAKEN)
def test_finding_mistakes_takes_steps_in_proportion(shape: Make) -> None:
    def prepare(size: int) -> Callable[[], object]:
        text = shape(size).encode()
        return lambda: check_text(text, "flow.yaml", None)

    assert not check_text(shape(2).encode(), "flow.yaml", None).ok
    assert_linear(prepare, size=SIZE)


@pytest.mark.parametrize("shape", SHAPES)
def test_compiling_takes_steps_in_proportion(shape: Make) -> None:
    def prepare(size: int) -> Callable[[], object]:
        found = checked(shape(size))
        return lambda: compile_flow(found, base=Path("/"))

    assert_linear(prepare, size=SIZE)


@pytest.mark.parametrize("shape", SHAPES)
def test_foreseeing_takes_steps_in_proportion(shape: Make) -> None:
    def prepare(size: int) -> Callable[[], object]:
        plan = compiled(shape(size))
        return lambda: "".join(json_parts(forecast(plan, "flow", {}, triggers={}, now=NOW)))

    assert_linear(prepare, size=SIZE)


@pytest.mark.parametrize("shape", SHAPES)
def test_the_graph_takes_steps_in_proportion(shape: Make) -> None:
    def prepare(size: int) -> Callable[[], object]:
        plan = compiled(shape(size))
        return lambda: plan_graph(plan)

    assert_linear(prepare, size=SIZE)


def test_a_task_holds_what_is_written_and_answers_for_the_rest() -> None:
    spec = checked(wide(1)).flow
    assert spec is not None
    (one,) = spec.tasks.values()
    assert set(vars(one)) == {"exec"}
    assert (one.after, one.env, one.join, one.timeout) == ([], {}, "all", None)


def test_tasks_that_say_nothing_of_a_rule_share_it() -> None:
    plan = compiled(layered(50))
    assert len({id(one.retry) for one in plan.tasks.values()}) == 1
    edges = [edge for one in plan.tasks.values() for edge in one.edges]
    assert len({id(edge) for edge in edges}) == len({edge.upstream for edge in edges})


def test_a_large_forecast_is_one_object_of_json_however_it_is_cut() -> None:
    plan = compiled(wide(2_001))
    made = json.loads("".join(json_parts(forecast(plan, "flow", {}, triggers={}, now=NOW))))
    assert [one["id"] for one in made["tasks"]] == list(plan.main)
