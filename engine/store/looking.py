"""Looking into a store in a file without changing it, whatever its state and whoever has it open."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import StoreUnavailable
from engine.store import places
from engine.store.codec import Record
from engine.store.connections import boot_clock, connect
from engine.store.faults import translating
from engine.store.locks import FileLock
from engine.store.reading import StoredRows
from engine.store.statements import Query

_PATIENCE_S = 2.0


@contextmanager
def looking(path: Path, *, holds_lock: bool = False) -> Iterator[sqlite3.Connection]:
    """A connection that can only read, and leaves no file behind that was not there; `holds_lock`: the caller has the
    store's lock.

    SQLite leaves its log and index behind when the last connection may not write. So where no log waits to be copied, one
    that might write is told not to; closing it copies nothing, and is done under the lock for the case that somebody else has
    written meanwhile.
    """
    tidy = _has_no_log(path) and os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)
    connection = connect(path, "rw" if tidy else "ro")
    try:
        connection.execute("PRAGMA query_only = ON")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        yield connection
    finally:
        if tidy and not holds_lock and places.beside(path, ".lock").exists():
            _close_in_turn(connection, path)
        connection.close()


class StoreLook(StoredRows):
    """The rows of a store in a file, to be read and nothing else: it is neither upgraded nor locked."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._name = str(path)
        self._connection = connection

    def _fetch(self, query: Query) -> list[Record]:
        with translating(self._name):
            return self._connection.execute(query.sql, query.values).fetchall()

    def _fetch_together(self, queries: Sequence[Query]) -> list[list[Record]]:
        with translating(self._name):
            self._connection.execute("BEGIN")
            try:
                return [self._connection.execute(query.sql, query.values).fetchall() for query in queries]
            finally:
                self._connection.execute("ROLLBACK")

    def _lease_clock(self) -> tuple[str, int]:
        return boot_clock()


def _has_no_log(path: Path) -> bool:
    try:
        return places.beside(path, "-wal").stat().st_size == 0
    except FileNotFoundError:
        return True


def _close_in_turn(connection: sqlite3.Connection, path: Path) -> None:
    lock = FileLock(places.beside(path, ".lock"))
    try:
        with suppress(StoreUnavailable), lock.held(patience_s=_PATIENCE_S):
            connection.close()
    finally:
        lock.close()
