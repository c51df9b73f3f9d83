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

_FORESTALLED = frozenset({"22012", "23505"})
"""SQLSTATEs of a guard that hit no row, which divides by zero so that nothing is committed, and of a row that is there."""


def transact(connection: BoundedConnection, naming: Naming, writes: Sequence[Write]) -> None:
    """Write all of it and commit, in one exchange with the server however much it is.

    Raises:
        StoreConflict: a guarded write hit no row, or a row is there already. Nothing was written.
        psycopg.Error: as the server or the driver say. If the connection is open, nothing was written.
    """
    statements = [each for write in writes for each in _statements(naming, write)]
    with connection.lock:
        try:
            prepares, results = _exchange(connection, statements)
        except BaseException:
            connection.close()  # nobody knows what it was about to say
            raise
    problem: psycopg.Error | None = None
    for sql, result in zip(prepares, results, strict=True):
        if result.status not in _DONE:
            problem = problem or _error_of(result)
            connection.prepared.discard(sql)
    if problem is not None:
        with suppress(psycopg.Error):  # the first error is the one to tell
            connection.rollback()
        if problem.sqlstate in _FORESTALLED:
            raise StoreConflict("another writer was first") from problem
        raise problem


def _exchange(
    connection: BoundedConnection, statements: Sequence[tuple[str, list[bytes | None]]]
) -> tuple[list[str], list[PGresult]]:
    """Send everything between `BEGIN` and `COMMIT`, then wait: the answers, and which statement each has prepared, if any.

    After an error the server does nothing of what follows, the commit included.
    """
    pgconn = connection.pgconn
    pgconn.enter_pipeline_mode()
    pgconn.send_query_params(b"BEGIN", None)
    prepares = [""]
    for sql, values in statements:
        name = b"flowctl_%d" % connection.names.setdefault(sql, len(connection.names))
        if sql not in connection.prepared:
            connection.prepared.add(sql)
            pgconn.send_prepare(name, sql.encode())
            prepares.append(sql)
        pgconn.send_query_prepared(name, values)
        prepares.append("")
    pgconn.send_query_params(b"COMMIT", None)
    pgconn.pipeline_sync()
    results = connection.wait(_answers(pgconn))
    pgconn.exit_pipeline_mode()
    return [*prepares, ""], results


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
    if write.guarded:
        sql = f"WITH hit AS ({sql} RETURNING 1) SELECT 1 / count(*) FROM hit"  # noqa: S608 -- our own statement
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
