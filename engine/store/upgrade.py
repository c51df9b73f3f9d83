"""Bringing an older store up to date: a backup first, then all migrations in one transaction.

Alembic and SQLAlchemy are imported when it happens, never before.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
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


def _migrate(path: Path, versions: Sequence[Path]) -> None:
    from alembic import command
    from alembic.script import ScriptDirectory
    from alembic.util.exc import CommandError
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    config = migration_config(versions)
    head = ScriptDirectory.from_config(config).get_current_head() or ddl.REVISION
    connection = connect_writer(path)
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
        raise StoreDamaged(
            f"the store `{path}` cannot be upgraded: {str(error).lower()}", hint=way_back(str(path))
        ) from error
    finally:
        engine.dispose()
        connection.close()


def _literal(folder: Path) -> str:
    """A path for Alembic's options, where a percent sign begins a substitution."""
    return str(folder).replace("%", "%%")
