"""An older store is brought up to date once, whole or not at all, with what it was kept beside it."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import StoreDamaged, StoreError
from engine.store import creation, ddl
from engine.store.rows import Holding
from engine.store.sqlite import SqliteStore
from engine.store.upgrade import upgrade_store

from .samples import inserting, run

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
STAMP = "20260304T050607Z"

MIGRATION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "0003", "0002", None, None

def upgrade():
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=True))
    op.execute("UPDATE runs SET note = 'from ' || flow")
    op.create_table("notes", sa.Column("id", sa.Text(), primary_key=True))
    {end}
"""


def make_old(path: Path) -> Path:
    """A store of ours from before the first schema, with something in it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA application_id = {creation.APPLICATION_ID}")
        connection.execute("CREATE TABLE memo (text TEXT)")
        connection.execute("INSERT INTO memo VALUES ('kept')")
    return path


@pytest.fixture
def old(tmp_path: Path) -> Path:
    return make_old(tmp_path / "flow.db")


def ask(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def further(tmp_path: Path, end: str = "") -> Path:
    """A folder with one more migration than we have."""
    folder = tmp_path / "100% more"
    folder.mkdir()
    (folder / "v0003_notes.py").write_text(MIGRATION.format(end=end))
    return folder


def test_an_older_store_is_upgraded_on_open_with_a_backup_beside_it(old: Path) -> None:
    with closing(SqliteStore.open(old, now=NOW)) as store:
        store.commit([inserting(run("r1"))])
        assert store.run("r1") == run("r1")
    assert ask(old, "PRAGMA user_version") == [(ddl.VERSION,)]
    assert ask(old, "SELECT text FROM memo") == [("kept",)]
    backup = old.with_name(f"flow.db.backup-0000-{STAMP}")
    assert ask(backup, "PRAGMA user_version") == [(0,)]
    assert ask(backup, "SELECT name FROM sqlite_master") == [("memo",)]
    assert ask(backup, "SELECT text FROM memo") == [("kept",)]
    assert backup.stat().st_mode & 0o777 == 0o600


def test_a_store_is_upgraded_once(old: Path) -> None:
    for _ in range(2):
        SqliteStore.open(old, now=NOW).close()
    assert sorted(each.name for each in old.parent.iterdir()) == [
        "flow.db",
        f"flow.db.backup-0000-{STAMP}",
        "flow.db.lock",
    ]


def test_a_store_is_not_upgraded_by_those_who_cannot_name_the_backup(old: Path) -> None:
    before = old.read_bytes()
    with pytest.raises(StoreError, match="earlier flowctl"):
        SqliteStore.open(old)
    assert old.read_bytes() == before


def test_a_backup_is_never_written_over(old: Path) -> None:
    backup = old.with_name(f"flow.db.backup-0000-{STAMP}")
    backup.write_bytes(b"precious")
    SqliteStore.open(old, now=NOW).close()
    assert backup.read_bytes() == b"precious"
    assert ask(backup.with_name(f"{backup.name}.2"), "SELECT text FROM memo") == [("kept",)]
    assert ask(old, "PRAGMA user_version") == [(ddl.VERSION,)]


def test_a_migration_keeps_the_rows_there_are(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run("r1"))])
        backup = upgrade_store(path, version=2, now=NOW, further=(further(tmp_path),))
    assert ask(path, "SELECT id, note FROM runs") == [("r1", "from etl")]
    assert ask(path, "SELECT version_num FROM schema_version") == [("0003",)]
    assert ask(path, "PRAGMA user_version") == [(3,)]
    assert ask(backup, "SELECT id FROM runs") == [("r1",)]  # it was in the log only


@pytest.mark.parametrize("end", ["raise ValueError('no')", "op.execute('SELECT nothing')", "op.drop_table('nothing')"])
def test_a_migration_that_fails_leaves_the_store_as_it_was(tmp_path: Path, end: str) -> None:
    path = tmp_path / "flow.db"
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run("r1"))])
    with pytest.raises((StoreDamaged, ValueError)):
        upgrade_store(path, version=1, now=NOW, further=(further(tmp_path, end),))
    with closing(SqliteStore.open(path)) as store:
        assert store.run("r1") == run("r1")
    assert ask(path, "SELECT count(*) FROM sqlite_master WHERE name = 'notes'") == [(0,)]


def test_a_process_killed_in_a_migration_leaves_the_store_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run("r1"))])
    folder = further(tmp_path, "import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from engine.store.upgrade import upgrade_store;"
        "upgrade_store(Path(sys.argv[1]), version=1, now=datetime.now(UTC), further=(Path(sys.argv[2]),))"
    )
    assert subprocess.run([sys.executable, "-c", code, path, folder], check=False).returncode == -9
    with closing(SqliteStore.open(path)) as store:
        assert store.run("r1") == run("r1")
    assert ask(path, "SELECT count(*) FROM sqlite_master WHERE name = 'notes'") == [(0,)]


def test_a_store_at_a_step_nobody_knows_is_damaged(old: Path) -> None:
    with closing(sqlite3.connect(old, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE schema_version (version_num VARCHAR(32) NOT NULL)")
        connection.execute("INSERT INTO schema_version VALUES ('9999')")
    with pytest.raises(StoreDamaged, match="cannot be upgraded"):
        SqliteStore.open(old, now=NOW)


def test_processes_that_meet_an_older_store_upgrade_it_once(old: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from datetime import datetime, UTC;"
        "from engine.store.sqlite import SqliteStore;"
        "SqliteStore.open(Path(sys.argv[1]), now=datetime.now(UTC)).close()"
    )
    started = [subprocess.Popen([sys.executable, "-c", code, old]) for _ in range(3)]
    assert [process.wait() for process in started] == [0, 0, 0]
    assert len([each for each in old.parent.iterdir() if ".backup-" in each.name]) == 1


def test_a_store_from_before_leases_tells_of_its_owners_that_nobody_knows_their_engine(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    row = run("r1", owner="host/boot/1/2", token=1)
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(row)])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:  # as version 1 had it
        for statement in ("DROP TABLE engines", "DROP TABLE inbox", "UPDATE schema_version SET version_num = '0001'"):
            connection.execute(statement)
        connection.execute("PRAGMA user_version = 1")
    with closing(SqliteStore.open(path, now=NOW)) as store:
        assert store.run("r1") == row
        assert store.holdings() == (Holding("host/boot/1/2", 1, None),)
        assert store.asked("host/boot/1/2") == ()
