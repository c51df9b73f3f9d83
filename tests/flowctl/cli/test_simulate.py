"""`flowctl simulate` and `flowctl test` as programs: what they print, and with which code they end."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.flowctl.conftest import Program

FLOW = """\
version: 1
params: {n: {type: int, default: 2}}
host_env: [REGION]
triggers:
  daily: {cron: "0 6 * * *", params: {n: 5}}
  never: {cron: "0 6 * * *", if: trigger.name == 'daily'}
  pushed: {webhook: {path: /a, signature: {scheme: standard, secret: KEY}}}
secrets: {KEY: {from: "env:NOT_SET"}}
tasks:
  load: {run: echo, retry: {attempts: 3, delay: 10s}, outputs: {rows: {type: int}}}
  route:
    after: [load]
    branch: [{if: tasks.load.output.rows > 10, then: [many]}, {else: [few]}]
  many: {run: echo}
  few: {exec: [tool, "${{ env.REGION | default('none') }}"]}
  each: {after: [few], run: echo, fan_out: {items: [a, b], key: item}}
outputs: {rows: "${{ tasks.load.output.rows }}"}
"""


@pytest.fixture(autouse=True)
def _flow(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")


def test_a_simulation_prints_what_would_happen_and_when(program: Program) -> None:
    done = program(
        "simulate", "flow.yaml", "--fail", "load:exit:9@1", "--duration", "few=1m", "--stub", 'load={"rows": 3}'
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[:2] == [
        "00:00:00.000  load     attempt 1 starts",
        "00:00:01.000  load     attempt 1 failed (exit): stubbed failure `exit:9`",
    ]
    assert lines[2].startswith("00:00:01.000  load     again at 00:00:")
    words = [line.split("  ", 1)[1] for line in lines if "  " in line]
    assert "load     succeeded: rows=3" in words
    assert "route    takes arm 2: `few`" in words
    assert "many     skipped: no arm of `route` takes it" in words
    assert "each     2 items" in words
    assert lines[-1] == "rows:=3"
    assert lines[-2].startswith("succeeded after 00:01:")


def test_the_same_call_prints_the_same_bytes(program: Program, tmp_path: Path) -> None:
    arguments = ("simulate", "flow.yaml", "--fail", "load@1", "--fail", "each.b", "--seed", "7", "--json")
    first, second = program(*arguments), program(*arguments)
    other = program("simulate", "flow.yaml", "--fail", "load@1", "--fail", "each.b", "--seed", "8", "--json")
    assert first.stdout == second.stdout
    assert first.stdout != other.stdout
    assert first.returncode == 1


def test_no_order_of_sets_shows_in_a_trace(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "flowctl", "simulate", "flow.yaml", "--json", "--fail", "load@1", "--fail", "each"]
    printed = [
        subprocess.run(
            command,
            cwd=tmp_path,
            env={"PATH": os.environ["PATH"], "FLOWCTL_HOME": str(tmp_path / "home"), "PYTHONHASHSEED": seed},
            capture_output=True,
            check=False,
        ).stdout
        for seed in ("1", "2")
    ]
    assert printed[0]
    assert printed[0] == printed[1]


def test_json_has_an_object_for_each_event_and_a_summary(program: Program) -> None:
    done = program("simulate", "flow.yaml", "--json")
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["type"] for one in objects[:2]] == ["run_submitted", "run_started"]
    assert objects[-1]["type"] == "summary"
    assert objects[-1]["run"]["state"] == "succeeded"
    assert objects[-2]["t_s"] == 3.0


def test_a_file_of_stubs_and_flags_over_it(program: Program, tmp_path: Path) -> None:
    (tmp_path / "stubs.yaml").write_text("version: 1\nstubs: {load: {outputs: {rows: 50}, duration: 5s}}\n")
    done = program("simulate", "flow.yaml", "--stubs", "stubs.yaml", "--fail", "many")
    assert done.returncode == 1
    assert "00:00:05.000  load   succeeded: rows=50" in done.stdout
    assert "failed after 00:00:06.000: `many`: stubbed failure `exit`" in done.stdout


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--fail", "laod"), "`flow` has no task `laod`"),
        (("--fail", "route"), "`route` starts nothing that could be stubbed"),
        (("--fail", "load.1"), "`load` does not fan out"),
        (("--fail", "load:exti"), "unknown error name `exti`"),
        (("--fail", "load@0"), "has not the form of this flag"),
        (("--fail", "load/x"), "`load` of `flow` calls no flow"),
        (("--fail", "each.b/x"), "`each` of `flow` calls no flow"),
        (("--stub", "load=3"), "outputs are an object"),
        (("--stub", "load={"), "not JSON"),
        (("--stub", 'load={"row": 1}'), "`load` declares no output `row`"),
        (("--stub", 'load={"rows": "x"}'), "output `rows` of `load` is no `int`"),
        (("--duration", "load=5"), "`5` is not a duration"),
        (("--at", "noon"), "`noon` is not a time"),
        (("--stubs", "nowhere.yaml"), "`nowhere.yaml` cannot be read"),
        (("-p", "m=1"), "there is no parameter `m`"),
        (("--schedule", "0"), "greater than or equal to 1"),
    ],
)
def test_a_flag_that_cannot_be_meant_is_refused(program: Program, flags: tuple[str, ...], said: str) -> None:
    done = program("simulate", "flow.yaml", *flags)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_variables_of_the_machine_reach_tasks_where_the_flow_lets_them(program: Program) -> None:
    done = program("simulate", "flow.yaml", "--json", env={"REGION": "eu", "OTHER": "x"})
    submitted = json.loads(done.stdout.splitlines()[0])
    assert submitted["env"] == {"REGION": "eu"}


def test_schedules_are_shown_with_the_runs_they_would_make(program: Program) -> None:
    done = program("simulate", "flow.yaml", "--schedule", "2", "--at", "2026-03-01T00:00:00Z")
    assert done.returncode == 0
    assert done.stdout.splitlines() == [
        "2026-03-01T06:00:00+00:00  daily  n=5  succeeded after 00:00:03.000",
        "2026-03-01T06:00:00+00:00  never  skipped: the `if` of the trigger is false",
        "2026-03-02T06:00:00+00:00  daily  n=5  succeeded after 00:00:03.000",
        "2026-03-02T06:00:00+00:00  never  skipped: the `if` of the trigger is false",
    ]


def test_what_the_engine_cannot_decide_is_refused_with_its_place(program: Program, tmp_path: Path) -> None:
    (tmp_path / "ask.yaml").write_text(
        "version: 1\ntasks:\n  ask: {approval: {prompt: go on, approvers: [me]}}\n  hold: {wait: {signal: go}}\n"
    )
    done = program("simulate", "ask.yaml")
    assert done.returncode == 2
    assert "ask.yaml:3:9" in done.stderr
    assert "ask.yaml:4:17" in done.stderr


def test_what_run_refuses_and_the_engine_decides_is_simulated_and_told_of(program: Program, tmp_path: Path) -> None:
    (tmp_path / "pool.yaml").write_text("version: 1\npools: {db: {slots: 1}}\ntasks: {a: {run: echo, pool: db}}\n")
    assert program("run", "pool.yaml").returncode == 2
    done = program("simulate", "pool.yaml")
    assert done.returncode == 0
    assert "simulated without `pool`" in done.stderr


def test_a_task_of_a_called_flow_is_named_by_its_callers(program: Program, tmp_path: Path) -> None:
    (tmp_path / "outer.yaml").write_text(
        "version: 1\ntasks: {call: {flow: inner.yaml, fan_out: {items: [a, b], key: item, tolerate: 1}}}\n"
    )
    (tmp_path / "inner.yaml").write_text("version: 1\ntasks: {work: {run: echo}, more: {run: echo}}\n")
    one = program("simulate", "outer.yaml", "--fail", "call.b/work", "--duration", "call/more=5s")
    assert one.returncode == 0
    assert "call[a]/work  succeeded" in one.stdout
    assert "call[b]/work  failed finally (exit): stubbed failure `exit`" in one.stdout
    assert one.stdout.count("00:00:05.000") > 1
    assert program("simulate", "outer.yaml", "--fail", "call/work").returncode == 1


def test_nothing_is_left_behind(program: Program, tmp_path: Path) -> None:
    before = sorted(tmp_path.iterdir())
    program("simulate", "flow.yaml", env={"FLOWCTL_HOME": str(tmp_path / "home")})
    assert sorted(tmp_path.iterdir()) == before


# --- flowctl test -------------------------------------------------------------------------------------------------------

TESTS = """\
version: 1
cases:
  many rows: {stubs: {load: {outputs: {rows: 99}}}, expect: {tasks: {many: succeeded}}}
  few rows: {expect: {tasks: {few: failed}}}
"""


def test_a_difference_is_shown_under_its_line(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flow.test.yaml").write_text(TESTS)
    done = program("test")
    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "ok     flow.test.yaml: many rows (2s)",
        "FAILED flow.test.yaml: few rows",
        "  `few`: expected `failed`, found `succeeded`",
        "    --> flow.test.yaml:4:36",
        "    4 |   few rows: {expect: {tasks: {few: failed}}}",
        "      |                                    ^^^^^^",
    ]
    assert done.stderr.strip() == "1 failed, 1 passed"


def test_a_filter_chooses_cases_and_their_result_counts(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flow.test.yaml").write_text(TESTS)
    assert program("test", "flow.yaml", "--filter", "many").returncode == 0
    assert program("test", "flow.yaml", "--filter", "nothing").returncode == 2


def test_coverage_below_the_least_fails(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flow.test.yaml").write_text(TESTS)
    done = program("test", "--filter", "many", "--coverage", "--min", "50.1")
    assert done.returncode == 1
    assert "not reached: arm 2 of `route`" in done.stdout
    assert "  total" in done.stdout
    assert program("test", "--filter", "many", "--coverage", "--min", "10").returncode == 0
    assert program("test", "--min", "10").returncode == 2


def test_a_file_that_is_no_test_does_not_keep_the_others_from_running(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flow.test.yaml").write_text(TESTS)
    (tmp_path / "other.test.yaml").write_text("version: 1\nflow: flow.yaml\ncases: {a: {expects: {}}}\n")
    done = program("test", "--json", "--coverage")
    assert done.returncode == 2
    objects = [json.loads(line) for line in done.stdout.splitlines()]
    assert objects[0]["code"] == "FLOW110"
    assert [one["passed"] for one in objects if one.get("type") == "case"] == [True, False]
    assert objects[-1] == {"schema_version": 1, "type": "summary", "passed": 1, "failed": 1, "unsound": 1}


def test_junit_is_one_document(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flow.test.yaml").write_text(TESTS)
    done = program("test", "--format", "junit")
    assert done.stdout.startswith('<?xml version="1.0" encoding="UTF-8"?>\n<testsuites')
    assert done.stdout.rstrip().endswith("</testsuites>")


@pytest.mark.parametrize("arguments", [(), ("nowhere.yaml",), ("flow.yaml",), ("",)])
def test_no_tests_are_told_of(program: Program, arguments: tuple[str, ...]) -> None:
    done = program("test", *arguments)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


def test_a_new_project_passes_its_test(program: Program) -> None:
    assert program("init", "new").returncode == 0
    done = program("-C", "new", "test", "--coverage", "--min", "100")
    assert done.returncode == 0, done.stdout
