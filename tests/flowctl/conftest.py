"""The program as users start it: a process of its own, with an environment of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeAlias

import pytest

Program: TypeAlias = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `FLOWCTL_HOME` names while a test runs."""
    return tmp_path_factory.mktemp("home")


@pytest.fixture
def program(tmp_path: Path, home: Path) -> Program:
    """Start the program in `tmp_path` with arguments; keywords are those of `subprocess.run`, `env` adds variables."""

    def run(*arguments: str, env: dict[str, str] | None = None, **options: object) -> subprocess.CompletedProcess[str]:
        plain = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}
        full = {**plain, "FLOWCTL_HOME": str(home), "PYTHONUTF8": "1", **(env or {})}
        settings: dict[str, object] = {"cwd": tmp_path, "stdin": subprocess.DEVNULL, **options}
        if "input" in settings:
            settings.pop("stdin")
        command = [sys.executable, "-m", "flowctl", *arguments]
        return subprocess.run(  # type: ignore[call-overload,no-any-return]
            command, env=full, capture_output="stdout" not in settings, text=True, timeout=60, check=False, **settings
        )

    return run
