"""What each command loads: imports are most of the time a small command takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROBE = """
import contextlib, io, json, sys
from flowctl.cli.main import main
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
    code = main(sys.argv[1:])
names = {name for name in sys.modules if "." not in name}
print(json.dumps({"code": code, "modules": sorted(names), "count": len(sys.modules)}))
"""
HEAVY = {"networkx", "rich", "sqlmodel", "sqlalchemy", "httpx", "asyncio", "anyio", "structlog", "keyring", "psutil"}


OF_PARSING = {"typer", "pydantic", "jinja2", "ruamel", "yaml"}
PLAIN = "version: 1\ntasks:\n  a: {run: echo one}\n  b: {run: echo two, after: [a]}\n"
BUDGETS = [
    (["--version"], 80),
    (["validate", "a.yaml"], 400),
    (["run", "-q", "a.yaml"], 490),
    (["run", "-q", "known.yaml"], 305),
]
"""Modules a call may load, Python's own among them: each costs a quarter of a millisecond, used or not. Whoever needs more
imports it where it is used, or raises the number and says why."""


def loaded(tmp_path: Path, *arguments: str) -> set[str]:
    return set(probed(tmp_path, *arguments)["modules"])


def probed(tmp_path: Path, *arguments: str) -> dict[str, Any]:
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] == 0, done.stdout
    return found


@pytest.mark.parametrize(("call", "most"), BUDGETS, ids=lambda one: " ".join(one) if isinstance(one, list) else "")
def test_a_call_loads_no_more_modules_than_its_budget(tmp_path: Path, call: list[str], most: int) -> None:
    for name in ("a.yaml", "known.yaml"):
        (tmp_path / name).write_text(PLAIN)
    probed(tmp_path, "run", "-q", "known.yaml")
    count = probed(tmp_path, *call)["count"]
    assert most - 40 <= count <= most


def test_a_run_of_a_known_flow_loads_nothing_that_parses(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PLAIN)
    assert OF_PARSING & loaded(tmp_path, "run", "-q", "a.yaml")
    found = loaded(tmp_path, "run", "-q", "a.yaml") & {*HEAVY, *OF_PARSING, "typing_extensions", "inspect"}
    assert found == set()


def test_the_version_and_the_help_load_no_parser(tmp_path: Path) -> None:
    for flag in ("--version", "--help"):
        assert not loaded(tmp_path, flag) & {*HEAVY, *OF_PARSING}


def test_validate_loads_what_it_checks_with_and_nothing_else(tmp_path: Path) -> None:
    loaded(tmp_path, "init")
    assert not loaded(tmp_path, "validate") & HEAVY


def test_validate_loads_no_templates_for_plain_names(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "version: 1\nparams: {x: {default: a}}\ntasks:\n  a: {run: 'echo $X', env: {X: '${{ params.x }}'}}\n"
    )
    assert not loaded(tmp_path, "validate", "a.yaml") & {*HEAVY, "jinja2"}


def test_a_check_builds_one_validator_for_all_maps_of_a_flow() -> None:
    probe = """
from specs.check import check_text
from specs.model.parts import Part
assert check_text(b"version: 1\\ntasks: {a: {run: 'true'}}", "a.yaml", None).ok
waiting, built = [Part], set()
while waiting:
    model = waiting.pop()
    waiting += model.__subclasses__()
    built |= {model.__name__} if model.__pydantic_complete__ else set()
print(sorted(built - {"Part"}))
"""
    done = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert done.stdout == "['FlowSpec']\n"


def test_a_folder_starts_a_tool_for_many_files_at_once(tmp_path: Path) -> None:
    log, tools = tmp_path / "calls", tmp_path / "bin"
    tools.mkdir()
    for name, body in (("sh", 'exec /bin/sh "$@"'), ("shellcheck", "echo '{\"comments\": []}'")):
        (tools / name).write_text(f"#!/bin/sh\necho {name} >> {log}\n{body}\n")
        (tools / name).chmod(0o755)
    for number in range(30):
        task = f"  a: {{run: 'if true; then echo \"{number}\"; fi'}}\n"
        (tmp_path / f"f{number}.yaml").write_text(f"version: 1\ntasks:\n{task}")
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path / "home"), "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "flowctl", "validate", "."]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert sorted(log.read_text().split()) == ["sh", "shellcheck"]


def test_a_completion_script_needs_no_yaml(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "completion", "bash") & {*HEAVY, "jinja2", "ruamel"}
