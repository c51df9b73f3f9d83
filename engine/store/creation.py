"""Making a store, and telling whether a file is one: the first words of every opening."""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from engine.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from engine.store import ddl, places
from engine.store.backups import backups_of, version_of, way_back
from engine.store.connections import connect_writer
from engine.store.faults import translating

APPLICATION_ID = 0x666C6F77
"""Marks our files in SQLite's header: `flow` in ASCII."""

_TABLES = ("attempts", "engines", "events", "inbox", "runs", "schema_version", "specs", "tasks")


def create_store(path: Path) -> None:
    """Make an empty store that is complete from the first instant it has its name. The caller holds the store's lock.

    A process killed on the way leaves `NAME.new`, which the next one replaces; so an empty file under the store's own
    name is never ours.
    """
    fresh = places.beside(path, ".new")
    try:
        for leftover in (fresh, *(places.beside(fresh, suffix) for suffix in ("-wal", "-shm", "-journal"))):
            leftover.unlink(missing_ok=True)
        os.close(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        with translating(str(path)):
            _fill(fresh)
        fresh.rename(path)
        places.sync_folder(path.parent)
    except OSError as error:
        raise StoreUnavailable(
            f"cannot make the store `{path}`: {(error.strerror or str(error)).lower()}",
            hint="check the folder's permissions and the space on its disk",
        ) from error


def create_schema(connection: sqlite3.Connection) -> None:
    """Make the tables of a new store in one transaction, and mark it as ours."""
    connection.execute("BEGIN IMMEDIATE")
    for statement in ddl.SQLITE:
        connection.execute(statement)
    connection.execute("INSERT INTO schema_version (version_num) VALUES (?)", (ddl.REVISION,))
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {ddl.VERSION}")
    connection.execute("COMMIT")


def stored_version(connection: sqlite3.Connection, path: Path) -> int:
    """The version of the schema in a file, not above our own.

    Raises:
        StoreDamaged: the file is not a store of ours, or parts of it are missing.
        StoreTooNew: a later flowctl has written it.
    """
    application: int = connection.execute("PRAGMA application_id").fetchone()[0]
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != APPLICATION_ID:
        raise StoreDamaged(
            f"`{path}` is a database of another program, not a store",
            hint="name another file; this one was left as it is",
        )
    if version > ddl.VERSION:
        raise StoreTooNew(
            f"the store `{path}` has version {version} and this flowctl knows versions up to {ddl.VERSION}",
            hint=_earlier(path),
        )
    if version < 0:
        raise StoreDamaged(f"the store `{path}` is damaged: it has version {version}", hint=way_back(str(path)))
    if version == ddl.VERSION:
        _check_tables(connection, path)
    return version


def _earlier(path: Path) -> str:
    """The way out for a store that is too new: a backup that this flowctl can use, if there is one."""
    usable = [backup for backup in backups_of(path) if (version_of(backup) or ddl.VERSION + 1) <= ddl.VERSION]
    known = f" from before its upgrade, such as `{usable[0]}`" if usable else " from before its upgrade"
    return f"use a later flowctl, or a backup{known}; the store was left as it is"


def _fill(fresh: Path) -> None:
    connection = connect_writer(fresh)
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        create_schema(connection)
        # Here and not when the connection closes, which would keep silent about a full disk.
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        connection.close()


def _check_tables(connection: sqlite3.Connection, path: Path) -> None:
    marks = ", ".join("?" * len(_TABLES))
    count = f"SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name IN ({marks})"  # noqa: S608 -- marks only
    if connection.execute(count, _TABLES).fetchone()[0] != len(_TABLES):
        raise StoreDamaged(f"the store `{path}` is damaged: tables are missing", hint=way_back(str(path)))
