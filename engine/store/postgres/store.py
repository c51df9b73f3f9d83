"""The store in a PostgreSQL database, which engines on any number of machines may share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, TypeVar

import psycopg

from engine.errors import StoreConflict, StoreError, StoreUnavailable
from engine.store import ddl, statements
from engine.store.address import ServerAddress
from engine.store.codec import Record, event_values, micros
from engine.store.postgres import faults
from engine.store.postgres.connections import BoundedConnection, Connection, ServerReaders, connect_writer
from engine.store.postgres.creation import create_schema, find_naming, stored_version
from engine.store.postgres.naming import Naming
from engine.store.postgres.transactions import transact
from engine.store.postgres.wakeups import Wakeups, telling
from engine.store.rows import Message, RunBatch
from engine.store.statements import Query, Write
from engine.store.writing import WritingStore, overtaken

if TYPE_CHECKING:
    from engine.attempts import Reactor

Found = TypeVar("Found")

_MOST_COLLISIONS = 5
"""How often a transaction is repeated that the server ended in favour of another."""

_CLOCK = "server"
_NOW = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"

_SELECT_HOLD = "SELECT seq, token, owner, created_at FROM runs WHERE id = ?"

_COLLIDED = frozenset({"40001", "40P01"})


class PostgresStore(WritingStore):
    """Runs, logs and projections in PostgreSQL (`engine.store.port.Store`). Every method may be called from any thread.

    Writes are durable when they return. A lost connection is made again by the next call, and once within a call. What
    became of a commit whose answer did not come is read back before it is made again, so it is made once.
    """

    def __init__(self, address: ServerAddress, naming: Naming, writer: BoundedConnection) -> None:
        """For `open` and `find`."""
        self._address = address
        self._name = str(address)
        self._naming = naming
        self._writer: BoundedConnection | None = writer
        self._readers = ServerReaders(address)
        self._mutex = threading.RLock()
        self._closed = False
        self._doubtful: list[tuple[str, int]] = []

    @classmethod
    def open(cls, address: ServerAddress, *, create: bool = True, now: datetime | None = None) -> PostgresStore:
        """The store at `address`; if there is none it is made (the schema included), unless `create` is false.

        A store of an earlier flowctl is upgraded at the instant `now`; without `now` it is refused.

        Raises:
            StoreDamaged: tables are missing, or broken.
            StoreTooNew: a later flowctl has written it.
            StoreUnavailable: the server cannot be reached, or does not let us in.
            StoreError: the server is too old, the database is none for us, or the store needs an upgrade.
        """
        found = cls.find(address, now=now, create=create)
        if found is None:
            raise StoreUnavailable(f"there is no store at `{address}`", hint="the first run makes one")
        return found

    @classmethod
    def find(cls, address: ServerAddress, *, now: datetime | None = None, create: bool = False) -> PostgresStore | None:
        """The store at `address` as `open` gives it, `None` if there is none to open and none is to be made."""
        writer = connect_writer(address)
        try:
            naming = find_naming(writer, address)
            version = stored_version(writer, naming, str(address))
            if version is None and create:
                create_schema(writer, naming, str(address))
                version = stored_version(writer, naming, str(address))
            if version is not None and version < ddl.VERSION:
                _upgrade(address, naming, now)
            if version is None:
                writer.close()
                return None
            writer.autocommit = False
        except BaseException:
            writer.close()
            raise
        return cls(address, naming, writer)

    def wakeups(self, engine: str, reactor: Reactor, rung: Callable[[], None]) -> Wakeups:
        """Have `rung` called in the loop's thread when a message for `engine` may have come; until it is closed."""
        return Wakeups(self._address, engine, reactor, rung)

    def close(self) -> None:
        """Free the store. Repeatable."""
        self._closed = True
        self._readers.close()
        with self._mutex:
            if self._writer is not None:
                self._writer.close()
                self._writer = None

    # --- writing --------------------------------------------------------------------------------------------------------

    def _announcement(self, message: Message) -> Sequence[Write]:
        return [telling(message.run_id)]

    def _write(self, batches: Sequence[RunBatch], writes: Sequence[Write]) -> None:
        marks = [(batch.run.id, batch.run.seq) for batch in batches]
        with self._mutex:
            for is_last in (False, True):
                doubtful = bool(marks) and self._doubtful == marks
                writer = self._connected()
                try:
                    if not (doubtful and self._is_written(batches)):
                        self._transact(writer, writes)
                    self._doubtful = []
                    return
                except StoreConflict:
                    # Also what was under way on a lost connection may come to its end only now.
                    if doubtful and self._is_written(batches):
                        self._doubtful = []
                        return
                    raise overtaken(batches, self._fence) from None
                except psycopg.Error as error:
                    if not writer.closed:
                        raise faults.translated(error, self._name) from error
                    self._doubtful = marks
                    if is_last:
                        raise faults.lost(self._name) from error

    def _transact(self, writer: BoundedConnection, writes: Sequence[Write]) -> None:
        for is_last in (*(False,) * _MOST_COLLISIONS, True):
            try:
                transact(writer, self._naming, writes)
                return
            except psycopg.Error as error:
                if is_last or error.sqlstate not in _COLLIDED:
                    raise

    def _connected(self) -> BoundedConnection:
        """The writing connection, made again if it was lost."""
        if self._closed:
            raise StoreUnavailable(f"the store `{self._name}` is closed")
        if self._writer is None or not self._writer.is_there():
            self._writer = connect_writer(self._address)
            self._writer.autocommit = False
        return self._writer

    def _is_written(self, batches: Sequence[RunBatch]) -> bool:
        """Whether batches whose commit was not answered are there: all of them, if one is.

        One tells as long as nobody has taken its run over since: then only its own engine can have written its events. What
        is neither a claim nor an event can be written again without harm.
        """
        for batch in batches:
            run = batch.run
            is_claim = batch.new or batch.expected_token is not None
            found = self._ask(Query(_SELECT_HOLD, (run.id,))) if batch.events or is_claim else []
            if not found or found[0][1] != run.token:
                continue  # it tells nothing
            seq, _, owner, created = found[0]
            is_ours = created == micros(run.created_at) and (owner == run.owner or not is_claim)
            return bool(is_ours and seq >= run.seq and self._has_last_event(batch))
        return False

    def _has_last_event(self, batch: RunBatch) -> bool:
        if not batch.events:
            return True
        last = batch.events[-1]
        found = self._ask(Query(statements.SELECT_EVENT, (last.run_id, last.seq)))
        return [tuple(record) for record in found] == [statements.without_surrogates(event_values(last))]

    def _fence(self, run_id: str) -> Record | None:
        return next(iter(self._ask(Query(statements.SELECT_FENCE, (run_id,)))), None)

    def _ask(self, query: Query) -> list[Record]:
        """Read with the writing connection: what it says is the newest, also where reading goes to a standby."""
        with faults.translating(self._name):
            writer = self._connected()
            records = self._records(writer, query)
            writer.rollback()
            return records

    def _lease_clock(self) -> tuple[str, int]:
        """The server's own time, which is the same for all engines."""
        with self._mutex:
            ((now,),) = self._ask(Query(_NOW, ()))
        return _CLOCK, now

    # --- reading --------------------------------------------------------------------------------------------------------

    def _fetch(self, query: Query) -> list[Record]:
        return self._read_with(lambda reader: self._records(reader, query))

    def _fetch_together(self, queries: Sequence[Query]) -> list[list[Record]]:
        return self._read_with(lambda reader: self._records_together(reader, queries))

    def _read_with(self, read: Callable[[Connection], Found]) -> Found:
        if self._closed:
            raise StoreUnavailable(f"the store `{self._name}` is closed")
        with suppress(psycopg.Error), self._readers.borrow() as reader:
            return read(reader)
        self._readers.forget_idle()  # the server may have been away: none of them is worth a try
        with faults.translating(self._name), self._readers.borrow() as reader:
            return read(reader)

    def _records_together(self, reader: Connection, queries: Sequence[Query]) -> list[list[Record]]:
        with reader.transaction():
            reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return [self._records(reader, query) for query in queries]

    def _records(self, reader: Connection, query: Query) -> list[Record]:
        return list(reader.execute(self._naming.statement(query.sql), query.values).fetchall())


def _upgrade(address: ServerAddress, naming: Naming, now: datetime | None) -> None:
    from engine.store.postgres.upgrade import upgrade_store

    if now is None:
        raise StoreError(f"the store `{address}` is of an earlier flowctl", hint="run `flowctl db migrate`")
    upgrade_store(address, naming)
