"""`flowctl events` from outside."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, MIXED, home, json_lines, start, write

Program = Any


@pytest.fixture
def stream(program: Program, tmp_path: Path) -> list[dict[str, Any]]:
    """What `run --json` has printed of a run of `mixed`."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    return json_lines(program("run", "mixed", "--json").stdout)


def test_json_has_the_same_events_as_the_run_had(program: Program, stream: list[dict[str, Any]]) -> None:
    *events, summary = stream
    run_id = summary["run"]["id"]
    own = [event for event in events if event["run"] == run_id]
    assert json_lines(program("events", run_id, "--json").stdout) == own


def test_text_has_a_line_for_each(program: Program, stream: list[dict[str, Any]]) -> None:
    run_id = stream[-1]["run"]["id"]
    lines = program("events", run_id).stdout.splitlines()
    own = [event for event in stream[:-1] if event["run"] == run_id]
    assert [line.split()[2] for line in lines] == [event["type"] for event in own]
    assert [int(line.split()[0]) for line in lines] == list(range(1, len(lines) + 1))
    [failed] = [line for line in lines if " attempt_finished " in line and "work[1]" in line and "attempt 2" in line]
    assert "attempt 2 failed, exited with 3" in failed
    assert any(line.endswith("task_blocked      last              needs work") for line in lines)


def test_nothing_sensitive_is_printed(program: Program, stream: list[dict[str, Any]]) -> None:
    for flags in ([], ["--json"]):
        assert "blue-badger-7" not in program("events", "latest", *flags).stdout


def test_following_a_run_that_has_ended_ends_at_once(program: Program, stream: list[dict[str, Any]]) -> None:
    run_id = stream[-1]["run"]["id"]
    assert program("events", run_id, "--follow").stdout == program("events", run_id).stdout
    assert program("events", run_id, "-f").returncode == 0


def test_following_shows_events_of_another_process_until_its_run_ends(program: Program, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    write(tmp_path, "held", f"version: 1\ntasks:\n  a: {{run: 'cat {pipe}'}}\n")
    with start(tmp_path, "run", "held", "--json") as driving:
        assert driving.stdout is not None
        first = json.loads(driving.stdout.readline())
        with start(tmp_path, "events", first["run"], "--follow", "--json") as following:
            assert following.stdout is not None
            for line in following.stdout:
                if json.loads(line)["type"] == "attempt_started":
                    break
            pipe.write_text("go\n")
            rest = json_lines(following.stdout.read())
            assert following.wait() == 0
        assert rest[-1]["type"] == "run_finished"
        driving.communicate()
    everything = json_lines(program("events", first["run"], "--json", env=home(tmp_path)).stdout)
    assert everything[-len(rest) :] == rest
