"""What a runner is handed: the environment in its order of precedence, what `FLOW_*` hold, and what is to be masked."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engine.attempts import AttemptKey, CallWork, CommandWork, ConnectorWork, Launch, ScriptWork
from engine.events import RunSubmitted
from engine.evolve import evolve, new_run
from engine.launching import Surroundings, make_launch
from engine.outcomes import Failure
from engine.parameters import bind_parameters
from engine.plan import Plan
from engine.retry import rate_pattern
from engine.run_files import RunFiles
from engine.secrets import Secrets
from engine.submission import given_environment, passed_environment
from tests.engine.driving import START, Driving, failed, plan_of

HOST = {
    "PATH": "/usr/bin",
    "HOME": "/root",
    "LANG": "C",
    "TZ": "UTC",
    "TMPDIR": "/var/tmp",
    "SHELL": "/bin/zsh",
    "PASSED": "host",
    "BOTH": "host",
    "TOKEN": "correct-horse",
}


def driving(plan: Plan, *, env: dict[str, str] | None = None, **params: Any) -> Driving:
    """A run submitted with variables of the command line."""
    run = Driving(plan, params)
    run.run = new_run(plan, "run")
    bound = bind_parameters(plan.params, {}, params)
    passed = passed_environment(plan, HOST, env or {})
    evolve(plan, run.run, RunSubmitted(START, plan.name, plan.digest, bound, env=passed, directory="/runs/run/work"))
    return run.start()


def launch_of(run: Driving, task: str, item: int | None = None) -> Launch | Failure:
    """The launch of the latest attempt of a task."""
    task_run = run.run.tasks[task]
    key = AttemptKey("run", task, item, task_run.round, task_run.unit(item).attempt)
    return make_launch(run.plan, run.run, key, Surroundings(HOST, RunFiles(Path("/runs")), Secrets(HOST)))


def launch(text: str, *, env: dict[str, str] | None = None, **params: Any) -> Launch:
    """The launch of the first attempt of task `a`."""
    run = driving(plan_of(text), env=env, **params)
    found = launch_of(run.admit("a"), "a")
    assert isinstance(found, Launch), found
    return found


# --- the environment ----------------------------------------------------------------------------------------------------


def test_a_task_gets_what_the_reference_names_and_nothing_else() -> None:
    env = launch("tasks: {a: {run: x}}").env
    named = {name for name in env if not name.startswith("FLOW_")}
    assert named == {"PATH", "HOME", "LANG", "TZ", "TMPDIR", "TRACEPARENT"}


@pytest.mark.parametrize(
    ("host_env", "flow", "command_line", "task", "value"),
    [
        (False, None, None, None, None),
        (True, None, None, None, "host"),
        (True, "flow", None, None, "flow"),
        (False, None, "line", None, "line"),
        (True, None, "line", None, "line"),
        (True, "flow", "line", None, "line"),
        (True, "flow", "line", "task", "task"),
        (False, "flow", None, "task", "task"),
    ],
)
def test_the_nearer_variable_wins(
    host_env: bool, flow: str | None, command_line: str | None, task: str | None, value: str | None
) -> None:
    parts = {
        "host_env": ["BOTH"] if host_env else [],
        "env": {"BOTH": flow} if flow else {},
        "tasks": {"a": {"run": "x", "env": {"BOTH": task} if task else {}}},
    }
    text = "\n".join(f"{key}: {json.dumps(part)}" for key, part in parts.items())
    found = launch(text, env={"BOTH": command_line} if command_line else {})
    assert found.env.get("BOTH") == value


def test_a_flow_may_replace_what_every_task_gets() -> None:
    assert launch("env: {PATH: /opt/bin}\ntasks: {a: {run: x}}").env["PATH"] == "/opt/bin"


def test_numbers_keep_their_written_form_and_values_are_written() -> None:
    found = launch("""
    params: {n: {type: int, default: 7}, day: {type: date, default: "2026-01-31"}}
    env: {BASE: "${{ params.n }}"}
    tasks: {a: {run: x, env: {A: 1.10, B: 0755, C: true, D: "${{ params.day }}", E: "${{ env.BASE }}-x"}}}
    """)
    assert [found.env[name] for name in "ABCDE"] == ["1.10", "0755", "true", "2026-01-31", "7-x"]


def test_what_host_env_lets_through_is_not_given_on() -> None:
    plan = plan_of("host_env: [PASSED, BOTH]\nenv: {BOTH: flow}\ntasks: {a: {run: x}}")
    carried = passed_environment(plan, HOST, {"GIVEN": "x"})
    assert carried == {"PASSED": "host", "GIVEN": "x"}
    assert given_environment(plan, HOST, carried) == {"GIVEN": "x"}


# --- FLOW_* -------------------------------------------------------------------------------------------------------------


def test_the_variables_of_an_attempt() -> None:
    run = driving(plan_of("tasks: {a: {run: x, retry: {attempts: 2, delay: 1s}}}"))
    first = launch_of(run.admit("a"), "a")
    run.end("a", failed()).wait(seconds=1)
    second = launch_of(run.admit("a"), "a")
    assert isinstance(first, Launch)
    assert isinstance(second, Launch)
    own = "/runs/run/attempts/a.1.2"
    expected = {
        "FLOW_RUN_ID": "run",
        "FLOW_NAME": "flow",
        "FLOW_TASK": "a",
        "FLOW_ATTEMPT": "2",
        "FLOW_ROUND": "1",
        "FLOW_RUN_DIR": "/runs/run/work",
        "FLOW_OUTPUT": f"{own}.output",
        "FLOW_OUTPUT_JSON": f"{own}.output.json",
        "FLOW_CONTROL": f"{own}.control",
        "FLOW_PROGRESS": f"{own}.progress",
        "FLOW_DEADLINE": (run.now + timedelta(hours=1)).isoformat(),
    }
    found = {name: value for name, value in second.env.items() if name in expected}
    assert found == expected
    assert set(second.env) - set(expected) - set(HOST) == {"FLOW_IDEMPOTENCY_KEY", "TRACEPARENT"}
    assert second.env["FLOW_IDEMPOTENCY_KEY"] == first.env["FLOW_IDEMPOTENCY_KEY"]
    trace = [one.env["TRACEPARENT"].split("-") for one in (first, second)]
    assert trace[0][:2] == trace[1][:2]
    assert trace[0][2] != trace[1][2]
    assert [len(part) for part in trace[0]] == [2, 32, 16, 2]


def test_items_have_keys_of_their_own() -> None:
    run = driving(plan_of("tasks: {a: {run: x, fan_out: {items: [{id: ä, n: 1}, {id: b, n: 2}], key: item.id}}}"))
    launches = [launch_of(run.admit("a", item), "a", item) for item in (0, 1)]
    envs = [one.env for one in launches if isinstance(one, Launch)]
    assert [env["FLOW_ITEM"] for env in envs] == ['{"id":"ä","n":1}', '{"id":"b","n":2}']
    assert [(env["FLOW_ITEM_INDEX"], env["FLOW_ITEM_KEY"]) for env in envs] == [("0", "ä"), ("1", "b")]
    assert envs[0]["FLOW_IDEMPOTENCY_KEY"] != envs[1]["FLOW_IDEMPOTENCY_KEY"]


def test_a_round_has_a_key_of_its_own() -> None:
    run = driving(plan_of("tasks: {a: {run: x}, b: {after: [a], run: x, retry_upstream: {tasks: [a], rounds: 1}}}"))
    first = launch_of(run.admit("a"), "a")
    run.end("a").do("b", failed())
    second = launch_of(run.admit("a"), "a")
    assert isinstance(first, Launch)
    assert isinstance(second, Launch)
    assert second.env["FLOW_ROUND"] == "2"
    assert first.env["FLOW_IDEMPOTENCY_KEY"] != second.env["FLOW_IDEMPOTENCY_KEY"]


def test_the_deadline_is_the_nearer_of_both_limits() -> None:
    text = "tasks: {{a: {{run: x, timeout: {timeout}, deadline: {deadline}}}}}"
    for timeout, deadline, seconds in (("60s", "2h", 60), ("30m", "1h", 1800), ("none", "90s", 90)):
        found = launch(text.format(timeout=timeout, deadline=deadline))
        assert found.env["FLOW_DEADLINE"] == (START + timedelta(seconds=seconds)).isoformat()
    assert "FLOW_DEADLINE" not in launch("tasks: {a: {run: x, timeout: none}}").env


def test_hooks_are_told_how_the_run_ended() -> None:
    run = driving(plan_of("tasks: {a: {run: x}, b: {run: x}}\nhooks: {failure: {tell: {run: x}}}"))
    run.do("a", failed()).do("b", failed()).admit("hooks.failure.tell")
    found = launch_of(run, "hooks.failure.tell")
    assert isinstance(found, Launch)
    assert (found.env["FLOW_STATUS"], found.env["FLOW_FAILED"]) == ("failed", "a,b")


def test_a_large_value_is_left_to_the_runner_to_spill() -> None:
    found = launch('params: {t: {}}\ntasks: {a: {run: x, env: {T: "${{ params.t }}"}}}', t="x" * 100_000)
    assert len(found.env["T"]) == 100_000


# --- work ---------------------------------------------------------------------------------------------------------------


def test_scripts_are_literal_and_arguments_are_never_split() -> None:
    script = launch("tasks: {a: {run: 'echo $X {{ y }}', shell: bash, success_codes: [0, 3]}}").work
    assert script == ScriptWork("echo $X {{ y }}", "bash", frozenset({0, 3}))
    work = launch(
        """
        params: {t: {}, many: {type: list, items: string}}
        tasks: {a: {exec: [echo, "${{ params.t }}", "-${{ params.t }}", "${{ params.many }}", 1.10]}}
        """,
        t="a b; rm",
        many=["x", "y z"],
    ).work
    assert isinstance(work, CommandWork)
    assert work.argv == ("echo", "a b; rm", "-a b; rm", "x", "y z", "1.10")


def test_a_callable_gets_typed_values() -> None:
    work = launch('params: {n: {type: int}}\ntasks: {a: {call: "m:f", with: {n: "${{ params.n }}", s: x}}}', n=3).work
    assert isinstance(work, CallWork)
    assert (work.target, work.arguments) == ("m:f", {"n": 3, "s": "x"})


def test_an_address_keeps_values_out_of_its_path() -> None:
    text = 'params: {p: {}}\ntasks: {a: {use: http.request, with: {url: "https://h/${{ params.p }}"}}}'
    work = launch(text, p="../x?y").work
    assert isinstance(work, ConnectorWork)
    assert work.arguments["url"] == "https://h/..%2Fx%3Fy"


def test_the_working_directory_starts_from_the_runs_own() -> None:
    assert launch("tasks: {a: {run: x}}").workdir == "/runs/run/work"
    assert launch('tasks: {a: {run: x, workdir: "${{ run.dir }}/src"}}').workdir == "/runs/run/work/src"
    assert launch("tasks: {a: {run: x, workdir: src}}").workdir == "/runs/run/work/src"


# --- secrets ------------------------------------------------------------------------------------------------------------

SECRET = 'secrets: {TOKEN: {from: "env:TOKEN"}, OTHER: {from: "env:NONE"}}\n'


def test_a_secret_reaches_the_environment_and_is_to_be_masked() -> None:
    found = launch(SECRET + 'tasks: {a: {run: x, env: {T: "Bearer ${{ secrets.TOKEN }}"}}}')
    assert found.env["T"] == "Bearer correct-horse"
    assert found.secrets == ("correct-horse",)


def test_a_secret_that_is_not_asked_for_is_not_fetched() -> None:
    assert launch(SECRET + "tasks: {a: {run: x}}").secrets == ()


def test_a_missing_secret_is_why_there_is_no_launch() -> None:
    run = driving(plan_of(SECRET + 'tasks: {a: {run: x, env: {T: "${{ secrets.OTHER }}"}}}'))
    found = launch_of(run.admit("a"), "a")
    assert found == Failure("secret", "secret `OTHER`: the variable `NONE` is not set")


def test_sensitive_parameters_are_to_be_masked_in_all_their_parts() -> None:
    text = """
    params:
      a: {sensitive: true}
      n: {type: int, sensitive: true}
      m: {type: map, sensitive: true}
      short: {sensitive: true}
      plain: {}
    tasks: {a: {run: x}}
    """
    found = launch(text, a="hunter2", n=123456, m={"k": ["inner-value", True, 12]}, short="abc", plain="public")
    assert set(found.secrets) == {"hunter2", "123456", "inner-value"}


# --- what failures are looked for ---------------------------------------------------------------------------------------


def test_patterns_to_look_for_come_from_the_retry() -> None:
    found = launch("""
    tasks:
      a: {run: x, retry: {attempts: 2, errors: ["output~try again"], never: ["output~give up"], rate_limit: {match: [slow]}}}
    """)
    assert found.patterns == ("try again", "give up", rate_pattern("slow"))
