"""Connections to a store in a file: the one that writes, and short ones that read and can do nothing else."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from engine.identity import boot_id
from engine.store.readers import ReaderPool

BUSY_S = 10.0
"""How long SQLite itself waits for programs that do not take our lock."""


class Readers(Protocol):
    """Where connections for reading come from; usable from any thread."""

    def borrow(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection nobody else uses until the `with` ends."""

    def close(self) -> None:
        """Close what is not borrowed, and the rest when it comes back. Repeatable."""


def connect_writer(path: Path) -> sqlite3.Connection:
    """The connection that writes. Never makes a file; checkpoints only when told to; syncs every commit."""
    connection = connect(path, "rw")
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("PRAGMA cell_size_check = ON")
        connection.execute("PRAGMA trusted_schema = OFF")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


class FileReaders(ReaderPool[sqlite3.Connection]):
    """Reading connections to a file, a few of which are kept."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path

    def _connect(self) -> sqlite3.Connection:
        connection = connect(self._path, "ro")
        connection.execute("PRAGMA query_only = ON")
        return connection

    def _refuse(self) -> Exception:
        return sqlite3.ProgrammingError("closed")


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


def boot_clock() -> tuple[str, int]:
    """The clock of leases in a file, and its microseconds: the time since this boot, which runs alike for all processes and
    which nobody sets."""
    return boot_id(), time.monotonic_ns() // 1000


def connect(path: Path, mode: str) -> sqlite3.Connection:
    """A connection to a file that is there, in a mode of SQLite: `ro` or `rw`."""
    uri = f"{path.as_uri()}?mode={mode}"
    return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
