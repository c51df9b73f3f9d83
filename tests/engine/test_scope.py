"""What the names of an expression hold (`LANGUAGE.md` 13)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from engine.outcomes import Ending, Outcome
from engine.scope import flow_scope, task_scope
from specs.expressions import EvaluationError, evaluate, parse
from tests.engine.driving import OK, START, Driving, failed, plan_of

FLOW = """
params: {name: {}, day: {type: date, default: "2026-01-31"}, at: {type: datetime, default: "2026-01-31T08:00:00+02:00"}}
env: {GREETING: "hello ${{ params.name }}"}
tasks:
  a: {run: x, outputs: {n: {type: int}}, allow_failure: true}
  f: {run: x, fan_out: {items: [10, 20, 30], key: "'k' ~ item", tolerate: 2}, outputs: {v: {type: int}}}
  z: {after_end: [a, f], run: x}
hooks:
  complete: {one: {run: x}, two: {after: [one], run: x}}
"""


@pytest.fixture
def run() -> Driving:
    return Driving(plan_of(FLOW), {"name": "you"}).start()


def value(run: Driving, text: str, task: str = "z", item: int | None = None) -> Any:
    """What an expression of a task gives now."""
    return evaluate(parse(text), task_scope(run.plan, run.run, task, item))


def is_undefined(run: Driving, text: str) -> bool:
    """Whether an expression fails because of a name that holds nothing; `default` sees the same."""
    with pytest.raises(EvaluationError, match="undefined"):
        value(run, text)
    found: str = value(run, f"{text} | default('nothing')")
    return found == "nothing"


def output(**values: Any) -> Outcome:
    return Outcome(Ending.SUCCEEDED, output=values)


def test_parameters_are_typed_and_env_is_what_tasks_get(run: Driving) -> None:
    assert value(run, "params.name") == "you"
    assert value(run, "params.day | shift('1d') | date") == "2026-02-01"
    assert value(run, "params.at | datetime") == "2026-01-31T08:00:00+02:00"
    assert value(run, "env.GREETING") == "hello you"
    assert is_undefined(run, "env.NOTHING")


def test_the_run_and_its_trigger(run: Driving) -> None:
    assert value(run, "[run.id, run.name, run.dir, run.trigger]") == ["run", "flow", "/runs/run/work", "manual"]
    assert value(run, "run.started_at") == START.isoformat()
    assert value(run, "run.scheduled_at") == START.isoformat()
    assert is_undefined(run, "trigger.body")


def test_a_task_reads_what_those_before_it_have_given(run: Driving) -> None:
    assert is_undefined(run, "tasks.a.output.n")
    assert is_undefined(run, "tasks.a.error.kind")
    assert is_undefined(run, "tasks.a.started_at")
    run.admit("a").wait(seconds=3).end("a", output(n=7))
    assert value(run, "[tasks.a.status, tasks.a.output.n, tasks.a.attempt, tasks.a.round]") == ["succeeded", 7, 1, 1]
    assert value(run, "tasks.a.duration") == 3
    assert value(run, "tasks.a.ended_at") == (START + timedelta(seconds=3)).isoformat()
    assert is_undefined(run, "tasks.a.error.kind")
    assert is_undefined(run, "tasks.a.outputs")
    assert is_undefined(run, "tasks.nobody")


def test_a_failed_task_has_an_error_and_no_output(run: Driving) -> None:
    run.do("a", failed(exit_code=7))
    assert value(run, "[tasks.a.status, tasks.a.error.kind, tasks.a.error.exit_code]") == ["failed", "exit", 7]
    assert value(run, "tasks.a.error.message") == "failed with exit"
    assert is_undefined(run, "tasks.a.error.http_status")
    assert is_undefined(run, "tasks.a.output.n")


def test_a_fan_out_comes_back_as_lists_in_item_order(run: Driving) -> None:
    assert is_undefined(run, "tasks.z.counts")
    for item, outcome in ((2, output(v=3)), (0, failed(exit_code=9)), (1, output(v=2))):
        run.do("f", outcome, item)
    assert value(run, "tasks.f.outputs") == [None, {"v": 2}, {"v": 3}]
    assert value(run, "tasks.f.outputs | compact | pluck('v')") == [2, 3]
    assert value(run, "tasks.f.counts") == {"total": 3, "succeeded": 2, "failed": 1}
    assert value(run, "tasks.f.results | first") == {
        "index": 0,
        "key": "k10",
        "item": 10,
        "status": "failed",
        "output": None,
        "error": {"kind": "exit", "message": "failed with exit", "exit_code": 9, "http_status": None},
        "attempts": 1,
    }
    assert is_undefined(run, "tasks.f.output")


def test_an_item_knows_itself(run: Driving) -> None:
    assert value(run, "[item, item_index, item_key]", "f", 1) == [20, 1, "k20"]
    assert is_undefined(run, "item")
    assert value(run, "task", "z") == {"id": "z", "attempt": 0, "round": 1}


def test_hooks_see_the_result_and_each_other(run: Driving) -> None:
    run.do("a", failed())
    for item in range(3):
        run.do("f", failed(), item)
    run.do("z").do("hooks.complete.one")
    assert value(run, "[run.status, run.failed, run.warnings]", "hooks.complete.two") == ["failed", ["f"], 1]
    assert value(run, "tasks.one.status", "hooks.complete.two") == "succeeded"
    assert value(run, "tasks.a.status", "hooks.complete.two") == "failed"
    assert value(run, "task.id", "hooks.complete.two") == "two"
    assert is_undefined(run, "tasks.one")
    assert is_undefined(run, "tasks['hooks.complete.one']")


def test_no_secret_is_in_reach_of_a_flow() -> None:
    run = Driving(plan_of('secrets: {S: {from: "env:S"}}\ntasks: {z: {run: x}}')).start()
    assert is_undefined(run, "secrets.S")
    assert "secrets" not in flow_scope(run.plan, run.run)


def test_an_empty_fan_out_gives_empty_lists() -> None:
    run = Driving(plan_of("tasks: {f: {run: x, fan_out: {items: []}}, z: {after: [f], run: x}}")).start()
    assert value(run, "[tasks.f.outputs, tasks.f.results]") == [[], []]
    assert value(run, "tasks.f.counts") == {"total": 0, "succeeded": 0, "failed": 0}


def test_the_latest_round_is_what_is_read() -> None:
    run = Driving(
        plan_of("""
        tasks:
          a: {run: x, outputs: {n: {type: int}}}
          z: {after: [a], run: x, retry_upstream: {tasks: [a], rounds: 1}}
        """)
    ).start()
    run.do("a", output(n=1)).do("z", failed())
    assert is_undefined(run, "tasks.a.output.n")
    run.do("a", output(n=2))
    assert value(run, "[tasks.a.output.n, tasks.a.round]") == [2, 2]
    assert run.do("z", OK).states() == {"a": "succeeded", "z": "succeeded"}
