"""The schema of the store, once: SQLModel tables from which the DDL and the migrations' target are derived.

Importing this module costs a third of a second, so nothing on the path of `run` does: a new store is made from the text
in `engine.store.ddl`, which `render_ddl` writes. Instants are microseconds since 1970 in UTC; JSON is compact text.
"""

from __future__ import annotations

from typing import Any, ClassVar

from sqlalchemy import BigInteger, Index, MetaData, PrimaryKeyConstraint, String, Table, Text
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import CreateIndex, CreateTable
from sqlmodel import Field, SQLModel

from engine.store.ddl import VERSION

METADATA = MetaData()


class StoreTable(SQLModel):
    """Base of the tables, with metadata of its own: other people's SQLModel classes are none of the store's tables."""

    metadata: ClassVar[MetaData] = METADATA


class SchemaVersion(StoreTable, table=True):
    """The one row Alembic keeps: the revision the schema has."""

    __tablename__ = "schema_version"
    __table_args__ = (PrimaryKeyConstraint("version_num", name="schema_version_pkc"),)

    version_num: str = Field(sa_type=String(32), primary_key=True)


class Spec(StoreTable, table=True):
    """The files runs were compiled from, by digest."""

    __tablename__ = "specs"

    digest: str = Field(sa_type=Text, primary_key=True)
    flow: str = Field(sa_type=Text)
    files: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)


class Run(StoreTable, table=True):
    """Runs. Each list has the index that yields it newest first.

    Where `parent_run` comes last, it lets a list of top-level runs pass over children without reading their rows.
    `reversed_id` makes looking up by the end of an id a range.
    """

    __tablename__ = "runs"
    __table_args__ = (
        Index("ix_runs_created", "created_at", "id"),
        Index("ix_runs_flow", "flow", "created_at", "id", "parent_run"),
        Index("ix_runs_state", "state", "created_at", "id", "parent_run"),
        Index("ix_runs_flow_state", "flow", "state", "created_at", "id", "parent_run"),
        Index("ix_runs_parent", "parent_run", "created_at", "id"),
        Index("ix_runs_id", "id", "created_at"),
        Index("ix_runs_reversed", "reversed_id", "created_at", "id"),
    )

    id: str = Field(sa_type=Text, primary_key=True)
    flow: str = Field(sa_type=Text)
    digest: str = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    params: str = Field(sa_type=Text)
    trigger: str = Field(sa_type=Text)
    created_at: int = Field(sa_type=BigInteger)
    labels: str = Field(sa_type=Text)
    priority: int
    parent_run: str | None = Field(sa_type=Text)
    parent_task: str | None = Field(sa_type=Text)
    scheduled_at: int | None = Field(sa_type=BigInteger)
    started_at: int | None = Field(sa_type=BigInteger)
    ended_at: int | None = Field(sa_type=BigInteger)
    error: str | None = Field(sa_type=Text)
    outputs: str | None = Field(sa_type=Text)
    warnings: int
    noop: bool
    undo: str | None = Field(sa_type=Text)
    seq: int = Field(sa_type=BigInteger)
    token: int = Field(sa_type=BigInteger)
    owner: str | None = Field(sa_type=Text)
    reversed_id: str = Field(sa_type=Text)


class Task(StoreTable, table=True):
    """Tasks of runs and items of their fan-outs; `item` -1 is the task itself."""

    __tablename__ = "tasks"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    run_id: str = Field(sa_type=Text, primary_key=True)
    task: str = Field(sa_type=Text, primary_key=True)
    item: int = Field(primary_key=True)
    key: str | None = Field(sa_type=Text)
    state: str = Field(sa_type=Text)
    round: int
    attempts: int
    position: int
    queued_at: int | None = Field(sa_type=BigInteger)
    started_at: int | None = Field(sa_type=BigInteger)
    ended_at: int | None = Field(sa_type=BigInteger)
    error: str | None = Field(sa_type=Text)
    cause: str | None = Field(sa_type=Text)
    counts: str | None = Field(sa_type=Text)


class Attempt(StoreTable, table=True):
    """Attempts of tasks and items."""

    __tablename__ = "attempts"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    run_id: str = Field(sa_type=Text, primary_key=True)
    task: str = Field(sa_type=Text, primary_key=True)
    item: int = Field(primary_key=True)
    round: int = Field(primary_key=True)
    attempt: int = Field(primary_key=True)
    state: str = Field(sa_type=Text)
    started_at: int = Field(sa_type=BigInteger)
    ended_at: int | None = Field(sa_type=BigInteger)
    exit_code: int | None = Field(sa_type=BigInteger)
    signal: str | None = Field(sa_type=Text)
    error: str | None = Field(sa_type=Text)
    child_run: str | None = Field(sa_type=Text)


class Event(StoreTable, table=True):
    """The logs of the runs: the truth, of which the other tables are projections. Rows are never changed."""

    __tablename__ = "events"
    __table_args__: ClassVar[dict[str, Any]] = {"sqlite_with_rowid": False}

    run_id: str = Field(sa_type=Text, primary_key=True)
    seq: int = Field(sa_type=BigInteger, primary_key=True)
    at: int = Field(sa_type=BigInteger)
    type: str = Field(sa_type=Text)
    task: str | None = Field(sa_type=Text)
    item: int | None
    data: str = Field(sa_type=Text)


class Engine(StoreTable, table=True):
    """Leases of the engines that hold something.

    `beat_at` and `expires_at` are microseconds of the clock that `clock` names: of a store in a file the time since this
    machine's boot, which no one sets; of a server its own time. What was written by another clock has run out.
    """

    __tablename__ = "engines"

    id: str = Field(sa_type=Text, primary_key=True)
    started_at: int = Field(sa_type=BigInteger)
    clock: str = Field(sa_type=Text)
    beat_at: int = Field(sa_type=BigInteger)
    expires_at: int = Field(sa_type=BigInteger)
    beats: int = Field(sa_type=BigInteger)
    retired: bool


class Inbox(StoreTable, table=True):
    """What was asked of runs that engines hold, and how they answered."""

    __tablename__ = "inbox"
    __table_args__ = (Index("ix_inbox_open", "done_at", "asked_at", "id"), Index("ix_inbox_run", "run_id"))

    id: str = Field(sa_type=Text, primary_key=True)
    run_id: str = Field(sa_type=Text)
    command: str = Field(sa_type=Text)
    data: str = Field(sa_type=Text)
    asked_by: str = Field(sa_type=Text)
    asked_at: int = Field(sa_type=BigInteger)
    done_at: int | None = Field(sa_type=BigInteger)
    answer: str | None = Field(sa_type=Text)


def statements_of(table: Table, dialect: Dialect) -> list[str]:
    """The statements that make a table and its indexes."""
    texts = [str(CreateTable(table).compile(dialect=dialect))]
    for index in sorted(table.indexes, key=lambda each: str(each.name)):
        texts.append(str(CreateIndex(index).compile(dialect=dialect)))
    return ["\n".join(line.rstrip() for line in text.strip().splitlines()).replace("\t", "    ") for text in texts]


def sqlite_statements() -> tuple[str, ...]:
    """The statements that make an empty schema in SQLite: tables and indexes by name."""
    return tuple(text for table in METADATA.sorted_tables for text in statements_of(table, sqlite.dialect()))


def render_ddl() -> str:
    """The whole text of `engine/store/ddl.py`."""
    statements = "".join(f'    """\n{text}\n""",\n' for text in sqlite_statements())
    return _DDL_MODULE.format(version=VERSION, statements=statements)


_DDL_MODULE = '''"""The schema as text, so that a new store is made without importing SQLModel.

Written by `engine.store.tables.render_ddl`; a test holds the two to be the same.
"""

from __future__ import annotations

VERSION = {version}
"""The schema this code reads and writes: the number of the last migration."""

REVISION = f"{{VERSION:04}}"
"""The same as Alembic writes it."""

SQLITE: tuple[str, ...] = (
{statements})
'''
