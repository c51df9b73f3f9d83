"""A transaction of a store: everything it writes goes out at once, and is committed if nobody else was first.

Sent with libpq's own calls. psycopg's pipeline looks after its connection at each statement, which costs a turn of the loop
more than all else; here nobody looks until everything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from contextlib import suppress

import msgspec
import psycopg
from msgspec import Struct
from psycopg.pq import ConnStatus, DiagnosticField, ExecStatus
from psycopg.pq.abc import PGconn, PGresult
from psycopg.waiting import Ready, Wait

from engine.errors import StoreConflict
from engine.store.codec import Value
from engine.store.postgres.connections import BoundedConnection
from engine.store.postgres.naming import Insert, Naming
from engine.store.postgres.texts import escaped
from engine.store.statements import Write

_CONTROL = re.compile(r"\\u000[01]")
_DONE = (ExecStatus.COMMAND_OK, ExecStatus.TUPLES_OK)
_UNKNOWN_STATE = "XX000"


def transact(connection: BoundedConnection, naming: Naming, writes: Sequence[Write]) -> None:
    """Write all of it and commit, in two exchanges with the server however much it is.

    Raises:
        StoreConflict: a guarded write hit no row. Nothing was written.
        psycopg.Error: as the server or the driver say. If the connection is open, nothing was written.
    """
    try:
        changed = _exchange(connection, naming, writes)
        for write, rows in zip(writes, changed, strict=True):
            if write.guarded and rows != len(write.rows):
                raise StoreConflict("another writer was first")
        connection.commit()
    except BaseException:
        with suppress(psycopg.Error):  # the first error is the one to tell
            connection.rollback()
        raise


def _exchange(connection: BoundedConnection, naming: Naming, writes: Sequence[Write]) -> list[int]:
    """Begin and send all writes, then wait for all answers: how many rows each write has changed."""
    statements = [(number, *each) for number, write in enumerate(writes) for each in _statements(naming, write)]
    with connection.lock:
        try:
            sent, results = _send_all(connection, statements)
        except BaseException:
            connection.close()  # nobody knows what it was about to say
            raise
    changed = [0] * len(writes)
    problem: psycopg.Error | None = None
    for one, result in zip(sent, results, strict=True):
        if result.status in _DONE:
            if one.write is not None:
                changed[one.write] += result.command_tuples or 0
            continue
        problem = problem or _error_of(result)
        connection.prepared.discard(one.prepares)
    if problem is not None:
        raise problem
    return changed


def _send_all(
    connection: BoundedConnection, statements: Sequence[tuple[int, str, list[bytes | None]]]
) -> tuple[list[_Sent], list[PGresult]]:
    pgconn = connection.pgconn
    sent = [_Sent()]
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(b"BEGIN", None)
    for number, sql, values in statements:
        sent += _send(connection, sql, values, number)
    pgconn.pipeline_sync()
    results = connection.wait(_answers(pgconn))
    pgconn.exit_pipeline_mode()
    return sent, results


class _Sent(Struct, frozen=True):
    """What an answer will be about: the number of a write, or the statement that is being prepared, or neither."""

    write: int | None = None
    prepares: str = ""


def _send(connection: BoundedConnection, sql: str, values: list[bytes | None], number: int) -> list[_Sent]:
    name = b"flowctl_%d" % connection.names.setdefault(sql, len(connection.names))
    sent = []
    if sql not in connection.prepared:
        connection.prepared.add(sql)
        connection.pgconn.send_prepare(name, sql.encode())
        sent.append(_Sent(prepares=sql))
    connection.pgconn.send_query_prepared(name, values)
    return [*sent, _Sent(write=number)]


def _answers(pgconn: PGconn) -> Generator[Wait, Ready | int, list[PGresult]]:
    """Send what is left, and gather an answer to each statement; for `Connection.wait`."""
    while pgconn.flush():
        if (yield Wait.RW) & Ready.R:
            pgconn.consume_input()
    results: list[PGresult] = []
    while True:
        while pgconn.is_busy():
            yield Wait.R
            pgconn.consume_input()
        result = pgconn.get_result()
        if result is None:  # stands between the answers, and after the last word of a server that has gone
            if pgconn.status == ConnStatus.BAD:
                raise psycopg.OperationalError("the connection is lost")
            continue
        if result.status == ExecStatus.PIPELINE_SYNC:
            return results
        results.append(result)


def _error_of(result: PGresult) -> psycopg.Error:
    state = (result.error_field(DiagnosticField.SQLSTATE) or _UNKNOWN_STATE.encode()).decode()
    try:
        kind = psycopg.errors.lookup(state)
    except KeyError:
        kind = psycopg.errors.lookup(_UNKNOWN_STATE)
    return kind(result.get_error_message())


def _statements(naming: Naming, write: Write) -> list[tuple[str, list[bytes | None]]]:
    """What a write sends, each with its parameters."""
    insert = naming.insert(write.sql)
    if insert is not None:
        return [(naming.numbered(insert.sql), [_as_json(insert, write.rows)])]
    sql = naming.numbered(naming.statement(write.sql))
    return [(sql, [_as_text(value) for value in row]) for row in write.rows]


def _as_text(value: Value) -> bytes | None:
    match value:
        case None:
            return None
        case bool():
            return b"t" if value else b"f"
        case int():
            return b"%d" % value
        case str():
            return escaped(value).encode()


def _as_json(insert: Insert, rows: Sequence[tuple[Value, ...]]) -> bytes:
    """The rows as one value: taking it apart costs the server less than a statement for each row."""
    if insert.key and len(rows) > 1:
        rows = list({tuple(row[place] for place in insert.key): row for row in rows}.values())
    text = _encode(insert, rows)
    # What JSON escapes so is a character that a column does not hold, or (with one backslash more) JSON in a column.
    if b"\\u000" in text and _CONTROL.search(text.decode()):
        text = _encode(insert, [[escaped(value) if isinstance(value, str) else value for value in row] for row in rows])
    return text


def _encode(insert: Insert, rows: Sequence[Sequence[Value]]) -> bytes:
    return msgspec.json.encode([dict(zip(insert.columns, row, strict=True)) for row in rows])
