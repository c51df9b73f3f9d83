"""`flowctl db`: a store checked, copied, upgraded, made smaller and deleted, from outside."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.store import creation, ddl
from tests.flowctl.commands import HELLO, environment, start, write
from tests.flowctl.operating import ask, change, files_of, here, ran, run_ids, store_of
from tests.flowctl.test_gc_command import copy_runs, id_of

__all__ = ["here"]

Here = Callable[..., Any]

WAITING = "version: 1\nname: waiting\ntasks:\n  a: {run: 'echo ready; read line < \"$GATE\"'}\n"
BUSY = f"version: 1\nname: busy\ntasks:\n  a:\n    fan_out: {{items: {[*range(400)]}, max_parallel: 4}}\n    run: echo busy\n"


@pytest.fixture
def store(here: Here, tmp_path: Path) -> Path:
    """The store of two runs."""
    write(tmp_path, "hello", HELLO)
    for _ in range(2):
        ran(here, "hello")
    return store_of(tmp_path)


@pytest.fixture
def waiting(here: Here, tmp_path: Path) -> Iterator[str]:
    """The id of a run that an engine drives until the test is over."""
    write(tmp_path, "waiting", WAITING)
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    process = start(tmp_path, "run", "waiting", "--json", "--env", f"GATE={gate}")
    assert process.stdout is not None
    try:
        for line in process.stdout:
            event = json.loads(line)
            if event["type"] == "attempt_started":
                yield event["run"]
                break
    finally:
        process.terminate()
        process.communicate()


def bytes_beside(store: Path) -> dict[str, bytes]:
    """Every file of the store, backups included."""
    return {path.name: path.read_bytes() for path in store.parent.iterdir() if path.is_file()}


# --- check --------------------------------------------------------------------------------------------------------------


def test_a_whole_store_is_whole_and_is_left_as_it_is(here: Here, store: Path) -> None:
    before = bytes_beside(store)
    done = here("db", "check")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"the store `{store}` is whole: version {ddl.VERSION}, 2 runs\n"
    assert bytes_beside(store) == before
    shape = json.loads(here("db", "check", "--json").stdout)
    assert (shape["whole"], shape["runs"], shape["damages"], shape["notes"]) == (True, 2, [], [])


def test_a_check_leaves_the_log_of_a_killed_engine_alone(here: Here, store: Path) -> None:
    writer = "import sqlite3, os, sys; c = sqlite3.connect(sys.argv[1]); c.execute('PRAGMA wal_autocheckpoint = 0');"
    code = writer + " c.execute('UPDATE runs SET priority = 3'); c.commit(); os._exit(0)"
    subprocess.run([sys.executable, "-c", code, store], check=True)
    log = store.with_name(store.name + "-wal")
    before = store.read_bytes(), log.read_bytes()
    assert before[1]
    assert here("db", "check").returncode == 1  # the priority is not that of the log of events
    assert (store.read_bytes(), log.read_bytes()) == before


DAMAGED: dict[str, tuple[str, str]] = {
    "state": ("UPDATE runs SET state = 'failed' WHERE id = ?", "the log makes"),
    "events": ("DELETE FROM events WHERE run_id = ?", "its log has gaps"),
    "last event": ("DELETE FROM events WHERE run_id = ? AND seq = 3", "its log has gaps"),
    "run": ("DELETE FROM runs WHERE id = ?", "there are events of it, and no run"),
    "spec": ("UPDATE runs SET digest = 'x' WHERE id = ?", "the files of its flow are missing"),
    "parent": ("UPDATE runs SET parent_run = 'x' WHERE id = ?", "the run it is part of is missing"),
    "token": ("UPDATE runs SET token = -1 WHERE id = ?", "keep two engines apart"),
    "owner": ("UPDATE runs SET owner = 'me' WHERE id = ?", "is held by an engine"),
    "json": ("UPDATE runs SET params = '[' WHERE id = ?", "a row cannot be read"),
    "instant": ("UPDATE tasks SET started_at = 'noon' WHERE run_id = ?", "a row cannot be read"),
}


@pytest.mark.parametrize("name", DAMAGED)
def test_damage_is_told_run_by_run(here: Here, store: Path, name: str) -> None:
    statement, said = DAMAGED[name]
    bad, good = run_ids(store)
    change(store, statement, bad)
    before = bytes_beside(store)
    done = here("db", "check")
    assert done.returncode == 1
    assert f"run {bad}: " in done.stdout
    assert said in done.stdout
    assert good not in done.stdout
    assert "is damaged; it was left as it is" in done.stderr
    shape = json.loads(here("db", "check", "--json").stdout)
    assert not shape["whole"]
    assert bad in {damage["run"] for damage in shape["damages"]}
    assert bytes_beside(store) == before


def test_an_index_that_is_missing_or_wrong_is_told(here: Here, store: Path) -> None:
    change(store, "DROP INDEX ix_runs_flow")
    done = here("db", "check")
    assert (done.returncode, done.stdout) == (1, "`ix_runs_flow` is missing\n")


def test_files_of_later_runs_make_suspicious(here: Here, store: Path, tmp_path: Path) -> None:
    (files_of(tmp_path) / id_of(-1)).mkdir()
    done = here("db", "check")
    assert done.returncode == 0
    assert "it may be an older copy, or have lost the log beside it" in done.stderr


def test_a_check_works_while_a_run_goes_on(here: Here, store: Path, waiting: str) -> None:
    done = here("db", "check", "--json")
    assert (done.returncode, json.loads(done.stdout)["runs"]) == (0, 3)


@pytest.mark.parametrize("verb", [["check"], ["version"], ["migrate"], ["backup"], ["vacuum"], ["drop", "--yes"]])
def test_where_there_is_no_store_none_is_made(here: Here, tmp_path: Path, verb: list[str]) -> None:
    done = here("db", *verb)
    assert (done.returncode, done.stdout) == (1, "")
    assert f"there is no store at `{store_of(tmp_path)}`" in done.stderr
    assert not (tmp_path / "home").exists()


# --- backup -------------------------------------------------------------------------------------------------------------


def test_a_backup_is_the_store_of_one_instant(here: Here, store: Path, tmp_path: Path) -> None:
    before = bytes_beside(store)
    done = here("db", "backup", "copy.db")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path / 'copy.db'}\n", "")
    assert bytes_beside(store) == before
    copy = tmp_path / "copy.db"
    assert copy.stat().st_mode & 0o777 == 0o600
    assert run_ids(copy) == run_ids(store)
    assert here("--store", str(copy), "db", "check").returncode == 0
    assert [path.name for path in tmp_path.glob("copy.db*partial*")] == []


def test_without_a_name_it_is_beside_the_store_and_found_when_it_is_needed(here: Here, store: Path) -> None:
    name = here("db", "backup", "--json")
    backup = Path(json.loads(name.stdout)["backup"])
    assert backup.parent == store.parent
    assert backup.name.startswith(f"{store.name}.backup-{ddl.VERSION:04}-")
    assert json.loads(name.stdout)["size_bytes"] == backup.stat().st_size
    store.write_bytes(b"nonsense" * 1000)
    done = here("runs")
    assert (done.returncode, done.stdout) == (1, "")
    assert f"`{backup}`" in done.stderr


def test_nothing_is_written_over(here: Here, store: Path, tmp_path: Path) -> None:
    taken = tmp_path / "taken.db"
    taken.write_text("precious")
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "nowhere")
    for path in (taken, link):
        done = here("db", "backup", str(path))
        assert (done.returncode, done.stdout) == (1, "")
        assert "exists already" in done.stderr
    assert taken.read_text() == "precious"
    assert not (tmp_path / "nowhere").exists()
    assert here("db", "backup", "no/such/folder/x.db").returncode == 1


def test_a_damaged_store_is_not_backed_up(here: Here, store: Path, tmp_path: Path) -> None:
    damage_a_page(store)
    done = here("db", "backup", "copy.db")
    assert (done.returncode, done.stdout) == (1, "")
    assert "damaged" in done.stderr
    assert not (tmp_path / "copy.db").exists()


def damage_a_page(store: Path) -> None:
    """Overwrite a page in the middle that belongs to the log of events."""
    page = ask(store, "SELECT rootpage FROM sqlite_master WHERE name = 'events'")[0]
    with store.open("r+b") as file:
        file.seek((page - 1) * 4096 + 100)
        file.write(os.urandom(3000))


def test_backups_while_an_engine_writes_are_whole(here: Here, store: Path, tmp_path: Path) -> None:
    write(tmp_path, "busy", BUSY)
    process = start(tmp_path, "run", "busy", "-q")
    made = 0
    try:
        while process.poll() is None or not made:
            copy = f"copy-{made}.db"
            assert here("db", "backup", copy).returncode == 0
            assert here("--store", str(tmp_path / copy), "db", "check").returncode == 0
            made += 1
        _, err = process.communicate()
        assert process.returncode == 0, err
    finally:
        process.kill()
        process.wait()
    assert here("db", "check").returncode == 0


# --- vacuum -------------------------------------------------------------------------------------------------------------


def test_room_is_given_back(here: Here, store: Path) -> None:
    copy_runs(store, run_ids(store)[0], 500)
    here("gc", "--older-than", "30d")
    before = store.stat().st_size
    shape = json.loads(here("db", "vacuum", "--json").stdout)
    assert shape["before_bytes"] == before
    assert shape["after_bytes"] == store.stat().st_size < before / 4
    assert here("db", "check").returncode == 0
    assert len(run_ids(store)) == 2


def test_a_small_store_may_be_written_anew_beside_a_run(here: Here, store: Path, waiting: str) -> None:
    assert here("db", "vacuum").returncode == 0
    assert here("replay", waiting).returncode == 0


# --- drop ---------------------------------------------------------------------------------------------------------------


def test_a_store_is_deleted_with_the_files_of_its_runs(here: Here, store: Path) -> None:
    backup = here("db", "backup").stdout.strip()
    done = here("db", "drop", "--yes")
    assert (done.returncode, done.stdout) == (0, "")
    assert f"a backup of it stays: `{backup}`" in done.stderr
    assert [path.name for path in store.parent.iterdir()] == [Path(backup).name]
    assert here("runs").stderr == "no runs\n"
    assert here("run", "hello", "-q").returncode == 0


@pytest.mark.parametrize("flags", [[], ["--no-input"]])
def test_nothing_is_deleted_without_a_yes(here: Here, store: Path, flags: list[str]) -> None:
    before = bytes_beside(store)
    done = here("db", "drop", *flags, input="y\n")
    assert (done.returncode, done.stdout) == (2, "")
    assert "give `--yes`" in done.stderr
    assert bytes_beside(store) == before


def test_a_store_in_which_an_engine_drives_runs_is_not_deleted(here: Here, store: Path, waiting: str) -> None:
    done = here("db", "drop", "--yes")
    assert (done.returncode, done.stdout) == (5, "")
    assert "drives 1 run" in done.stderr
    assert waiting in run_ids(store)


def test_the_runs_of_an_engine_that_is_gone_do_not_keep_a_store(here: Here, store: Path, tmp_path: Path) -> None:
    write(tmp_path, "waiting", WAITING)
    os.mkfifo(tmp_path / "gate")
    process = start(tmp_path, "run", "waiting", "--json", "--env", f"GATE={tmp_path / 'gate'}")
    assert process.stdout is not None
    for line in process.stdout:
        if json.loads(line)["type"] == "attempt_started":
            break
    process.kill()
    process.communicate()
    assert here("db", "drop", "--yes").returncode == 0
    assert not store.exists()
    with open(os.open(tmp_path / "gate", os.O_RDWR), "w") as gate:
        gate.write("go\n")  # the task has outlived its engine


# --- migrate ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of the first version, as its flowctl left it."""
    from engine.store.upgrade import VERSIONS

    path = store_of(tmp_path)
    path.parent.mkdir(parents=True)
    sources = {source.name[1:5]: source for source in VERSIONS.glob("v[0-9]*.py")}
    assert len(sources) == ddl.VERSION
    code = MADE_OLD.format(application=creation.APPLICATION_ID)
    subprocess.run([sys.executable, "-c", code, str(path)], env=environment(tmp_path), check=True)
    return path


MADE_OLD = """
import sqlite3, sys
from alembic import command
from sqlalchemy import create_engine
from sqlalchemy.pool import StaticPool
from engine.store.upgrade import VERSIONS, migration_config
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA journal_mode = WAL")
connection.execute("PRAGMA application_id = {application}")
config = migration_config((VERSIONS,))
engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
with engine.begin() as wrapped:
    config.attributes["connection"] = wrapped
    command.upgrade(config, "0001")
connection.execute("PRAGMA user_version = 1")
connection.execute("INSERT INTO specs VALUES ('d1', 'etl', '{{}}', 0)")
connection.close()
"""


def test_a_rehearsal_shows_the_statements_and_changes_nothing(here: Here, old: Path) -> None:
    before = bytes_beside(old)
    done = here("db", "migrate", "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "CREATE TABLE engines" in done.stdout
    assert f"PRAGMA user_version = {ddl.VERSION};\n" in done.stdout
    assert "SELECT" not in done.stdout
    assert f"would be brought from version 1 to {ddl.VERSION}" in done.stderr
    assert bytes_beside(old) == before
    shape = json.loads(here("db", "migrate", "--dry-run", "--json").stdout)
    assert (shape["from"], shape["to"], shape["backup"]) == (1, ddl.VERSION, None)


def test_the_statements_shown_are_those_that_make_the_store_new(here: Here, old: Path, tmp_path: Path) -> None:
    statements = json.loads(here("db", "migrate", "--dry-run", "--json").stdout)["statements"]
    copy = tmp_path / "copy.db"
    with closing(sqlite3.connect(old)) as source, closing(sqlite3.connect(copy, isolation_level=None)) as target:
        source.backup(target)
        for statement in statements:
            target.execute(statement)
    assert here("db", "migrate").returncode == 0
    schema = "SELECT type, name, sql FROM sqlite_master ORDER BY name"
    assert ask(copy, schema) == ask(old, schema)
    assert ask(copy, "PRAGMA user_version") == [ddl.VERSION]


def test_an_older_store_is_brought_up_to_date_with_a_backup(here: Here, old: Path) -> None:
    done = here("db", "migrate", "--json")
    shape = json.loads(done.stdout)
    backup = Path(shape["backup"])
    assert (done.returncode, shape["from"], shape["to"], shape["dry_run"]) == (0, 1, ddl.VERSION, False)
    assert ask(backup, "PRAGMA user_version") == [1]
    assert ask(old, "PRAGMA user_version") == [ddl.VERSION]
    assert ask(old, "SELECT digest FROM specs") == ask(backup, "SELECT digest FROM specs") == ["d1"]
    assert here("db", "check").returncode == 0
    again = here("db", "migrate")
    assert (again.returncode, f"has version {ddl.VERSION} already" in again.stderr) == (0, True)
    assert len(list(old.parent.glob("*.backup-*Z"))) == 1


def test_looking_at_an_older_store_does_not_upgrade_it(here: Here, old: Path) -> None:
    before = bytes_beside(old)
    check = here("db", "check")
    assert (check.returncode, "flowctl db migrate" in check.stderr) == (0, True)
    assert here("db", "version").stdout == f"version 1; this flowctl writes version {ddl.VERSION}\n"
    assert bytes_beside(old) == before


def test_a_later_store_is_refused_and_names_the_backup_from_before(here: Here, store: Path) -> None:
    backup = here("db", "backup").stdout.strip()
    later = ddl.VERSION + 1
    set_version(store, later)
    before = bytes_beside(store)
    for verb in (
        ["runs"],
        ["run", "hello"],
        *(["db", verb] for verb in ("check", "version", "migrate", "vacuum", "backup")),
    ):
        done = here(*verb)
        assert (done.returncode, done.stdout) == (1, ""), verb
        assert f"has version {later} and this flowctl knows versions up to {ddl.VERSION}" in done.stderr
        assert f"`{backup}`" in done.stderr
    assert bytes_beside(store) == before


def set_version(store: Path, version: int) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA user_version = {version}")


KILLED_AT = """
import os, signal, sys
at, count = int(sys.argv[1]), 0
def look(frame, event, argument):
    global count
    count += event in ("call", "c_call")
    if count == at:
        os.kill(os.getpid(), signal.SIGKILL)
from flowctl.cli.main import main
import alembic.command, sqlalchemy, engine.store.tables, engine.store.upgrade, engine.store.file_upkeep
sys.setprofile(look)
code = main(["db", "migrate", "-q"])
sys.setprofile(None)
print(count)
raise SystemExit(code)
"""
POINTS = 20


@pytest.mark.slow
def test_a_migration_may_be_killed_anywhere(here: Here, old: Path, tmp_path: Path) -> None:
    spare = tmp_path / "spare.db"
    spare.write_bytes(old.read_bytes())

    def migrate(at: int) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", KILLED_AT, str(at)]
        return subprocess.run(
            command, env=environment(tmp_path), cwd=tmp_path, stdout=subprocess.PIPE, text=True, check=False
        )

    whole = migrate(-1)
    assert whole.returncode == 0
    calls = int(whole.stdout)
    versions = set()
    for point in range(POINTS):
        for path in old.parent.iterdir():
            path.unlink()
        old.write_bytes(spare.read_bytes())
        assert migrate(1 + calls * point // POINTS).returncode == -9
        assert ask(old, "PRAGMA integrity_check") == ["ok"]
        (version,) = ask(old, "PRAGMA user_version")
        versions.add(version)
        tables = ask(old, "SELECT count(*) FROM sqlite_master WHERE name IN ('engines', 'inbox')")
        assert (version, tables) in ((1, [0]), (ddl.VERSION, [2]))
        assert ask(old, "SELECT digest FROM specs") == ["d1"]
        done = here("db", "migrate")
        assert done.returncode == 0, done.stderr
        assert here("db", "check").returncode == 0
    assert 1 in versions
