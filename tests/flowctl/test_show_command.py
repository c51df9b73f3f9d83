"""`flowctl show` from outside."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, MIXED, columns_of, environment, home, write

Program = Any


@pytest.fixture
def mixed(program: Program, tmp_path: Path) -> dict[str, Any]:
    """A run of `mixed`, as `run --json` summed it up."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    summary: dict[str, Any] = json.loads(program("run", "mixed", "--json").stdout.splitlines()[-1])
    return summary


def test_json_is_the_last_line_of_the_run(program: Program, mixed: dict[str, Any]) -> None:
    assert json.loads(program("show", "latest", "--json").stdout) == mixed


def test_a_run_is_found_by_an_end_or_a_start_of_its_id(program: Program, mixed: dict[str, Any]) -> None:
    run_id = mixed["run"]["id"]
    for text in (run_id, run_id[-6:], run_id[-6:].upper(), "latest"):
        assert json.loads(program("show", text, "--json").stdout) == mixed


def test_a_run_that_is_not_there_or_not_clear_exits_with_4(program: Program, mixed: dict[str, Any]) -> None:
    for text, said in [("zzzzzz", "there is no run"), ("a", "too short"), ("", "too short")]:
        done = program("show", text)
        assert (done.returncode, done.stdout) == (4, "")
        assert said in done.stderr
    several = program("show", mixed["run"]["id"][:5])
    assert several.returncode == 4
    assert "may be any of 2 runs" in several.stderr
    assert mixed["run"]["id"] in several.stderr


def test_without_a_store_there_is_no_run(program: Program, tmp_path: Path) -> None:
    done = program("show", "latest", env=home(tmp_path))
    assert done.returncode == 4
    assert "there are no runs yet" in done.stderr
    assert not (tmp_path / "home").exists()


def test_the_page_has_the_run_its_tasks_and_what_went_wrong(program: Program, mixed: dict[str, Any]) -> None:
    lines = program("show", "latest").stdout.splitlines()
    assert lines[0].startswith(f"run {mixed['run']['id']} of mixed: failed in ")
    rows = {words[0]: words for words in columns_of(lines) if words}
    assert rows["params"] == ["params", "badge=***"]
    assert rows["files"][1].endswith(mixed["run"]["id"])
    assert rows["first"][1:3] == ["succeeded", "1"]
    assert rows["work"][1:3] == ["failed", "4"]
    assert " ".join(rows["work"][4:]).startswith("2 of 3 items, 1 failed")
    assert rows["[1]"][1:4] == ["b", "failed", "2"]
    assert "[0]" not in rows
    assert rows["last"][1:] == ["blocked", "-", "-", "needs", "work"]
    assert rows["unwanted"][1:4] == ["skipped", "-", "-"]
    assert rows["hooks.failure.tell"][1] == "succeeded"


def test_outputs_are_shown_as_a_script_would_write_them(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    program("run", "hello", "-q")
    assert "  outputs   length:=13\n" in program("show", "latest").stdout


def test_one_task_is_shown_with_every_item_attempt_and_output(program: Program, mixed: dict[str, Any]) -> None:
    text = program("show", "latest", "--task", "work").stdout
    assert [f"[{index}] {key}" in text for index, key in enumerate("abc")] == [True] * 3
    assert "[1] 2" in text
    assert "\nfirst " not in text
    shape = json.loads(program("show", "latest", "--task", "work", "--json").stdout)
    assert shape == {
        **{key: mixed[key] for key in ("schema_version", "type", "run")},
        "tasks": {"work": mixed["tasks"]["work"]},
    }
    hook = json.loads(program("show", "latest", "--task", "hooks.failure.tell", "--json").stdout)
    assert (hook["tasks"], list(hook["hooks"])) == ({}, ["failure.tell"])


def test_sensitive_outputs_of_a_task_are_hidden(program: Program, tmp_path: Path) -> None:
    text = HELLO.replace("text: {type: string}", "text: {type: string, sensitive: true}")
    write(tmp_path, "hello", text)
    program("run", "hello", "-q")
    assert "  text=***\n" in program("show", "latest", "--task", "greet").stdout


def test_an_unknown_task_exits_with_4_and_the_nearest_name(program: Program, mixed: dict[str, Any]) -> None:
    done = program("show", "latest", "--task", "wrok")
    assert (done.returncode, done.stdout) == (4, "")
    assert "did you mean `work`?" in done.stderr


def test_a_run_whose_flow_cannot_be_compiled_any_more_is_still_shown(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    program("run", "hello", "-q", env=home(tmp_path))
    with sqlite3.connect(tmp_path / "home/data/flowctl.db") as store:
        store.execute("UPDATE specs SET files = ?", (json.dumps({"hello.yaml": "sensitive: nonsense"}),))
    for command in (["show", "latest"], ["show", "latest", "--json"], ["show", "latest", "--task", "greet"]):
        assert program(*command, env=home(tmp_path)).returncode == 0
    done = program("graph", "--run", "latest", env=home(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "is not a valid flow for this flowctl" in done.stderr


PROBE = """
import contextlib, io, sys
from flowctl.cli.main import main
aside = io.TextIOWrapper(io.BytesIO())
with contextlib.redirect_stdout(aside), contextlib.redirect_stderr(aside):
    code = main(sys.argv[1:])
print(code, *sorted({name.partition(".")[0] for name in sys.modules}))
"""
HEAVY = {"networkx", "rich", "sqlmodel", "sqlalchemy", "httpx", "asyncio", "anyio", "keyring", "psutil", "graphviz"}


def test_looking_at_flows_and_runs_loads_nothing_heavy(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    program("run", "hello", "-q", env=home(tmp_path))
    for arguments in (
        ["runs"],
        ["show", "latest"],
        ["logs", "latest"],
        ["plan", "hello"],
        ["graph", "--run", "latest"],
    ):
        done = subprocess.run(
            [sys.executable, "-c", PROBE, *arguments],
            cwd=tmp_path,
            env=environment(tmp_path),
            capture_output=True,
            text=True,
            check=True,
        )
        code, *modules = done.stdout.split()
        assert code == "0", arguments
        assert not HEAVY & set(modules), arguments


def test_the_commands_work_without_a_stdout(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    lines = ["run hello --json", "show latest", "logs latest", "events latest -f", "graph hello", "plan hello", "runs"]
    script = "\n".join(f"{sys.executable} -m flowctl {line} >&- 2>&- || exit 1" for line in lines)
    assert subprocess.run(["sh", "-c", script], cwd=tmp_path, env=environment(tmp_path), check=False).returncode == 0
