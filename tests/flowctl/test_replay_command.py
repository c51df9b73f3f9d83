"""`flowctl replay`, and `flowctl show --at`: the log makes what is stored, and what was stored before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, MIXED, json_lines, start, write
from tests.flowctl.operating import ask, change, here, ran, store_of

__all__ = ["here"]

Here = Callable[..., Any]

RESET = """\
version: 1
name: again
tasks:
  make:
    fan_out: {items: [a, b, c]}
    run: echo made
  look:
    after: [make]
    retry_upstream: {tasks: [make], rounds: 2}
    run: |
      [ -e "$FLOW_RUN_DIR/seen" ] || { touch "$FLOW_RUN_DIR/seen"; exit 1; }
"""


@pytest.fixture
def mixed(here: Here, tmp_path: Path) -> str:
    """The id of a run with a fan-out, retries, a sub-flow, hooks, and tasks that were skipped, blocked and failed."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    return ran(here, "mixed")


def test_every_run_is_proven(here: Here, mixed: str) -> None:
    one = here("replay", mixed)
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout.startswith(f"run {mixed} of mixed: ")
    assert one.stdout.endswith(" events make what is stored\n")
    every = here("replay", "--all", "--json")
    assert every.returncode == 0
    shapes = json_lines(every.stdout)
    assert [shape["holds"] for shape in shapes] == [True, True]
    assert {shape["flow"] for shape in shapes} == {"hello", "mixed"}
    assert "2 runs proven" in every.stderr


# What is changed in the store, and where and in which field the difference is found.
TAMPERED: dict[str, tuple[str, str, str]] = {
    "state of a task": ("UPDATE tasks SET state = 'succeeded' WHERE task = 'work' AND item = -1", "task work", "state"),
    "item": ("UPDATE tasks SET attempts = 9 WHERE task = 'work' AND item = 1", "task work[1]", "attempts"),
    "lost task": ("DELETE FROM tasks WHERE task = 'first'", "task first", "row"),
    "new task": ("UPDATE tasks SET task = 'other' WHERE task = 'first'", "task first", "row"),
    "attempt": ("UPDATE attempts SET exit_code = 4 WHERE exit_code = 3", "attempt 1.1 of work[1]", "exit_code"),
    "lost attempt": ("DELETE FROM attempts WHERE task = 'first'", "attempt 1.1 of first", "row"),
    "state of the run": ("UPDATE runs SET state = 'succeeded' WHERE flow = 'mixed'", "run", "state"),
    "number": ("UPDATE runs SET seq = seq - 1 WHERE flow = 'mixed'", "run", "state"),
    "counts": ("UPDATE tasks SET counts = '{\"total\":3}' WHERE counts IS NOT NULL", "task work", "counts"),
    "type of an event": ("UPDATE events SET type = 'task_failed' WHERE type = 'task_queued'", "log", "event"),
    "unknown event": ("UPDATE events SET type = 'nonsense' WHERE seq = 3", "log", "event"),
    "lost event": ("DELETE FROM events WHERE seq = 3", "log", "seq"),
    "no events": ("DELETE FROM events", "log", "row"),
    "field of an event": ("UPDATE events SET data = '{}' WHERE type = 'attempt_finished'", "log", "event"),
    "time of an event": ("UPDATE events SET at = at + 1 WHERE type = 'run_started'", "run", "started_at"),
}


@pytest.mark.parametrize("name", TAMPERED)
def test_what_does_not_follow_from_the_log_is_found(here: Here, mixed: str, tmp_path: Path, name: str) -> None:
    statement, place, field = TAMPERED[name]
    change(store_of(tmp_path), statement)
    done = here("replay", mixed, "--json")
    assert done.returncode == 1
    found = json.loads(done.stdout)
    assert not found["holds"]
    assert (found["difference"]["place"], found["difference"]["field"]) == (place, field)
    text = here("replay", mixed)
    assert text.returncode == 1
    assert f"event {found['difference']['seq']}: {place}, `{field}`: stored " in text.stdout
    every = here("replay", "--all")
    assert every.returncode == 1
    assert mixed in every.stdout


def test_the_difference_names_the_event_that_wrote_the_row(here: Here, mixed: str, tmp_path: Path) -> None:
    (seq,) = ask(store_of(tmp_path), "SELECT seq FROM events WHERE task = 'first' AND type = 'task_succeeded'")
    change(store_of(tmp_path), "UPDATE tasks SET state = 'failed' WHERE task = 'first'")
    found = json.loads(here("replay", mixed, "--json").stdout)["difference"]
    assert found == {"seq": seq, "place": "task first", "field": "state", "stored": "failed", "folded": "succeeded"}


def test_sensitive_values_are_not_told(here: Here, mixed: str, tmp_path: Path) -> None:
    change(store_of(tmp_path), "UPDATE runs SET params = '{\"badge\":\"red-badger-8\"}' WHERE flow = 'mixed'")
    done = here("replay", mixed)
    assert done.returncode == 1
    assert "`params`" in done.stdout
    assert "badger" not in done.stdout


def test_a_run_whose_flow_is_lost_is_not_proven(here: Here, mixed: str, tmp_path: Path) -> None:
    change(store_of(tmp_path), "UPDATE specs SET files = '{\"mixed.yaml\":\"nonsense\"}' WHERE flow = 'mixed'")
    done = here("replay", mixed, "--json")
    assert done.returncode == 1
    assert "is not a valid flow" in json.loads(done.stdout)["unproven"]
    assert "1 run proven, 1 not" in here("replay", "--all").stderr


def test_one_run_or_all_must_be_asked_for(here: Here, mixed: str) -> None:
    for arguments in ([], [mixed, "--all"]):
        done = here("replay", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
    assert here("replay", "zzzzzz").returncode == 4


def test_a_run_under_way_is_proven_as_far_as_it_has_come(here: Here, tmp_path: Path) -> None:
    write(tmp_path, "slow", "version: 1\nname: slow\ntasks:\n  a: {run: echo ready; read line < ../../../../gate}\n")
    gate = tmp_path / "home" / "gate"
    gate.parent.mkdir()
    import os

    os.mkfifo(gate)
    process = start(tmp_path, "run", "slow", "--json")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            if json.loads(line)["type"] == "attempt_started":
                break
        done = here("replay", "latest", "--json")
        assert (done.returncode, json.loads(done.stdout)["holds"]) == (0, True)
        past = json.loads(here("show", "latest", "--at", "1", "--json").stdout)
        assert past["run"]["state"] == "queued"
    finally:
        process.terminate()
        process.communicate()


# --- show --at ----------------------------------------------------------------------------------------------------------


def test_the_run_after_its_last_event_is_the_run(here: Here, mixed: str, tmp_path: Path) -> None:
    (last,) = ask(store_of(tmp_path), "SELECT seq FROM runs WHERE id = ?", mixed)
    now, then = here("show", mixed, "--json"), here("show", mixed, "--at", str(last), "--json")
    assert json.loads(then.stdout) == json.loads(now.stdout)
    assert here("show", mixed, "--at", str(last)).stdout == here("show", mixed).stdout
    task = ["--task", "work"]
    assert here("show", mixed, "--at", str(last), *task).stdout == here("show", mixed, *task).stdout


def test_each_event_moves_the_run_one_step(here: Here, mixed: str, tmp_path: Path) -> None:
    rows = ask(store_of(tmp_path), "SELECT seq, type, task FROM events WHERE run_id = ? AND item IS NULL", mixed)
    states = {
        "task_queued": "queued",
        "task_succeeded": "succeeded",
        "task_blocked": "blocked",
        "task_skipped": "skipped",
    }
    looked = 0
    for seq, kind, task in rows:
        if kind in states and "." not in task:
            shape = json.loads(here("show", mixed, "--at", str(seq), "--json").stdout)
            assert shape["tasks"][task]["state"] == states[kind]
            looked += 1
    assert looked > 4


def test_a_task_is_shown_with_the_attempts_and_the_output_it_had(here: Here, mixed: str, tmp_path: Path) -> None:
    query = "SELECT min(seq) FROM events WHERE run_id = ? AND task = 'work' AND type = 'attempt_finished'"
    (first_end,) = ask(store_of(tmp_path), query, mixed)
    before = here("show", mixed, "--task", "work", "--at", str(first_end - 1)).stdout
    after = here("show", mixed, "--task", "work").stdout
    assert before.count(" running ") > after.count(" running ") == 0
    query = "SELECT seq FROM events WHERE run_id = ? AND task = 'child' AND type = 'attempt_finished'"
    (end,) = ask(store_of(tmp_path), query, mixed)
    assert "\noutput\n  length:=" in here("show", mixed, "--task", "child", "--at", str(end)).stdout
    assert "\noutput\n" not in here("show", mixed, "--task", "child", "--at", str(end - 1)).stdout


def test_a_time_means_the_last_event_until_then(here: Here, mixed: str, tmp_path: Path) -> None:
    (at,) = ask(
        store_of(tmp_path),
        "SELECT strftime('%Y-%m-%dT%H:%M:%S', at / 1000000, 'unixepoch') || '.' || substr(1000000 + at % 1000000, 2) || 'Z'"
        " FROM events WHERE run_id = ? AND seq = 1",
        mixed,
    )
    shape = json.loads(here("show", mixed, "--at", at, "--json").stdout)
    assert (shape["run"]["state"], shape["run"]["started_at"]) == ("queued", None)
    later = json.loads(here("show", mixed, "--at", "2999-01-01T00:00:00Z", "--json").stdout)
    assert later == json.loads(here("show", mixed, "--json").stdout)


@pytest.mark.parametrize(
    ("at", "code", "said"),
    [
        ("0", 2, "is the number of no event"),
        ("9" * 30, 2, "is the number of no event"),
        ("nonsense", 2, "is no time"),
        ("2026-01-01T00:00:00", 2, "is no time"),
        ("99999", 4, "has no event 99999"),
        ("2001-01-01T00:00:00Z", 4, "was not there yet"),
        ("3650d", 4, "was not there yet"),
    ],
)
def test_a_moment_that_is_none_is_refused(here: Here, mixed: str, at: str, code: int, said: str) -> None:
    done = here("show", mixed, "--at", at)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_sensitive_values_are_hidden_in_the_past_too(here: Here, mixed: str) -> None:
    assert "badge=***" in here("show", mixed, "--at", "3").stdout


def test_rounds_that_were_reset_are_proven(here: Here, tmp_path: Path) -> None:
    write(tmp_path, "again", RESET)
    here("run", "again", "-q")
    done = here("replay", "--all", "--json")
    assert (done.returncode, [shape["holds"] for shape in json_lines(done.stdout)]) == (0, [True]), done.stdout
