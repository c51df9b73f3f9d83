"""The schema in PostgreSQL is one, however it is made; texts survive and keep their order; nothing heavy is imported."""

from __future__ import annotations

import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from engine.errors import StoreConflict
from engine.reactor import SelectorReactor
from engine.store import ddl, statements
from engine.store.address import ServerAddress, shown_url
from engine.store.postgres import ddl as postgres_ddl
from engine.store.postgres.connections import connect_writer
from engine.store.postgres.creation import find_naming
from engine.store.postgres.naming import TABLES, Naming, quoted
from engine.store.postgres.rendering import render_ddl
from engine.store.postgres.store import PostgresStore
from engine.store.postgres.texts import escaped, unescaped
from engine.store.postgres.upgrade import upgrade_store
from engine.store.rows import Message
from engine.store.tables import METADATA

from .samples import NOW, continuing, inserting, run, texts

COLUMNS = (
    "SELECT table_name, column_name, data_type, is_nullable, collation_name FROM information_schema.columns"
    " WHERE table_schema = %s ORDER BY table_name, ordinal_position"
)
INDEXES = "SELECT tablename, replace(indexdef, %s, 'S') FROM pg_indexes WHERE schemaname = %s ORDER BY indexdef"


def shape(address: ServerAddress) -> tuple[list[tuple[object, ...]], list[tuple[object, ...]]]:
    """Columns and indexes of all tables in the schema."""
    with psycopg.connect(address.url) as connection:
        columns = connection.execute(COLUMNS, (address.schema,)).fetchall()
        indexes = connection.execute(INDEXES, (quoted(address.schema or ""), address.schema)).fetchall()
    return columns, indexes


def test_the_ddl_is_what_the_tables_render() -> None:
    assert Path(postgres_ddl.__file__).read_text(encoding="utf-8") == render_ddl()
    assert set(TABLES) == set(METADATA.tables)


@pytest.mark.parametrize("prefix", ["", "a_"])
def test_a_new_store_and_a_migrated_one_have_the_same_schema(address: ServerAddress, prefix: str) -> None:
    made = replace(address, prefix=prefix)
    PostgresStore.open(made).close()
    expected = shape(address)
    assert len(expected[0]) > 60
    with psycopg.connect(address.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA {quoted(address.schema or '')} CASCADE")
        connection.execute(f"CREATE SCHEMA {quoted(address.schema or '')}")
    upgrade_store(made, Naming(address.schema or "", prefix))
    assert shape(address) == expected
    with closing(PostgresStore.open(made, create=False)) as store:
        store.commit([inserting(run("r1"))])


MIGRATION = """
from alembic import op
import sqlalchemy as sa
revision, down_revision, branch_labels, depends_on = "{next}", "{last}", None, None

def upgrade():
    op.add_column("runs", sa.Column("note", sa.Text(), nullable=True))
    op.execute("UPDATE runs SET note = 'from ' || flow")
    {end}
"""


@pytest.mark.parametrize("end", ["pass", "raise OSError('no')"])
def test_a_migration_is_made_whole_or_not_at_all(address: ServerAddress, tmp_path: Path, end: str) -> None:
    following = f"{ddl.VERSION + 1:04}"
    (tmp_path / "next.py").write_text(MIGRATION.format(next=following, last=ddl.REVISION, end=end))
    with closing(PostgresStore.open(replace(address, prefix="a_"))) as store:
        store.commit([inserting(run("r1"))])
        naming = store._naming
        before = shape(address)
        if end == "pass":
            upgrade_store(address, naming, further=(tmp_path,))
        else:
            with pytest.raises(OSError, match="no"):
                upgrade_store(address, naming, further=(tmp_path,))
    with psycopg.connect(address.url) as connection:
        found = connection.execute(naming.statement("SELECT version_num FROM schema_version"), ()).fetchall()
    assert found == [(following if end == "pass" else ddl.REVISION,)]
    assert (shape(address) == before) == (end != "pass")


def test_a_store_of_the_first_version_is_upgraded_on_open(address: ServerAddress) -> None:
    with closing(PostgresStore.open(address)) as store:
        store.commit([inserting(run("r1"))])
        expected, naming = shape(address), store._naming
    with psycopg.connect(address.url, autocommit=True) as connection:
        for name in ("engines", "inbox"):
            connection.execute(f"DROP TABLE {naming.table(name)}".replace("%", "%%"), ())
        connection.execute(f"UPDATE {naming.table('schema_version')} SET version_num = '0001'".replace("%", "%%"), ())
    with closing(PostgresStore.open(address, now=NOW)) as store:
        assert store.run("r1") == run("r1")
    assert shape(address) == expected


@given(one=texts, other=texts)
def test_any_text_is_kept_without_nul_and_in_its_order(one: str, other: str) -> None:
    assert unescaped(escaped(one)) == one
    assert "\0" not in escaped(one)
    assert escaped(one + other) == escaped(one) + escaped(other)
    assert (escaped(one).encode() < escaped(other).encode()) == (one.encode() < other.encode())


@given(st.lists(st.text("\0\x01\x02a%?", max_size=4), max_size=4))
def test_control_characters_keep_their_order(parts: list[str]) -> None:
    assert sorted(parts, key=lambda part: escaped(part).encode()) == sorted(parts)


def test_statements_that_insert_do_so_for_all_rows_at_once() -> None:
    naming = Naming("s", "p_")
    for name, sql in vars(statements).items():
        if isinstance(sql, str) and sql.startswith("INSERT"):
            insert = naming.insert(sql)
            assert insert is not None, name
            assert insert.sql.count("%s") == 1
            assert 'json_populate_recordset(NULL::"s"."p_' in insert.sql


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("postgresql://u:p@h:1/d?password=q", "postgresql://u@h:1/d"),
        ("postgres://h/d", "postgres://h/d"),
        ("postgresql:///d?host=/run/postgresql", "postgresql:///d"),
        ("postgresql://u:a@b@h/d", "postgresql://u@h/d"),
        ("postgresql://u:p@[::1/d", "postgresql://..."),
    ],
)
def test_an_address_is_shown_without_secrets(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_a_message_wakes_the_engine_that_holds_the_run(address: ServerAddress) -> None:
    rung = list[str]()
    reactor = SelectorReactor()
    with closing(PostgresStore.open(address)) as store, closing(PostgresStore.open(address)) as other:
        store.commit([inserting(run("r1", owner="a")), inserting(run("r2"))])
        bells = [store.wakeups(name, reactor, lambda name=name: rung.append(name)) for name in ("a", "b")]  # type: ignore[misc]
        other.ask(Message("m1", "r2", "cancel", {}, "me", NOW))
        other.ask(Message("m2", "none", "cancel", {}, "me", NOW))
        other.ask(Message("m3", "r1", "cancel", {}, "me", NOW))
        for _ in range(50):
            reactor.wait(1.0)
            if rung:
                break
        assert rung == ["a"]
        for bell in bells:
            bell.close()
            bell.close()
    reactor.close()


def test_a_lost_listener_listens_again_and_looks_what_it_missed(
    address: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.store.postgres.wakeups._AGAIN_S", 0.01)
    rung = list[int]()
    reactor = SelectorReactor()
    with closing(PostgresStore.open(address)) as store:
        bell = store.wakeups("a", reactor, lambda: rung.append(1))
        assert bell._connection is not None
        lost = bell._connection.info.backend_pid
        with psycopg.connect(address.url, autocommit=True) as other:
            other.execute("SELECT pg_terminate_backend(%s)", (lost,))
        for _ in range(50):
            reactor.wait(1.0)
            if rung:
                break
        assert rung == [1]
        assert bell._connection is not None
        assert bell._connection.info.backend_pid != lost
        bell.close()
    reactor.close()


def test_two_engines_that_claim_one_run_at_once(address: ServerAddress) -> None:
    with closing(PostgresStore.open(address)) as store, closing(PostgresStore.open(address)) as other:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        store.commit([continuing(replace(row, token=2, owner="a"), events=0, expected_token=1)])
        with pytest.raises(StoreConflict) as caught:
            other.commit([continuing(replace(row, token=2, owner="b"), events=0, expected_token=1)])
        assert caught.value.run_ids == ("r1",)


def test_using_a_store_imports_neither_alembic_nor_sqlalchemy(address: ServerAddress) -> None:
    code = (
        "import sys; from engine.store.address import ServerAddress; from engine.store.postgres.store import PostgresStore;"
        f"PostgresStore.open(ServerAddress({address.url!r}, schema={address.schema!r})).close();"
        "print(sorted({'alembic', 'sqlalchemy', 'sqlmodel', 'pydantic', 'networkx', 'sqlite3'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.split() == ["[]"]


def test_a_store_in_a_file_does_not_import_psycopg(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.store.opening import open_store;"
        f"open_store(Path({str(tmp_path / 'flow.db')!r}), create=True, now=None).close();"
        "print('psycopg' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout == "False\n"


def test_a_writer_syncs_what_it_commits(address: ServerAddress) -> None:
    url = f"{address.url}?options=-c%20synchronous_commit%3Doff"
    with closing(connect_writer(replace(address, url=url))) as writer:
        assert writer.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert find_naming(writer, address).schema == address.schema
