"""Upkeep of a store in a PostgreSQL database (`engine.store.upkeep.Upkeep`).

Backups are the business of the server's own tools, which know how: asking for one says which command makes it.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from engine.errors import StoreDamaged, StoreError, StoreUnavailable
from engine.store import ddl
from engine.store.address import ServerAddress
from engine.store.postgres import faults
from engine.store.postgres.connections import Connection, connect_patiently
from engine.store.postgres.creation import find_naming, stored_version
from engine.store.postgres.ddl import POSTGRES
from engine.store.postgres.naming import TABLES, Naming, quoted
from engine.store.postgres.store import PostgresStore
from engine.store.reading import StoredRows
from engine.store.upkeep import Room

_INDEXES = "SELECT indexname FROM pg_indexes WHERE schemaname = %s"
_SIZE = "SELECT coalesce(sum(pg_total_relation_size(relation::regclass)), 0) FROM unnest(%s::text[]) AS relation"
_SCHEMA_IS_EMPTY = (
    "SELECT NOT EXISTS (SELECT 1 FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s)"
)


class ServerUpkeep:
    """The store in a database at an address."""

    def __init__(self, address: ServerAddress) -> None:
        self._address = address

    @property
    def name(self) -> str:
        """The address without its password."""
        return str(self._address)

    def version(self) -> int:
        """Of its schema; raises `StoreUnavailable` if there is no store, `StoreTooNew`."""
        with self._connected() as (connection, naming):
            return self._version(connection, naming)

    @contextmanager
    def look(self) -> Iterator[StoredRows]:
        """Its rows, to be read and nothing else."""
        with closing(PostgresStore.open(self._address, create=False, now=None)) as store:
            yield store

    def damages(self) -> Iterator[str]:
        """Tables and indexes that are missing; what is wrong with pages only the server can tell (`pg_amcheck`)."""
        with self._connected() as (connection, naming):
            try:
                version = self._version(connection, naming)
            except StoreDamaged as damaged:
                yield str(damaged)
                return
            if version != ddl.VERSION:
                return
            there = {record[0] for record in connection.execute(_INDEXES, (naming.schema,)).fetchall()}
            for verb, kind, name, *_ in map(str.split, POSTGRES):
                if (verb, kind) == ("CREATE", "INDEX") and not {name, naming.prefix + name} & there:
                    yield f"`{name}` is missing"

    def migration(self) -> Sequence[str]:
        """The statements that would bring it up to date: those of the migration, which is then rolled back."""
        from engine.store.postgres.upgrade import rehearse

        if self.version() == ddl.VERSION:
            return ()
        with self._connected() as (_, naming):
            return rehearse(self._address, naming)

    def migrate(self, *, now: datetime) -> Path | None:
        """Bring it up to date. A backup is the business of whoever runs the server."""
        self.version()
        PostgresStore.open(self._address, create=False, now=now).close()
        return None

    def back_up(self, target: Path | None, *, now: datetime) -> Path:
        """Raise `StoreError` with the command that makes a backup."""
        self.version()
        with self._connected() as (_, naming):
            file = str(target) if target is not None else f"flowctl-{now:%Y%m%dT%H%M%SZ}.dump"
            command = ["pg_dump", "--format=custom", f"--file={file}"]
            command += [f"--table={quoted(naming.schema)}.{quoted(naming.prefix + table)}" for table in TABLES]
        raise StoreError(
            f"the store `{self.name}` is in a database, which is backed up by the server's own tools",
            hint=f"run `{shlex.join([*command, self.name])}`; `pg_restore` brings it back",
        )

    def size(self) -> int:
        """How many bytes its tables take."""
        self.version()
        with self._connected() as (connection, naming):
            return self._size(connection, naming)

    def vacuum(self) -> Room:
        """Have the server write the tables anew without the room that is not used; each is locked meanwhile."""
        before = self.size()
        with self._connected() as (connection, naming):
            for table in TABLES:
                connection.execute(f"VACUUM (FULL, ANALYZE) {naming.table(table)}")
            return Room(before, self._size(connection, naming))

    def drop(self) -> None:
        """Delete its tables, and the schema that the settings name if nothing else is in it."""
        self.version()
        with self._connected() as (connection, naming), connection.transaction():
            connection.execute(f"DROP TABLE {', '.join(naming.table(table) for table in TABLES)}")
            empty = connection.execute(_SCHEMA_IS_EMPTY, (naming.schema,)).fetchone()
            if self._address.schema is not None and naming.schema != "public" and empty is not None and empty[0]:
                connection.execute(f"DROP SCHEMA {quoted(naming.schema)}")

    def backups(self) -> Sequence[Path]:
        """None that we know of."""
        return ()

    @contextmanager
    def _connected(self) -> Iterator[tuple[Connection, Naming]]:
        connection = connect_patiently(self._address)
        try:
            with faults.translating(self.name):
                connection.autocommit = True
                yield connection, find_naming(connection, self._address)
        finally:
            connection.close()

    def _version(self, connection: Connection, naming: Naming) -> int:
        version = stored_version(connection, naming, self.name)
        if version is None:
            raise StoreUnavailable(f"there is no store at `{self.name}`", hint="the first run makes one")
        return version

    def _size(self, connection: Connection, naming: Naming) -> int:
        found = connection.execute(_SIZE, ([naming.table(table) for table in TABLES],)).fetchone()
        return int(str(found[0])) if found is not None else 0
