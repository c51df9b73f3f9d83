"""`flowctl plan` from outside."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.flowctl.commands import HELLO, write

Program = Any

PICKY = """\
version: 1
name: picky
params:
  day: {type: date}
  mode: {type: string, default: full, choices: [full, quick]}
  badge: {type: string, default: blue-badger-7, sensitive: true}
triggers:
  nightly: {cron: "30 2 * * *", timezone: Europe/Berlin, params: {day: "2026-01-01"}}
tasks:
  fetch: {env: {DAY: "${{ params.day }}"}, run: echo fetch, retry: {attempts: 3}}
  index: {after: [fetch], if: params.mode == 'full', run: echo index}
  report: {after: [index], run: echo report}
  publish: {after: [fetch, index], run: echo publish}
"""


def plan(program: Program, *arguments: str) -> dict[str, Any]:
    done = program("plan", *arguments, "--json")
    assert done.returncode == 0, done.stderr
    shape: dict[str, Any] = json.loads(done.stdout)
    return shape


def test_waves_inputs_rules_and_start_times_are_shown(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "picky", PICKY)
    done = program("plan", "picky", "-p", "day=2026-02-03")
    assert done.returncode == 0
    text = done.stdout
    for said in ("picky: 4 tasks in 3 waves", "wave 1", "DAY=${{ params.day }}", "attempts 3 (2 retries)", "nightly"):
        assert said in text
    assert "longest way: 3 tasks" in text
    assert max(map(len, text.splitlines())) <= 120
    assert "blue-badger-7" not in text


def test_the_reason_is_given_for_what_will_not_run(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "picky", PICKY)
    shape = plan(program, "picky", "-p", "day=2026-02-03", "-p", "mode=quick")
    reasons = {task["id"]: task["not_run"] for task in shape["tasks"]}
    assert reasons == {
        "fetch": None,
        "index": "`if: params.mode == 'full'` is false",
        "report": "`index` does not run",
        "publish": None,
    }


def test_a_missing_parameter_is_named_and_the_rest_is_shown(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "picky", PICKY)
    done = program("plan", "picky")
    assert done.returncode == 0
    assert "warning: a run needs `day`" in done.stderr
    assert "day  required, not given (date)" in done.stdout
    sources = {one["name"]: one["source"] for one in plan(program, "picky", "-p", "mode=quick")["parameters"]}
    assert sources == {"day": "missing", "mode": "given", "badge": "default"}


def test_a_parameter_that_does_not_fit_exits_with_2(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "picky", PICKY)
    for given in ("mode=slow", "dya=2026-01-01", "day=soon"):
        done = program("plan", "picky", "-p", given)
        assert (done.returncode, done.stdout) == (2, "")
        assert done.stderr.startswith("error: ")


def test_an_invalid_flow_exits_with_2_and_shows_what_is_wrong(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "bad", "version: 1\ntasks:\n  a: {after: [b], run: 'true'}\n")
    done = program("plan", "bad")
    assert (done.returncode, done.stdout) == (2, "")
    assert "error[FLOW201]" in done.stderr


def test_planning_makes_no_store_and_starts_nothing(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    home = tmp_path / "elsewhere"
    assert program("plan", "hello", env={"FLOWCTL_HOME": str(home)}).returncode == 0
    assert not home.exists()


def test_durations_come_from_earlier_successful_runs(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    before = {task["id"]: task["duration_s"] for task in plan(program, "hello")["tasks"]}
    assert before == {"greet": None, "measure": None}
    program("run", "hello", "-q")
    shown = json.loads(program("show", "latest", "--json").stdout)
    after = {task["id"]: task["duration_s"] for task in plan(program, "hello")["tasks"]}
    assert after["greet"] == shown["tasks"]["greet"]["duration_s"]
    assert "took" in program("plan", "hello").stdout


def test_a_flow_from_stdin_can_be_planned(program: Program) -> None:
    done = program("plan", "-", input=HELLO)
    assert done.returncode == 0
    assert done.stdout.startswith("hello: 2 tasks in 2 waves")
