"""Bringing an older store up to date: a backup first, then all migrations in one transaction.

Alembic and SQLAlchemy are imported when it happens, never before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import StoreDamaged
from engine.store import ddl
from engine.store.backups import backup_path, way_back
from engine.store.connections import connect_writer
from engine.store.copying import back_up
from engine.store.faults import translating

if TYPE_CHECKING:
    from alembic.config import Config

MIGRATIONS = Path(__file__).parent / "migrations"
VERSIONS = MIGRATIONS / "versions"

_DEFINITIONS = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY type DESC"
_VERSIONS = "SELECT version_num FROM schema_version"
CHANGING = frozenset({"CREATE", "ALTER", "DROP", "INSERT", "UPDATE", "DELETE", "REPLACE"})
"""First words of statements that change something."""


def upgrade_store(path: Path, *, version: int, now: datetime, further: Sequence[Path] = ()) -> Path:
    """Back a store of `version` up and migrate it to the newest; returns the backup. The caller holds the store's lock.

    If anything fails the store is as it was. `further` are folders with migrations besides our own.

    Raises:
        StoreUnavailable: there is no room for the backup, or it cannot be written.
        StoreError: a backup of this instant exists already.
        StoreDamaged: the store is not what its version says.
    """
    backup = backup_path(path, version=version, now=now)
    with translating(str(path)):
        back_up(path, backup, holds_lock=True)
        _migrate(path, (VERSIONS, *further))
    return backup


def migration_config(versions: Sequence[Path]) -> Config:
    """What Alembic needs to know of the migrations in these folders."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", _literal(MIGRATIONS))
    config.set_main_option("version_locations", os.pathsep.join(_literal(folder) for folder in versions))
    config.set_main_option("path_separator", "os")
    return config


def rehearse(store: sqlite3.Connection, *, further: Sequence[Path] = ()) -> list[str]:
    """The statements with which a store would be migrated: those that change anything when its tables are, without rows."""
    done: list[str] = []
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as stage:
        for (statement,) in store.execute(_DEFINITIONS).fetchall():
            stage.execute(statement)
        for (version,) in store.execute(_VERSIONS).fetchall() if "schema_version" in _tables(store) else ():
            stage.execute("INSERT INTO schema_version (version_num) VALUES (?)", (version,))
        stage.set_trace_callback(done.append)
        _run_migrations(stage, (VERSIONS, *further), "the store")
    return [
        text.strip() for text in done if text.strip().partition(" ")[0].upper() in CHANGING or "user_version" in text
    ]


def _tables(store: sqlite3.Connection) -> set[str]:
    return {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()}


def _migrate(path: Path, versions: Sequence[Path]) -> None:
    with closing(connect_writer(path)) as connection:
        _run_migrations(connection, versions, f"the store `{path}`", hint=way_back(str(path)))


def _run_migrations(
    connection: sqlite3.Connection, versions: Sequence[Path], name: str, *, hint: str | None = None
) -> None:
    """Migrate what a connection leads to, in one transaction."""
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config = migration_config(versions)
    head = ScriptDirectory.from_config(config).get_current_head() or ddl.REVISION
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    try:
        # Alembic leaves a transaction alone that it finds; SQLAlchemy commits or rolls it back at the end of the `with`.
        with engine.begin() as wrapped:
            connection.execute("BEGIN IMMEDIATE")  # the driver's own would come too late for changes of tables
            config.attributes["connection"] = wrapped
            command.upgrade(config, "head")
            connection.execute(f"PRAGMA user_version = {int(head)}")
    except DBAPIError as error:
        raise (error.orig if isinstance(error.orig, sqlite3.Error) else error) from error
    except CommandError as error:
        raise StoreDamaged(f"{name} cannot be upgraded: {str(error).lower()}", hint=hint) from error
    finally:
        engine.dispose()


def _literal(folder: Path) -> str:
    """A path for Alembic's options, where a percent sign begins a substitution."""
    return str(folder).replace("%", "%%")
