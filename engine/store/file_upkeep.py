"""Upkeep of a store in one SQLite file (`engine.store.upkeep.Upkeep`)."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

from engine.errors import StoreConflict, StoreUnavailable
from engine.store import ddl, places
from engine.store.backups import backup_path, backups_of
from engine.store.connections import connect_writer
from engine.store.copying import back_up
from engine.store.creation import stored_version
from engine.store.faults import translating
from engine.store.locks import FileLock
from engine.store.looking import StoreLook, looking
from engine.store.reading import StoredRows
from engine.store.upkeep import Room

_PATIENCE_S = 30.0
_MOST_DAMAGES = 20
_NAMES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'index') AND sql IS NOT NULL"


class FileUpkeep:
    """The store in the file at a path, which is left alone where it is damaged."""

    def __init__(self, path: Path) -> None:
        self._path = places.resolve_store(path)

    @property
    def name(self) -> str:
        """The path."""
        return str(self._path)

    def version(self) -> int:
        """Of its schema; raises `StoreUnavailable` if there is no store, `StoreTooNew`."""
        with self._looking() as connection:
            return stored_version(connection, self._path)

    @contextmanager
    def look(self) -> Iterator[StoredRows]:
        """Its rows, to be read and nothing else."""
        with self._looking() as connection:
            yield StoreLook(self._path, connection)

    def damages(self) -> Iterator[str]:
        """What SQLite finds wrong with its pages, and tables and indexes that are missing."""
        with self._looking() as connection:
            for (text,) in connection.execute(f"PRAGMA integrity_check({_MOST_DAMAGES})").fetchall():
                if text != "ok":
                    yield from (line.strip() for line in str(text).splitlines() if line.strip(" *"))
            if stored_version(connection, self._path) == ddl.VERSION:
                there = {name for (name,) in connection.execute(_NAMES).fetchall()}
                for name in sorted(_names_in(ddl.SQLITE) - there):
                    yield f"`{name}` is missing"

    def migration(self) -> Sequence[str]:
        """The statements that would bring it up to date, as they come of migrating its tables without their rows."""
        from engine.store.upgrade import rehearse

        version = self.version()
        if version == ddl.VERSION:
            return ()
        with self._looking() as connection:
            return rehearse(connection)

    def migrate(self, *, now: datetime) -> Path | None:
        """Bring it up to date; the backup made before, `None` where there was nothing to do."""
        from engine.store.sqlite import SqliteStore

        self.version()
        before = set(self.backups())
        SqliteStore.open(self._path, create=False, now=now).close()
        return next((path for path in self.backups() if path not in before), None)

    def back_up(self, target: Path | None, *, now: datetime) -> Path:
        """Copy it while others write, proven to be whole; beside the store where no name is given."""
        version = self.version()
        chosen = backup_path(self._path, version=version, now=now) if target is None else target.absolute()
        with translating(self.name):
            back_up(self._path, chosen)
        return chosen

    def size(self) -> int:
        """How many bytes the file has."""
        self.version()
        return self._path.stat().st_size

    def vacuum(self) -> Room:
        """Write the file anew without the room that is not used. The lock is held meanwhile, so writes wait."""
        before = self.size()
        with self._locked(), translating(self.name), closing(connect_writer(self._path)) as writer:
            writer.execute("VACUUM")
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        return Room(before, self.size())

    def drop(self) -> None:
        """Delete the file and those beside it, in an order that leaves a whole store or none."""
        self.version()
        with self._locked():
            with translating(self.name), closing(connect_writer(self._path)) as writer:
                self._empty_log(writer)
            for suffix in ("-wal", "-shm", ""):
                self._remove(suffix)
            places.sync_folder(self._path.parent)
            self._remove(".lock")  # those who wait for it see that it is gone, and lock a new one

    def backups(self) -> Sequence[Path]:
        """The backups beside it, the newest first."""
        return backups_of(self._path)

    @contextmanager
    def _looking(self) -> Iterator[sqlite3.Connection]:
        if not places.exists(self._path):
            raise StoreUnavailable(f"there is no store at `{self._path}`", hint="the first run makes one")
        with translating(self.name), looking(self._path) as connection:
            yield connection

    @contextmanager
    def _locked(self) -> Iterator[None]:
        lock = FileLock(places.beside(self._path, ".lock"))
        try:
            with lock.held(patience_s=_PATIENCE_S):
                yield
        finally:
            lock.close()

    def _empty_log(self, writer: sqlite3.Connection) -> None:
        """Copy the log into the file, so that either the file is whole, or gone. Raises `StoreConflict` if it is read."""
        busy, _, _ = writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        if busy:
            raise StoreConflict(f"the store `{self._path}` is being read", hint="end the programs that have it open")

    def _remove(self, suffix: str) -> None:
        path = places.beside(self._path, suffix)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StoreUnavailable(
                f"cannot remove `{path}`: {(error.strerror or 'it failed').lower()}",
                hint="check the permissions of its folder",
            ) from error


def _names_in(statements: Sequence[str]) -> set[str]:
    """Names of the tables and indexes that statements make."""
    return {statement.split()[2] for statement in statements}
