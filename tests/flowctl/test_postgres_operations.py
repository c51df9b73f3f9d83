"""The operators' commands on a store in PostgreSQL, by the program."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from engine.store import ddl
from engine.store.address import ServerAddress
from engine.store.postgres.naming import quoted
from tests.flowctl.commands import HELLO, MIXED, json_lines, write
from tests.flowctl.operating import here
from tests.servers import own_schema, some_server

__all__ = ["here"]

Here = Callable[..., Any]


@pytest.fixture
def address() -> Iterator[ServerAddress]:
    with some_server() as url, own_schema(url) as address:
        yield address


@pytest.fixture
def there(here: Here, address: ServerAddress, tmp_path: Path) -> Here:
    """The program with a store in the database, in which there is one run."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)

    def call(*arguments: str, **more: Any) -> Any:
        env = {"FLOWCTL_DB_URL": address.url, "FLOWCTL_DB_SCHEMA": address.schema or ""}
        return here(*arguments, env=env, **more)

    assert call("run", "mixed", "-q").returncode == 1
    return call


def execute(address: ServerAddress, statement: str) -> list[Any]:
    with psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute(f"SET search_path TO {quoted(address.schema or 'public')}")
        cursor = connection.execute(statement)
        return cursor.fetchall() if cursor.description else []


def test_runs_are_proven_and_shown_as_they_were(there: Here) -> None:
    done = there("replay", "--all", "--json")
    assert (done.returncode, [shape["holds"] for shape in json_lines(done.stdout)]) == (0, [True, True])
    past = json.loads(there("show", "latest", "--at", "1", "--json").stdout)
    assert past["run"]["state"] == "queued"


def test_a_run_goes_from_the_database_to_a_file_and_back(there: Here, here: Here, address: ServerAddress) -> None:
    assert there("export", "latest", "-O", "run.jsonl", "--logs").returncode == 0
    assert here("import", "run.jsonl").returncode == 0
    assert here("replay", "--all").returncode == 0
    assert json.loads(there("import", "run.jsonl", "--json").stdout)["was_there"]
    mine, theirs = (json.loads(call("show", "latest", "--json").stdout) for call in (here, there))
    assert mine == theirs
    execute(address, "UPDATE tasks SET state = 'succeeded'")
    assert there("import", "run.jsonl").returncode == 5
    execute(address, "DELETE FROM runs; DELETE FROM events; DELETE FROM tasks; DELETE FROM attempts")
    assert there("import", "run.jsonl").returncode == 0
    assert there("replay", "--all").returncode == 0


def test_old_runs_go(there: Here, address: ServerAddress) -> None:
    assert there("run", "hello", "-q").returncode == 0
    by = 40 * 86_400_000_000
    execute(address, f"UPDATE runs SET created_at = created_at - {by}, ended_at = ended_at - {by} WHERE flow = 'mixed'")
    done = json.loads(there("gc", "--older-than", "30d", "--json").stdout)
    assert (done["runs"], done["children"], done["specs"]) == (1, 1, 1)
    assert execute(address, "SELECT flow, count(*) FROM runs GROUP BY flow") == [("hello", 1)]
    assert execute(address, "SELECT count(DISTINCT run_id) FROM events") == [(1,)]


def test_damage_is_told_run_by_run(there: Here, address: ServerAddress) -> None:
    done = there("db", "check")
    assert (done.returncode, f"is whole: version {ddl.VERSION}, 2 runs" in done.stdout) == (0, True)
    ((run_id,),) = execute(address, "SELECT id FROM runs WHERE flow = 'hello'")
    execute(address, "UPDATE runs SET warnings = 7 WHERE flow = 'hello'")
    execute(address, "DROP INDEX ix_runs_flow")
    done = there("db", "check")
    assert done.returncode == 1
    assert f"run {run_id}: event " in done.stdout
    assert "`ix_runs_flow` is missing" in done.stdout


def test_the_command_that_makes_a_backup_is_told_and_works(there: Here, address: ServerAddress, tmp_path: Path) -> None:
    done = there("db", "backup", "copy.dump")
    assert (done.returncode, done.stdout) == (1, "")
    command = done.stderr.partition("`pg_dump")[2].partition("`;")[0]
    assert "--file=copy.dump" in command
    assert shutil.which("pg_dump")
    made = subprocess.run(["sh", "-c", f"pg_dump{command}"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    listed = subprocess.run(
        ["pg_restore", "--list", "copy.dump"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    for table in ("runs", "events", "tasks", "attempts", "specs", "schema_version"):
        assert f" TABLE DATA {address.schema} {table} " in listed


def test_versions_and_room_are_told(there: Here) -> None:
    assert there("db", "version").stdout == f"version {ddl.VERSION}; this flowctl writes version {ddl.VERSION}\n"
    assert f"has version {ddl.VERSION} already" in there("db", "migrate").stderr
    room = json.loads(there("db", "vacuum", "--json").stdout)
    assert room["before_bytes"] > 0
    assert room["after_bytes"] > 0
    assert there("replay", "--all").returncode == 0


def test_a_rehearsal_of_a_migration_changes_nothing(there: Here, address: ServerAddress) -> None:
    execute(address, "DROP TABLE engines; DROP TABLE inbox; UPDATE schema_version SET version_num = '0001'")
    done = there("db", "migrate", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "CREATE TABLE" in done.stdout
    assert "inbox" in done.stdout
    assert there("db", "version").stdout.startswith("version 1;")
    assert there("db", "migrate").returncode == 0
    assert there("db", "check").returncode == 0


def test_a_store_is_dropped_and_nothing_else(there: Here, address: ServerAddress) -> None:
    execute(address, "CREATE TABLE other (id int)")
    assert there("db", "drop", "--yes").returncode == 0
    tables = f"SELECT tablename FROM pg_tables WHERE schemaname = '{address.schema}'"
    assert execute(address, tables) == [("other",)]
    assert there("runs").stderr == "no runs\n"
    execute(address, "DROP TABLE other")
    assert there("run", "hello", "-q").returncode == 0
    assert there("db", "drop", "--yes").returncode == 0
    assert execute(address, f"SELECT 1 FROM pg_namespace WHERE nspname = '{address.schema}'") == []
    assert there("db", "drop", "--yes").returncode == 1
