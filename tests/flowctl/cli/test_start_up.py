"""What each command loads: imports are most of the time a small command takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

PROBE = """
import contextlib, io, json, sys
from flowctl.cli.main import main
out = io.StringIO()
with contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
    code = main(sys.argv[1:])
print(json.dumps({"code": code, "modules": sorted({name.partition(".")[0] for name in sys.modules})}))
"""
HEAVY = {"networkx", "rich", "sqlmodel", "sqlalchemy", "httpx", "asyncio", "anyio", "structlog", "keyring", "psutil"}


def loaded(tmp_path: Path, *arguments: str) -> set[str]:
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *arguments], env=env, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["code"] == 0, done.stdout
    return set(found["modules"])


def test_the_version_and_the_help_load_no_parser(tmp_path: Path) -> None:
    for flag in ("--version", "--help"):
        assert not loaded(tmp_path, flag) & {*HEAVY, "typer", "pydantic", "jinja2", "ruamel", "yaml"}


def test_validate_loads_what_it_checks_with_and_nothing_else(tmp_path: Path) -> None:
    loaded(tmp_path, "init")
    assert not loaded(tmp_path, "validate") & HEAVY


def test_a_completion_script_needs_no_yaml(tmp_path: Path) -> None:
    assert not loaded(tmp_path, "completion", "bash") & {*HEAVY, "jinja2", "ruamel"}
