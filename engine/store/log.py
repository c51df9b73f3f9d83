"""SQLite's write-ahead log of a store: room is made for it before it is needed, and it is copied into the file in time."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from engine.store import places
from engine.store.statements import Write

_CHECKPOINT_ROWS = 2_000
"""Rows after which the log is copied into the file: a few MB of log, a few milliseconds of copying."""

_CHECKPOINT_CHARACTERS = 4 << 20
_SMALLEST_ROOM = 256 << 10
_LARGEST_ROOM = 2 << 20


class WriteAheadLog:
    """The log as the one who writes it sees it. Every call is made by the holder of the store's lock."""

    def __init__(self, store: Path) -> None:
        self._path = places.beside(store, "-wal")
        self._size = 0
        self._has_grown = False
        self._rows = 0
        self._characters = 0

    def make_room(self) -> None:
        """Lengthen the log by zeros if the last commit had to; to be called in a transaction that writes.

        A commit that lengthens the file waits for the file system's journal besides its own data, which takes twice as
        long; doubling the file ahead leaves that to a handful of commits. SQLite reads a log up to the first frame that
        is not valid, and a frame of zeros is not. The transaction keeps everybody else from writing there.
        """
        if not self._has_grown:
            return
        self._has_grown = False
        room = bytes(min(max(self._size, _SMALLEST_ROOM), _LARGEST_ROOM))
        with suppress(OSError):  # it is for speed only; what is really missing, the commit will report
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CLOEXEC)
            try:
                os.pwrite(descriptor, room, os.fstat(descriptor).st_size)
                self._size = os.fstat(descriptor).st_size
            finally:
                os.close(descriptor)

    def note(self, writes: Sequence[Write]) -> None:
        """Count what a commit has added."""
        for write in writes:
            self._rows += len(write.rows)
            self._characters += write.weight()
        with suppress(OSError):
            size = self._path.stat().st_size
            self._has_grown = size > self._size
            self._size = size

    def is_due(self) -> bool:
        """Whether so much was added that it should be copied into the file."""
        return self._rows >= _CHECKPOINT_ROWS or self._characters >= _CHECKPOINT_CHARACTERS

    def checkpoint(self, writer: sqlite3.Connection) -> None:
        """Copy into the file what readers allow, if anything was added; from then on the log begins again at its start."""
        if not self._rows:
            return
        self._rows = self._characters = 0
        with suppress(sqlite3.Error):  # nothing is lost: the log keeps what could not be copied until the next time
            writer.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchall()
