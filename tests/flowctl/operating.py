"""What the tests of the operators' commands share: a home in the test's folder, and a look into its store."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import home

Program = Any
MICROSECONDS_OF_A_DAY = 86_400 * 1_000_000


def store_of(folder: Path) -> Path:
    """The store of the home in a folder."""
    return folder / "home/data/flowctl.db"


def files_of(folder: Path) -> Path:
    """The files of runs beside it."""
    return folder / "home/data/flowctl.runs"


def ask(path: Path, query: str, *values: object) -> list[Any]:
    """The rows of a query, each as its only column where it has one."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        return [row[0] if len(row) == 1 else row for row in connection.execute(query, values).fetchall()]


def change(path: Path, statement: str, *values: object) -> None:
    """Change a store behind its back."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement, values).rowcount != 0


def make_older(path: Path, run_id: str, *, days: float) -> None:
    """Let a run be made and have ended so many days earlier."""
    by = int(days * MICROSECONDS_OF_A_DAY)
    change(path, "UPDATE runs SET created_at = created_at - ?, ended_at = ended_at - ? WHERE id = ?", by, by, run_id)


def run_ids(path: Path) -> list[str]:
    """Ids of all runs, in order."""
    return ask(path, "SELECT id FROM runs ORDER BY id")


@pytest.fixture
def here(program: Program, tmp_path: Path) -> Callable[..., Any]:
    """The program with its home in the test's folder."""

    def call(*arguments: str, env: dict[str, str] | None = None, **more: Any) -> Any:
        return program(*arguments, env={**home(tmp_path), **(env or {})}, **more)

    return call


def ran(here: Callable[..., Any], flow: str, *arguments: str) -> str:
    """Run a flow, however it ends; the id of its run."""
    lines = here("run", flow, "--json", *arguments).stdout.splitlines()
    return str(json.loads(lines[-1])["run"]["id"])
