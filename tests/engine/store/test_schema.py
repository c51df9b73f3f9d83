"""The schema is one, however it is made: DDL text, SQLModel's metadata, Alembic's migrations, the hot path's columns."""

from __future__ import annotations

import re
import sqlite3
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from msgspec import Struct

from engine.store import creation, ddl, rows, statements, tables
from engine.store.upgrade import upgrade_store

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


def schema(connection: sqlite3.Connection) -> dict[str, str]:
    """Every table and index by name, with the statement that makes it, free of its layout."""
    found = connection.execute("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL").fetchall()
    return {name: re.sub(r"\s*([(),])\s*|\s+", lambda gap: gap[1] or " ", sql).strip() for name, sql in found}


def empty_store(path: Path) -> Path:
    """A file of ours from before the first schema."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA application_id = {creation.APPLICATION_ID}")
    connection.close()
    return path


def test_the_ddl_is_what_the_tables_render() -> None:
    assert Path(ddl.__file__).read_text(encoding="utf-8") == tables.render_ddl()


def test_a_new_store_and_a_migrated_one_have_the_same_schema(tmp_path: Path) -> None:
    path = empty_store(tmp_path / "flow.db")
    upgrade_store(path, version=0, now=NOW)
    new = sqlite3.connect(":memory:", isolation_level=None)
    creation.create_schema(new)
    migrated = sqlite3.connect(path)
    try:
        assert schema(migrated) == schema(new)
        for pragma in ("application_id", "user_version"):
            query = f"PRAGMA {pragma}"
            assert migrated.execute(query).fetchall() == new.execute(query).fetchall()
        query = "SELECT version_num FROM schema_version"
        assert migrated.execute(query).fetchall() == new.execute(query).fetchall() == [(ddl.REVISION,)]
    finally:
        migrated.close()
        new.close()


def test_a_new_store_has_the_tables_and_columns_of_the_metadata() -> None:
    from sqlalchemy import create_engine
    from sqlalchemy.pool import StaticPool

    new = sqlite3.connect(":memory:", isolation_level=None)
    creation.create_schema(new)
    made = sqlite3.connect(":memory:", isolation_level=None)
    engine = create_engine("sqlite://", creator=lambda: made, poolclass=StaticPool)
    tables.METADATA.create_all(engine)
    assert schema(made) == schema(new)
    engine.dispose()
    new.close()


@pytest.mark.parametrize(
    ("table", "columns", "row"),
    [
        ("specs", statements.SPEC_COLUMNS, rows.SpecRow),
        ("runs", (*statements.RUN_COLUMNS, "reversed_id"), rows.RunRow),
        ("tasks", statements.TASK_COLUMNS, rows.TaskRow),
        ("attempts", statements.ATTEMPT_COLUMNS, rows.AttemptRow),
        ("events", statements.EVENT_COLUMNS, rows.EventRow),
        ("inbox", statements.INBOX_COLUMNS, rows.Message),
    ],
)
def test_the_statements_name_the_columns_of_tables_and_rows(
    table: str, columns: tuple[str, ...], row: type[Struct]
) -> None:
    assert columns == tuple(tables.METADATA.tables[table].columns.keys())
    fields = list(row.__struct_fields__)
    assert [column for column in columns if column != "reversed_id"] == fields


def test_the_statements_name_the_columns_of_engines() -> None:
    assert tuple(tables.METADATA.tables["engines"].columns.keys()) == statements.ENGINE_COLUMNS


def test_no_statement_but_for_parameters_holds_a_question_mark() -> None:
    texts = [value for name, value in vars(statements).items() if name.isupper() and isinstance(value, str)]
    assert len(texts) > 10
    for text in texts:
        assert not any("?" in literal for literal in re.findall(r"'[^']*'", text))
        assert "%" not in text


def test_using_a_store_imports_neither_alembic_nor_sqlalchemy(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from engine.store.sqlite import SqliteStore;"
        f"SqliteStore.open(Path({str(tmp_path / 'flow.db')!r})).close();"
        "print(sorted({'alembic', 'sqlalchemy', 'sqlmodel', 'pydantic', 'networkx', 'asyncio'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()) <= {"[]", "['pydantic']"}
