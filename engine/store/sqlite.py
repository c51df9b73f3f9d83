"""The store in one SQLite file, which any number of processes may share, and the same in memory."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from engine.errors import StoreConflict, StoreError, StoreUnavailable
from engine.store import ddl, places, statements
from engine.store.codec import Record
from engine.store.connections import FileReaders, Readers, SharedReader, boot_clock, connect_writer
from engine.store.creation import create_schema, create_store, stored_version
from engine.store.faults import is_io_error, translated, translating
from engine.store.locks import FileLock
from engine.store.log import WriteAheadLog
from engine.store.rows import RunBatch
from engine.store.statements import Query, Write
from engine.store.writing import WritingStore, overtaken

if TYPE_CHECKING:
    from engine.attempts import Reactor

_PATIENCE_S = 30.0
"""How long a write waits for other processes before it gives up and names the one that keeps the lock."""

_CLOSING_PATIENCE_S = 2.0

_NOTHING: dict[None, None] = {}


class SqliteStore(WritingStore):
    """Runs, logs and projections in SQLite (`engine.store.port.Store`). Every method may be called from any thread.

    Writes are durable when they return. One connection writes; each write, and each copying of the log into the file,
    is made under the lock `NAME.lock`, so processes that share a store take turns and never see it locked. (SQLite
    before 3.51.3 can damage a file that one connection checkpoints while another writes.) After an error of the disk itself
    a store writes nothing any more: what it wrote last may be there or not, and only opening it again tells.
    """

    def __init__(
        self, name: str, writer: sqlite3.Connection, *, readers: Readers, shared: tuple[FileLock, WriteAheadLog] | None
    ) -> None:
        """For `open` and `in_memory`; `shared` is what a store has that other processes can reach."""
        # `sqlite3` asks every value that is no plain text or number for a method to adapt itself, `None` too, which costs
        # more than to bind it. A way of its own for `None` spares that; `dict.get` gives it back without a call into Python.
        sqlite3.register_adapter(type(None), _NOTHING.get)
        self._name = name
        self._writer = writer
        self._readers = readers
        self._lock: FileLock | None = None
        self._log: WriteAheadLog | None = None
        if shared is not None:
            self._lock, self._log = shared
        self._mutex = readers.mutex if isinstance(readers, SharedReader) else threading.RLock()
        self._closed = False
        self._disk_failed = False

    @classmethod
    def open(cls, path: Path, *, create: bool = True, now: datetime | None = None) -> SqliteStore:
        """The store at `path`; if there is none it is made (missing folders included), unless `create` is false.

        A store of an earlier flowctl is upgraded, with a backup named for the instant `now` beside it; without `now` it
        is refused.

        Raises:
            StoreDamaged: what is at `path` is not a store, or is broken. It is left as it is.
            StoreTooNew: a later flowctl has written it.
            StoreUnavailable: it cannot be opened or made.
            StoreError: it is on a network file system, or needs an upgrade.
        """
        path = places.resolve_store(Path(path))
        places.refuse_network(path)
        found = places.exists(path)
        if not found and not create:
            raise StoreUnavailable(f"there is no store at `{path}`", hint="the first run makes one")
        places.make_parent(path)
        lock = FileLock(places.beside(path, ".lock"))
        try:
            if not found:
                with lock.held(patience_s=_PATIENCE_S):
                    if not places.exists(path):  # another process may have made it meanwhile
                        create_store(path)
            with translating(str(path)):
                writer = _attach(path, lock, now)
        except BaseException:
            lock.close()
            raise
        return cls(str(path), writer, readers=FileReaders(path), shared=(lock, WriteAheadLog(path)))

    @classmethod
    def in_memory(cls) -> SqliteStore:
        """An empty store that is gone when it is closed."""
        writer = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        create_schema(writer)
        return cls(":memory:", writer, readers=SharedReader(writer), shared=None)

    def wakeups(self, engine: str, reactor: Reactor, rung: Callable[[], None]) -> None:
        """None: a file is of one machine, where processes reach each other without it."""

    def close(self) -> None:
        """Free the store; the last process to do so leaves a single file. Repeatable."""
        with self._mutex:
            if self._closed:
                return
            self._closed = True
            self._readers.close()
            with suppress(StoreUnavailable), self._turn(_CLOSING_PATIENCE_S):
                if self._log is not None and not self._disk_failed:
                    self._log.checkpoint(self._writer)
                self._writer.close()
            # If the lock is not to be had, its holder has the file open, and closing does no more than that.
            self._writer.close()
            if self._lock is not None:
                self._lock.close()

    def _lease_clock(self) -> tuple[str, int]:
        return boot_clock()

    def _write(self, batches: Sequence[RunBatch], writes: Sequence[Write]) -> None:
        with self._mutex:
            if self._closed:
                raise StoreUnavailable(f"the store `{self._name}` is closed")
            if self._disk_failed:
                raise StoreUnavailable(
                    f"the disk has failed under the store `{self._name}`, which takes no more writes",
                    hint="look at the system's log, then start again",
                )
            with self._turn(_PATIENCE_S):
                try:
                    self._transact(writes)
                except sqlite3.Error as error:
                    self._disk_failed = is_io_error(error)
                    raise self._explained(translated(error, self._name), batches) from error
                except StoreConflict as error:
                    raise self._explained(error, batches) from None
                if self._log is not None:
                    self._log.note(writes)
                    if self._log.is_due():
                        self._log.checkpoint(self._writer)

    def _transact(self, writes: Sequence[Write]) -> None:
        writer = self._writer
        writer.execute("BEGIN IMMEDIATE")
        try:
            if self._log is not None:
                self._log.make_room()
            for write in writes:
                changed = writer.executemany(write.sql, write.rows).rowcount
                if write.guarded and changed != len(write.rows):
                    raise StoreConflict("another writer was first")
            writer.execute("COMMIT")
        except BaseException:
            if writer.in_transaction:
                with suppress(sqlite3.Error):  # the first error is the one to tell
                    writer.execute("ROLLBACK")
            raise

    def _explained(self, error: StoreError, batches: Sequence[RunBatch]) -> StoreError:
        """A conflict with the runs it is about."""
        return overtaken(batches, self._fence) if isinstance(error, StoreConflict) else error

    def _fence(self, run_id: str) -> Record | None:
        found: Record | None = self._writer.execute(statements.SELECT_FENCE, (run_id,)).fetchone()
        return found

    def _turn(self, patience_s: float) -> AbstractContextManager[None]:
        return nullcontext() if self._lock is None else self._lock.held(patience_s=patience_s)

    def _fetch(self, query: Query) -> list[Record]:
        with self._reading() as connection:
            return connection.execute(query.sql, query.values).fetchall()

    def _fetch_together(self, queries: Sequence[Query]) -> list[list[Record]]:
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                return [connection.execute(query.sql, query.values).fetchall() for query in queries]
            finally:
                connection.execute("ROLLBACK")

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        if self._closed:
            raise StoreUnavailable(f"the store `{self._name}` is closed")
        with translating(self._name), self._readers.borrow() as connection:
            yield connection


def _attach(path: Path, lock: FileLock, now: datetime | None) -> sqlite3.Connection:
    """The writing connection to a file that is a store of the present version when this returns."""
    writer = connect_writer(path)
    try:
        if stored_version(writer, path) < ddl.VERSION:
            writer.close()
            with lock.held(patience_s=_PATIENCE_S):
                _upgrade(path, now)
            writer = connect_writer(path)
            stored_version(writer, path)
        if writer.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
            with lock.held(patience_s=_PATIENCE_S):
                writer.execute("PRAGMA journal_mode = WAL").fetchall()
    except BaseException:
        writer.close()
        raise
    return writer


def _upgrade(path: Path, now: datetime | None) -> None:
    """Upgrade, unless another process did so while this one waited for the lock."""
    from engine.store.upgrade import upgrade_store

    looker = connect_writer(path)
    try:
        version = stored_version(looker, path)
    finally:
        looker.close()
    if version == ddl.VERSION:
        return
    if now is None:
        raise StoreError(f"the store `{path}` is of an earlier flowctl", hint="run `flowctl db migrate`")
    upgrade_store(path, version=version, now=now)
