"""What SQLite's errors mean for a caller: each becomes one error of the store, with the file's name and a way out."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from engine.errors import StoreConflict, StoreDamaged, StoreError, StoreUnavailable
from engine.store.backups import way_back

_MEDIUM: dict[int, tuple[str, str | None]] = {
    sqlite3.SQLITE_FULL: ("the disk is full", "free some space and try again"),
    sqlite3.SQLITE_IOERR: ("the disk reports an error", "look at the system's log, the disk may be failing"),
    sqlite3.SQLITE_READONLY: ("it may not be written", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("it cannot be opened", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_PERM: ("permission denied", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_AUTH: ("permission denied", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_BUSY: ("another program keeps it locked", "close programs that have the file open"),
    sqlite3.SQLITE_LOCKED: ("another program keeps it locked", "close programs that have the file open"),
    sqlite3.SQLITE_PROTOCOL: ("another program keeps it locked", "close programs that have the file open"),
    sqlite3.SQLITE_NOMEM: ("memory is used up", None),
}

_TAKEN = frozenset({sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY, sqlite3.SQLITE_CONSTRAINT_UNIQUE})


def is_io_error(error: BaseException) -> bool:
    """Whether the disk failed, after which nothing that was written lately can be trusted to be there."""
    return isinstance(error, sqlite3.Error) and _primary(error) == sqlite3.SQLITE_IOERR


def translated(error: sqlite3.Error, name: str) -> StoreError:
    """The error to raise from SQLite's; `name` is the file's."""
    code = _primary(error)
    if code in _MEDIUM:
        why, hint = _MEDIUM[code]
        return StoreUnavailable(f"cannot use the store `{name}`: {why}", hint=hint)
    if code == sqlite3.SQLITE_CONSTRAINT and error.sqlite_errorcode in _TAKEN:
        return StoreConflict(f"another writer was first, nothing was written to `{name}`")
    if code == sqlite3.SQLITE_NOTADB:
        return StoreDamaged(f"`{name}` is not a store", hint=way_back(name))
    if code == sqlite3.SQLITE_TOOBIG:
        return StoreError(f"a value is too large for the store `{name}`")
    if code == sqlite3.SQLITE_CONSTRAINT or isinstance(error, sqlite3.InterfaceError):
        return StoreError(f"a row does not fit the store `{name}`: {str(error).lower()}")
    if isinstance(error, sqlite3.ProgrammingError) and "closed" in str(error):
        return StoreUnavailable(f"the store `{name}` is closed")
    return StoreDamaged(f"the store `{name}` is damaged: {str(error).lower()}", hint=way_back(name))


@contextmanager
def translating(name: str) -> Iterator[None]:
    """Raise errors of the store in place of SQLite's."""
    try:
        yield
    except sqlite3.Error as error:
        raise translated(error, name) from error


def _primary(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 for what the driver itself refuses."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
