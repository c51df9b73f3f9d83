"""`flowctl runs` from outside."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flowctl.cli.runs import parse_since
from flowctl.problems import UsageProblem
from tests.flowctl.commands import HELLO, MIXED, columns_of, home, start, write

Program = Any
NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def listed(program: Program, *arguments: str) -> dict[str, Any]:
    done = program("runs", "--json", *arguments)
    assert done.returncode == 0, done.stderr
    shape: dict[str, Any] = json.loads(done.stdout)
    return shape


@pytest.fixture
def ids(program: Program, tmp_path: Path) -> list[str]:
    """Runs as they were made: two of `hello`, then one of `mixed`, which has a child."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    made = []
    for flow in ("hello", "hello", "mixed"):
        stream = program("run", flow, "--json").stdout
        made.append(json.loads(stream.splitlines()[-1])["run"]["id"])
    return made


def test_without_a_store_the_list_is_empty_and_none_is_made(program: Program, tmp_path: Path) -> None:
    env = {"FLOWCTL_HOME": str(tmp_path / "home")}
    done = program("runs", env=env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no runs\n")
    assert json.loads(program("runs", "--json", env=env).stdout) == {"schema_version": 1, "items": [], "next": None}
    assert not (tmp_path / "home").exists()


def test_runs_are_listed_newest_first_without_those_of_sub_flows(program: Program, ids: list[str]) -> None:
    lines = program("runs").stdout.splitlines()
    assert lines[0].split() == ["RUN", "FLOW", "STATE", "STARTED", "DURATION", "TRIGGER"]
    assert [words[:3] for words in columns_of(lines[1:])] == [
        [ids[2], "mixed", "failed"],
        [ids[1], "hello", "succeeded"],
        [ids[0], "hello", "succeeded"],
    ]


def test_all_holds_runs_of_sub_flows_too(program: Program, ids: list[str]) -> None:
    children = [run for run in listed(program, "--all")["items"] if run["parent"] is not None]
    assert [(run["flow"], run["parent"]) for run in children] == [("hello", {"run": ids[2], "task": "child"})]
    assert f"flow {ids[2]}" in program("runs", "--all").stdout


def test_lists_are_filtered(program: Program, ids: list[str]) -> None:
    def found(*arguments: str) -> list[str]:
        return [run["id"] for run in listed(program, *arguments)["items"]]

    assert found("--flow", "hello") == [ids[1], ids[0]]
    assert found("--state", "failed") == [ids[2]]
    assert found("--state", "failed", "--state", "succeeded") == ids[::-1]
    assert found("--state", "running") == []
    assert found("--since", "1h") == ids[::-1]
    middle = next(run for run in listed(program)["items"] if run["id"] == ids[1])
    assert found("--since", middle["created_at"]) == [ids[2], ids[1]]


def test_a_cursor_goes_on_where_the_page_ended(program: Program, ids: list[str]) -> None:
    seen: list[str] = []
    cursor: str | None = ""
    for _ in range(3):
        page = listed(program, "--limit", "1", *(["--cursor", cursor] if cursor else []))
        seen += [run["id"] for run in page["items"]]
        cursor = page["next"]
    assert (seen, cursor) == (ids[::-1], None)
    assert "--cursor " in program("runs", "--limit", "1").stderr


@pytest.mark.parametrize(
    "arguments",
    [["--cursor", "x"], ["--since", "soon"], ["--since", "2026-01-01"], ["--limit", "0"], ["--state", "odd"]],
)
def test_what_cannot_be_asked_exits_with_2(program: Program, ids: list[str], arguments: list[str]) -> None:
    done = program("runs", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: ")


def test_sensitive_parameters_are_hidden(program: Program, ids: list[str]) -> None:
    [mixed] = listed(program, "--flow", "mixed")["items"]
    assert mixed["params"] == {"badge": "***"}


def test_since_is_a_length_of_time_or_an_instant_with_a_zone() -> None:
    assert parse_since("2h", NOW) == NOW - timedelta(hours=2)
    assert parse_since("2026-03-01T10:00:00+02:00", NOW) == datetime(2026, 3, 1, 8, tzinfo=UTC)
    for text in ("2026-03-01T10:00:00", "", "-1h", "999999999w", "0001-01-01T00:00:00+23:00"):
        with pytest.raises(UsageProblem):
            parse_since(text, NOW)


def test_a_run_whose_process_was_killed_is_told_from_one_that_goes_on(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "long", "version: 1\ntasks:\n  a: {wait: {for: 1h}}\n")
    process = start(tmp_path, "run", "long", "--json")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "attempt_started":
            break
    assert " running  " in program("runs", env=home(tmp_path)).stdout
    process.kill()
    process.communicate()
    assert " running, interrupted  " in program("runs", env=home(tmp_path)).stdout
    for command in (["runs"], ["show", "latest"]):
        told = json.loads(program(*command, "--json", env=home(tmp_path)).stdout)
        assert (told["items"][0] if "items" in told else told["run"])["interrupted"] is True
    assert "running, interrupted: nobody drives it" in program("show", "latest", env=home(tmp_path)).stdout
    for verb in ("logs", "events"):
        followed = program(verb, "latest", "--follow", env=home(tmp_path))
        assert followed.returncode == 1
        assert "nothing more will come" in followed.stderr
