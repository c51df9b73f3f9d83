"""Making a store in a database, and telling whether there is one: the first words of every opening."""

from __future__ import annotations

import hashlib

from engine.errors import StoreDamaged, StoreTooNew, StoreUnavailable
from engine.store import ddl
from engine.store.address import ServerAddress
from engine.store.postgres import faults
from engine.store.postgres.connections import Connection
from engine.store.postgres.ddl import POSTGRES
from engine.store.postgres.naming import TABLES, Naming, quoted

_FIND = "SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE nspname = %s"
_PRESENT = f"{_FIND} AND relkind IN ('r', 'p') AND relname = ANY(%s)"


def find_naming(connection: Connection, address: ServerAddress) -> Naming:
    """Where the tables of a store are, or would be."""
    if address.schema is not None:
        return Naming(address.schema, address.prefix)
    with faults.translating(str(address)):
        found = connection.execute("SELECT current_schema()").fetchone()
    if found is None or found[0] is None:
        raise StoreUnavailable(
            f"cannot use the store `{address}`: this user has no schema in it",
            hint="name one with `db.schema`",
        )
    return Naming(str(found[0]), address.prefix)


def stored_version(connection: Connection, naming: Naming, name: str) -> int | None:
    """The version of the store that is there, not above our own; `None` if there is none.

    Raises:
        StoreDamaged: tables are missing, or the version is none.
        StoreTooNew: a later flowctl has written it.
    """
    with faults.translating(name):
        wanted = {naming.prefix + table for table in TABLES}
        records = connection.execute(_PRESENT, (naming.schema, sorted(wanted))).fetchall()
        missing = wanted - {record[0] for record in records}
        if naming.prefix + "schema_version" in missing:
            return None
        query = naming.statement("SELECT version_num FROM schema_version")
        versions = connection.execute(query, ()).fetchall()
    text = str(versions[0][0]) if len(versions) == 1 else ""
    if not text.isdigit():
        raise StoreDamaged(f"the store `{name}` is damaged: it has no version", hint="bring it back from a backup")
    version = int(text)
    if version > ddl.VERSION:
        raise StoreTooNew(
            f"the store `{name}` has version {version} and this flowctl knows versions up to {ddl.VERSION}",
            hint="use a later flowctl, or bring back a backup from before its upgrade",
        )
    if version == ddl.VERSION and missing:
        raise StoreDamaged(f"the store `{name}` is damaged: tables are missing", hint="bring it back from a backup")
    return version


def create_schema(connection: Connection, naming: Naming, name: str) -> None:
    """Make the tables of a store in one transaction; of several processes that do so at once, one does."""
    with faults.translating(name), connection.transaction():
        hold_changes(connection, naming)
        if stored_version(connection, naming, name) is not None:
            return
        if not connection.execute("SELECT 1 FROM pg_namespace WHERE nspname = %s", (naming.schema,)).fetchone():
            connection.execute(f"CREATE SCHEMA {quoted(naming.schema)}")
        for statement in POSTGRES:
            connection.execute(naming.definition(statement))
        mark = naming.statement("INSERT INTO schema_version (version_num) VALUES (?)")
        connection.execute(mark, (ddl.REVISION,))


def hold_changes(connection: Connection, naming: Naming) -> None:
    """Until the transaction ends, be the only one who makes or upgrades this store."""
    key = hashlib.sha256(f"flowctl store\0{naming.schema}\0{naming.prefix}".encode()).digest()
    connection.execute("SELECT pg_advisory_xact_lock(%s)", (int.from_bytes(key[:8], signed=True),))
