"""Connections to a store in a file: the one that writes, and short ones that read and can do nothing else."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

BUSY_S = 10.0
"""How long SQLite itself waits for programs that do not take our lock."""

_IDLE = 4
"""Reading connections kept open between reads; opening one costs more than most reads."""


class Readers(Protocol):
    """Where connections for reading come from; usable from any thread."""

    def borrow(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection nobody else uses until the `with` ends."""

    def close(self) -> None:
        """Close what is not borrowed, and the rest when it comes back. Repeatable."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes. Never makes a file; checkpoints only when told to; syncs every commit."""
    connection = _connect(path, "rw")
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class FileReaders:
    """Reading connections to a file, a few of which are kept."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._idle: list[sqlite3.Connection] = []
        self._closed = False
        self._mutex = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """A read-only connection; after an error it is closed, since nobody knows what state it is in."""
        connection = self._take()
        try:
            yield connection
        except BaseException:
            connection.close()
            raise
        self._give_back(connection)

    def close(self) -> None:
        """Close what is not borrowed, and the rest when it comes back. Repeatable."""
        with self._mutex:
            self._closed = True
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def _take(self) -> sqlite3.Connection:
        with self._mutex:
            if self._closed:
                raise sqlite3.ProgrammingError("closed")
            if self._idle:
                return self._idle.pop()
        connection = _connect(self._path, "ro")
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._mutex:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()


class SharedReader:
    """The writer's own connection lent for reading, one reader at a time: what a store in memory has."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.mutex = threading.RLock()
        self._connection = connection

    @contextmanager
    def borrow(self) -> Iterator[sqlite3.Connection]:
        """The connection, while nobody writes."""
        with self.mutex:
            yield self._connection

    def close(self) -> None:
        """Nothing: the connection is the writer's."""


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
