"""Bringing an older store in a database up to date: all migrations in one transaction.

A backup is the business of whoever runs the server. Alembic and SQLAlchemy are imported when it happens, never before.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg

from engine.errors import StoreDamaged
from engine.store import ddl
from engine.store.postgres import faults
from engine.store.postgres.connections import Connection, connect_patiently
from engine.store.postgres.creation import hold_changes, stored_version
from engine.store.postgres.naming import Naming, quoted
from engine.store.upgrade import CHANGING, VERSIONS, migration_config

if TYPE_CHECKING:
    from sqlalchemy import Engine

    from engine.store.address import ServerAddress


def upgrade_store(address: ServerAddress, naming: Naming, *, further: Sequence[Path] = ()) -> None:
    """Migrate a store to the newest version; if anything fails it is as it was. Of several processes one does it.

    `further` are folders with migrations besides our own.

    Raises:
        StoreDamaged: the store is not what its version says.
        StoreUnavailable: the server refuses, or is gone.
    """
    connection = connect_patiently(address)
    try:
        with faults.translating(str(address)):
            _migrate(connection, naming, str(address), (VERSIONS, *further))
    finally:
        connection.close()


def rehearse(address: ServerAddress, naming: Naming) -> list[str]:
    """The statements with which a store would be migrated; they are executed and taken back."""
    done: list[str] = []
    connection = connect_patiently(address)
    try:
        with faults.translating(str(address)):
            _migrate(connection, naming, str(address), (VERSIONS,), rehearsal=done)
    finally:
        connection.close()
    return done


def _migrate(
    connection: Connection,
    naming: Naming,
    name: str,
    versions: Sequence[Path],
    *,
    rehearsal: list[str] | None = None,
) -> None:
    """Migrate in one transaction; for a `rehearsal` the statements that change anything go there, and it is rolled back."""
    from alembic import command
    from alembic.util.exc import CommandError
    from sqlalchemy.exc import DBAPIError

    connection.autocommit = False
    engine = _wrapped(connection, naming, told=rehearsal)
    try:
        with engine.connect() as wrapped, wrapped.begin() as transaction:
            hold_changes(connection, naming)
            if versions == (VERSIONS,) and stored_version(connection, naming, name) == ddl.VERSION:
                return  # another process was quicker
            connection.execute(f"SET LOCAL search_path TO {quoted(naming.schema)}")
            config = migration_config(versions)
            config.attributes["connection"] = wrapped
            config.attributes["version_table"] = naming.prefix + "schema_version"
            command.upgrade(config, "head")
            if rehearsal is not None:
                transaction.rollback()
    except DBAPIError as error:
        raise (error.orig if isinstance(error.orig, psycopg.Error) else error) from error
    except CommandError as error:
        raise StoreDamaged(f"the store `{name}` cannot be upgraded: {str(error).lower()}") from error
    finally:
        engine.dispose()


def _wrapped(connection: Connection, naming: Naming, *, told: list[str] | None) -> Engine:
    """The connection as SQLAlchemy takes it, with a store's types and names of tables; what changes anything is `told`."""
    from sqlalchemy import create_engine, event
    from sqlalchemy.pool import StaticPool

    from engine.store.postgres.rendering import StoreTypes

    def name_tables(_wrapped: Any, _cursor: Any, statement: str, values: Any, *_more: Any) -> tuple[str, Any]:
        sql = naming.migration(statement)
        if told is not None and sql.strip().partition(" ")[0].upper() in CHANGING:
            told.append(sql.strip())
        return sql, values

    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=StaticPool)
    engine.dialect.type_compiler_instance = StoreTypes(engine.dialect)
    event.listen(engine, "before_cursor_execute", name_tables, retval=True)
    return engine
