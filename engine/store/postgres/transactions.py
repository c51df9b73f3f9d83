"""A transaction of a store: everything it writes goes out at once, and is committed if nobody else was first."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import psycopg

from engine.errors import StoreConflict
from engine.store.codec import Value
from engine.store.postgres.connections import Connection
from engine.store.postgres.naming import Insert, Naming
from engine.store.postgres.texts import escaped
from engine.store.statements import Write

_CONTROL = re.compile(r"\\u000[01]")


def transact(connection: Connection, naming: Naming, writes: Sequence[Write]) -> None:
    """Write all of it and commit, in two exchanges with the server however much it is.

    Raises:
        StoreConflict: a guarded write hit no row. Nothing was written.
        psycopg.Error: as the server or the driver say. If the connection is open, nothing was written.
    """
    try:
        with connection.pipeline() as pipeline:
            sent = [(_send(connection, naming, write), write) for write in writes]
            pipeline.sync()
            for cursor, write in sent:
                if write.guarded and cursor.rowcount != len(write.rows):
                    raise StoreConflict("another writer was first")
            connection.commit()
    except BaseException:
        with suppress(psycopg.Error):  # the first error is the one to tell
            connection.rollback()
        raise


def _send(connection: Connection, naming: Naming, write: Write) -> psycopg.Cursor[tuple[object, ...]]:
    cursor = connection.cursor()
    insert = naming.insert(write.sql)
    if insert is not None:
        cursor.execute(insert.sql, (_as_json(insert, write.rows),), prepare=True)
    elif len(write.rows) == 1:
        cursor.execute(naming.statement(write.sql), write.rows[0], prepare=True)
    else:
        cursor.executemany(naming.statement(write.sql), write.rows)
    return cursor


def _as_json(insert: Insert, rows: Sequence[tuple[Value, ...]]) -> str:
    """The rows as one value: taking it apart costs the server less than a statement for each row."""
    if insert.key and len(rows) > 1:
        rows = list({tuple(row[place] for place in insert.key): row for row in rows}.values())
    text = _encode(insert, rows)
    # What JSON escapes so is a character that a column does not hold, or (with one backslash more) JSON in a column.
    if _CONTROL.search(text):
        text = _encode(insert, [[escaped(value) if isinstance(value, str) else value for value in row] for row in rows])
    return text


def _encode(insert: Insert, rows: Sequence[Sequence[Value]]) -> str:
    return msgspec.json.encode([dict(zip(insert.columns, row, strict=True)) for row in rows]).decode()
