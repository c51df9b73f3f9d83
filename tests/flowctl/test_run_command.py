"""`flowctl run` from outside: exit codes, signals, the stream of events, what is refused before anything starts."""

from __future__ import annotations

import base64
import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, MIXED, home, is_alive, json_lines, start, write

Program = Any

ONE = "version: 1\ntasks:\n  a: {run: %s}\n"
WAITING = """\
version: 1
name: waiting
params:
  pipe: {type: path}
  trap: {type: string, default: ""}
tasks:
  hold:
    env: {PIPE: "${{ params.pipe }}", TRAP: "${{ params.trap }}"}
    grace: 60s
    run: |
      [ -z "$TRAP" ] || trap '' TERM
      sleep 1000 &
      echo "$$ $!" > "$PIPE"
      while true; do wait || true; done
  after: {after: [hold], run: echo never}
  cleanup: {after_end: [hold], run: echo clean}
"""


@pytest.fixture
def flowctl(program: Program, tmp_path: Path) -> Program:
    def run(*arguments: str, env: dict[str, str] | None = None) -> Any:
        return program(*arguments, env={**home(tmp_path), **(env or {})})

    return run


def test_a_flow_that_succeeds_exits_with_0_and_puts_its_outputs_on_stdout(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    done = flowctl("run", "hello", "-p", "name=Ada")
    assert (done.returncode, done.stdout) == (0, "length:=11\n")
    assert "greet: succeeded" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("run ")


def test_a_flow_that_fails_exits_with_1_and_shows_the_end_of_the_log(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "bad", ONE % "echo the reason; exit 9")
    done = flowctl("run", "bad", "-q")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")
    done = flowctl("run", "bad")
    assert done.returncode == 1
    assert "a failed: " in done.stderr
    assert "    the reason\n" in done.stderr


@pytest.mark.parametrize(
    "text", ["version: 1\ntasks: {}\n", "a: b: c", ONE % "[1]", "version: 1\ntasks:\n  a: {after: [b], run: 'true'}\n"]
)
def test_an_invalid_flow_exits_with_2_and_starts_nothing(flowctl: Program, tmp_path: Path, text: str) -> None:
    path = write(tmp_path, "bad", text)
    done = flowctl("run", str(path))
    assert (done.returncode, done.stdout) == (2, "")
    assert "error[FLOW" in done.stderr
    assert "Traceback" not in done.stderr
    assert flowctl("runs", "--json").stdout == '{"schema_version":1,"items":[],"next":null}\n'


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run"], "name one flow"),
        (["run", "hello", "-f", "hello"], "name one flow"),
        (["run", "nowhere"], "there is no flow `nowhere` here"),
        (["run", "hello", "-p", "nmae=x"], "there is no parameter `nmae`; did you mean `name`?"),
        (["run", "hello", "-p", "name"], "is not `-p NAME=VALUE`"),
        (["run", "hello", "--priority", "soon"], "`soon` is no priority"),
        (["run", "hello", "--env-file", "missing.env"], "cannot read `missing.env`"),
        (["run", "hello", "--params-file", "missing.yaml"], "cannot read `missing.yaml`"),
    ],
)
def test_wrong_usage_exits_with_2(flowctl: Program, tmp_path: Path, arguments: list[str], said: str) -> None:
    write(tmp_path, "hello", HELLO)
    done = flowctl(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_a_run_past_its_timeout_exits_with_124(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "slow", "version: 1\ntimeout: 100ms\ntasks:\n  a: {run: sleep 1000}\n")
    done = flowctl("run", "slow", "--json")
    assert done.returncode == 124
    summary = json_lines(done.stdout)[-1]
    assert summary["run"]["state"] == "failed"
    assert summary["tasks"]["a"]["state"] == "cancelled"


def _holding(folder: Path, *arguments: str) -> tuple[Any, list[int]]:
    """A run that holds, and the processes of its task: the script and what it has started."""
    write(folder, "waiting", WAITING)
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    process = start(folder, "run", "waiting", "-p", f"pipe={pipe}", *arguments)
    pids = [int(word) for word in pipe.read_text().split()]
    assert all(map(is_alive, pids))
    return process, pids


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_cancels_the_run_cleans_up_and_leaves_nothing_running(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    process, pids = _holding(tmp_path, "--json")
    process.send_signal(number)
    out, _ = process.communicate(timeout=30)
    assert process.returncode == code
    assert not any(map(is_alive, pids))
    summary = json_lines(out)[-1]
    assert summary["run"]["state"] == "cancelled"
    states = {name: task["state"] for name, task in summary["tasks"].items()}
    assert states == {"hold": "cancelled", "after": "blocked", "cleanup": "succeeded"}


def test_a_second_signal_ends_what_does_not_heed_the_first(tmp_path: Path) -> None:
    process, pids = _holding(tmp_path, "-p", "trap=yes", "--json")
    process.send_signal(signal.SIGINT)
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "attempt_stopping":
            break
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 130
    assert not any(map(is_alive, pids))


def test_the_stream_is_events_in_order_and_one_summary(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    done = flowctl("run", "hello", "--json")
    *events, summary = json_lines(done.stdout)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert (events[0]["type"], events[-1]["type"]) == ("run_submitted", "run_finished")
    assert (summary["schema_version"], summary["type"]) == (1, "summary")
    assert (summary["run"]["flow"], summary["run"]["state"]) == ("hello", "succeeded")
    assert {event["run"] for event in events} == {summary["run"]["id"]}
    assert list(summary["tasks"]) == ["greet", "measure"]
    assert {"state", "attempts", "round", "error"} <= set(summary["tasks"]["greet"])


def test_a_fan_out_has_counts_and_items(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    done = flowctl("run", "mixed", "--json")
    assert done.returncode == 1
    summary = json_lines(done.stdout)[-1]
    work = summary["tasks"]["work"]
    assert work["counts"] == {"total": 3, "succeeded": 2, "failed": 1}
    assert [(item["index"], item["key"], item["state"], item["attempts"]) for item in work["items"]] == [
        (0, "a", "succeeded", 1),
        (1, "b", "failed", 2),
        (2, "c", "succeeded", 1),
    ]
    assert work["attempts"] == 4
    assert work["items"][1]["error"]["exit_code"] == 3
    assert summary["tasks"]["last"]["state"] == "blocked"
    assert summary["tasks"]["last"]["cause"] == "work"
    assert summary["tasks"]["unwanted"]["state"] == "skipped"
    assert summary["hooks"]["failure.tell"]["state"] == "succeeded"


def test_nothing_sensitive_is_in_the_stream(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    done = flowctl("run", "mixed", "--json")
    assert "blue-badger-7" not in done.stdout + done.stderr
    assert json_lines(done.stdout)[-1]["run"]["params"] == {"badge": "***"}


def test_parameters_are_converted_by_their_types(flowctl: Program, tmp_path: Path) -> None:
    write(
        tmp_path,
        "typed",
        "version: 1\nparams:\n  n: {type: int, min: 1}\n  b: {type: bool}\n  l: {type: list, items: string}\n"
        "  d: {type: date}\ntasks:\n  a: {set: {n: '${{ params.n + 1 }}', l: '${{ params.l | length }}'}}\n"
        "outputs: {n: '${{ tasks.a.output.n }}', l: '${{ tasks.a.output.l }}'}\n",
    )
    (tmp_path / "p.json").write_text('{"l": ["x", "y"], "n": 1}')
    given = ["-p", "n=41", "-p", "b=true", "-p", "d=2026-02-03", "--params-file", "p.json"]
    summary = json_lines(flowctl("run", "typed", "--json", *given).stdout)[-1]
    assert summary["run"]["params"] == {"n": 41, "b": True, "l": ["x", "y"], "d": "2026-02-03"}
    assert summary["run"]["outputs"] == {"n": 42, "l": 2}


def test_all_problems_with_parameters_are_told_at_once(flowctl: Program, tmp_path: Path) -> None:
    write(
        tmp_path,
        "typed",
        "version: 1\nparams:\n  n: {type: int, min: 1}\n  c: {choices: [x, y]}\n  d: {type: date}\n"
        "tasks:\n  a: {run: 'true'}\n",
    )
    done = flowctl("run", "typed", "-p", "n=0", "-p", "c=z")
    assert done.returncode == 2
    for name in ("n", "c", "d"):
        assert f"`{name}`" in done.stderr


def test_variables_of_a_file_reach_tasks_and_a_flag_wins(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "vars", ONE % '"echo $A $B"')
    (tmp_path / "my.env").write_text("A=file\nB=file\n")
    assert flowctl("run", "vars", "-q", "--env-file", "my.env", "--env", "B=flag").returncode == 0
    assert flowctl("logs", "latest", "a").stdout == "file flag\n"


SECRET = "version: 1\nsecrets:\n  KEY: {from: 'env:MY_KEY'}\ntasks:\n  a:\n    env: {KEY: '${{ secrets.KEY }}'}\n    run: %s\n"


def test_a_missing_secret_exits_with_2_before_anything_starts(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "secret", SECRET % "echo hi")
    done = flowctl("run", "secret")
    assert done.returncode == 2
    assert "`MY_KEY` is not set" in done.stderr
    assert json.loads(flowctl("runs", "--json").stdout)["items"] == []


def test_a_secret_is_masked_in_logs_and_errors(flowctl: Program, tmp_path: Path) -> None:
    secret = "correct-horse-battery"
    script = '"echo \\"key $KEY\\"; printf %s \\"$KEY\\" | base64; echo \\"$KEY\\" >&2; exit 1"'
    write(tmp_path, "secret", SECRET % script)
    done = flowctl("run", "secret", "--json", env={"MY_KEY": secret})
    logs = flowctl("logs", "latest")
    events = flowctl("events", "latest", "--json")
    assert "key ***" in logs.stdout
    for hidden in (secret, base64.b64encode(secret.encode()).decode()):
        assert hidden not in done.stdout + done.stderr + logs.stdout + events.stdout


@pytest.mark.parametrize(
    ("task", "kind"),
    [
        ("{exec: [no-such-program-anywhere]}", "exit"),
        ("{run: 'true', workdir: /nowhere/at/all}", "exit"),
        ("{run: 'kill -9 $$'}", "signal"),
        ("{run: sleep 1000, timeout: 50ms}", "timeout"),
        ("{run: 'true', outputs: {x: {type: int}}}", "output"),
    ],
)
def test_what_goes_wrong_with_an_attempt_is_a_failure_of_the_task(
    flowctl: Program, tmp_path: Path, task: str, kind: str
) -> None:
    write(tmp_path, "bad", f"version: 1\ntasks:\n  a: {task}\n")
    done = flowctl("run", "bad", "--json")
    assert (done.returncode, done.stderr.count("Traceback")) == (1, 0)
    error = json_lines(done.stdout)[-1]["tasks"]["a"]["error"]
    assert error["kind"] == kind
    assert error["message"]
    if kind == "signal":
        assert error["signal"] == "KILL"


def test_a_dry_run_checks_everything_and_leaves_no_trace(flowctl: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    assert flowctl("run", "hello", "--dry-run").returncode == 0
    assert flowctl("run", "hello", "--dry-run", "-p", "x=1").returncode == 2
    assert not (tmp_path / "home" / "data").exists()


def test_a_flow_may_come_from_stdin(program: Program, tmp_path: Path) -> None:
    done = program("run", "-", "-q", env=home(tmp_path), input=HELLO)
    assert (done.returncode, done.stdout) == (0, "length:=13\n")


def test_a_closed_stdout_cancels_the_run_in_order(tmp_path: Path) -> None:
    write(tmp_path, "long", "version: 1\ntasks:\n  a: {run: sleep 1000}\n")
    process = start(tmp_path, "run", "long", "--json")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.stderr is not None
    said = process.stderr.read()
    assert process.wait(timeout=30) == 141
    process.stderr.close()
    assert "Traceback" not in said
    with start(tmp_path, "runs", "--json") as listed:
        assert json.loads(listed.communicate()[0])["items"][0]["state"] == "cancelled"


def test_a_script_that_was_refused_for_its_rate_climbs_a_ladder_of_its_own(flowctl: Program, tmp_path: Path) -> None:
    flow = """\
version: 1
name: rate
tasks:
  says:
    run: |
      [ "$FLOW_ATTEMPT" = 3 ] || { echo "error: Quota Exceeded, try later"; exit 1; }
    retry: {rate_limit: {delays: [0s]}}
  asks:
    run: |
      [ "$FLOW_ATTEMPT" = 2 ] || { echo '{"rate_limited": true, "retry_after": 0}' > "$FLOW_CONTROL"; exit 75; }
    retry: {rate_limit: {delays: [0s]}}
  not_a_word: {run: echo unthrottledly; exit 1, retry: {rate_limit: {delays: [0s]}}, allow_failure: true}
"""
    write(tmp_path, "rate", flow)
    done = flowctl("run", "rate", "--json")
    assert done.returncode == 0, done.stderr
    tasks = json_lines(done.stdout)[-1]["tasks"]
    assert {name: task["attempts"] for name, task in tasks.items()} == {"says": 3, "asks": 2, "not_a_word": 1}


def test_what_was_done_is_undone_when_the_run_fails(flowctl: Program, tmp_path: Path) -> None:
    flow = """\
version: 1
name: undone
params: {journal: {type: path}}
env: {JOURNAL: "${{ params.journal }}"}
tasks:
  first:
    run: echo "id=7" >> "$FLOW_OUTPUT"; echo "made 7" >> "$JOURNAL"
    outputs: {id: {type: string}}
    undo: {env: {ID: "${{ tasks.first.output.id }}"}, run: 'echo "unmade $ID" >> "$JOURNAL"'}
  second:
    after: [first]
    run: echo made second >> "$JOURNAL"
    undo: {run: echo unmade second >> "$JOURNAL"}
  third: {after: [second], run: exit 3}
"""
    write(tmp_path, "undone", flow)
    journal = tmp_path / "journal"
    done = flowctl("run", "undone", "-p", f"journal={journal}", "--json")
    assert done.returncode == 1
    assert journal.read_text().splitlines() == ["made 7", "made second", "unmade second", "unmade 7"]
    summary = json_lines(done.stdout)[-1]
    assert (summary["run"]["undo"], set(summary["undo"])) == ("complete", {"first", "second"})


def test_ancestors_run_again_when_a_task_asks_them_to(flowctl: Program, tmp_path: Path) -> None:
    flow = """\
version: 1
name: again
tasks:
  fetch: {run: 'echo "n:=$FLOW_ROUND" >> "$FLOW_OUTPUT"', outputs: {n: {type: int}}}
  check:
    after: [fetch]
    env: {N: "${{ tasks.fetch.output.n }}"}
    run: '[ "$N" -ge 3 ] || exit 42'
    retry_upstream: {tasks: [fetch], rounds: 5, errors: ["exit:42"]}
outputs: {n: "${{ tasks.fetch.output.n }}"}
"""
    write(tmp_path, "again", flow)
    done = flowctl("run", "again")
    assert (done.returncode, done.stdout) == (0, "n:=3\n"), done.stderr
