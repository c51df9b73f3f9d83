"""Connections to a server: the one that writes, short ones that read, and how long each waits for an answer."""

from __future__ import annotations

import logging
import select
from contextlib import suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.waiting import Ready, Wait

from engine.errors import StoreError, StoreUnavailable
from engine.store.address import ServerAddress
from engine.store.postgres import faults
from engine.store.postgres.texts import adapt
from engine.store.readers import ReaderPool

CONNECT_S = 5
"""How long making a connection may take, unless the URL says otherwise."""

ANSWER_S = 20.0
"""How long a statement may take. A server that was stopped, or a network that swallows packets, says nothing at all."""

OLDEST = 130_000
"""The oldest server, as libpq counts: 13, which has all that the statements use."""

logging.getLogger("psycopg").addHandler(logging.NullHandler())
"""What becomes of a lost connection is told by us; without a handler the driver's own words would go to stderr."""

_EVENTS = {
    Wait.R: select.POLLIN,
    Wait.W: select.POLLOUT,
    Wait.RW: select.POLLIN | select.POLLOUT,
}

_SESSION = {
    "client_encoding": "UTF8",
    "idle_in_transaction_session_timeout": "15s",  # a stopped process keeps its locks no longer
    "lock_timeout": "15s",
    "statement_timeout": "0",
    "standard_conforming_strings": "on",
}
_READING = {"default_transaction_read_only": "on"}

_DEFAULTS: dict[str, Any] = {
    "fallback_application_name": "flowctl",
    "connect_timeout": CONNECT_S,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 15_000,
    "client_encoding": "UTF8",
}

T = TypeVar("T")
Connection = psycopg.Connection[tuple[object, ...]]


class BoundedConnection(psycopg.Connection[tuple[object, ...]]):
    """A connection that is given up when an answer takes longer than `answer_s`.

    `prepared` are the statements that the server knows by a name, which is made of their number in `names`.
    """

    answer_s: float | None = ANSWER_S

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self.names: dict[str, int] = {}
        self.prepared: set[str] = set()

    def is_there(self) -> bool:
        """Whether the server has not hung up meanwhile, as far as one can tell without asking it."""
        if not self.closed:
            with suppress(psycopg.OperationalError):
                self.pgconn.consume_input()
        return not self.closed

    def wait(self, gen: PQGen[T], interval: float = 0, timeout: float | None = None) -> T:  # noqa: ARG002 - its signature
        """Wait for an answer; every call that sends something comes here."""
        try:
            return _bounded(gen, self.pgconn.socket, self.answer_s if timeout is None else timeout)
        except psycopg.OperationalError as error:
            if error.sqlstate is None:  # not the server's word, but none at all: nobody knows what it is about to say
                self.close()
            raise


def _bounded(gen: PQGen[T], descriptor: int, limit_s: float | None) -> T:
    """What a generator of psycopg returns, which asks for the connection to be readable or writable until it does.

    psycopg waits in C, without a limit in earlier versions.
    """
    until = None if limit_s is None else monotonic() + limit_s
    poll = select.poll()
    try:
        wanted = next(gen)
        while True:
            poll.register(descriptor, _EVENTS[Wait(wanted)])
            found = poll.poll(None if until is None else max(0, until - monotonic()) * 1000)
            if not found:
                raise psycopg.OperationalError("no answer")
            wanted = gen.send(_ready(found[0][1]))
    except StopIteration as end:
        result: T = end.value
        return result


def _ready(events: int) -> Ready:
    readable = Ready.R if events & ~select.POLLOUT else Ready.NONE  # a connection that is gone is read to the end
    return Ready(readable | (Ready.W if events & select.POLLOUT else Ready.NONE))


def connect_writer(address: ServerAddress) -> BoundedConnection:
    """The connection that writes: commits are durable when they return, as far as the server's own settings go."""
    connection = _connect(address, _SESSION)
    with faults.translating(str(address)):
        connection.execute(
            "SELECT set_config('synchronous_commit', 'on', FALSE) WHERE current_setting('synchronous_commit') = 'off'"
        )
    return connection


def connect_patiently(address: ServerAddress) -> Connection:
    """A connection for statements that take as long as they take."""
    connection = _connect(address, _SESSION)
    connection.answer_s = None
    return connection


def connect_reader(address: ServerAddress) -> Connection:
    """A connection that can read and do nothing else."""
    return _connect(address, _SESSION | _READING)


class ServerReaders(ReaderPool[Connection]):
    """Reading connections to a server, a few of which are kept."""

    def __init__(self, address: ServerAddress) -> None:
        super().__init__()
        self._address = address

    def _connect(self) -> Connection:
        return connect_reader(self._address)

    def _refuse(self) -> Exception:
        return StoreUnavailable(f"the store `{self._address}` is closed")


def _connect(address: ServerAddress, session: dict[str, str]) -> BoundedConnection:
    name = str(address)
    try:
        connection = BoundedConnection.connect(_conninfo(address.url), autocommit=True)
    except psycopg.ProgrammingError as error:
        raise faults.unreadable_url() from error
    except psycopg.Error as error:
        raise faults.refused(error, name) from error
    try:
        check_server(connection.info.server_version, _encoding(connection), name=name)
        adapt(connection.adapters)
        with faults.translating(name):
            calls = ", ".join("set_config(%s, %s, FALSE)" for _ in session)
            values = [text for pair in session.items() for text in pair]
            connection.execute(f"SELECT {calls}", values)
    except BaseException:
        connection.close()
        raise
    return connection


def check_server(version: int, encoding: str, *, name: str) -> None:
    """Raise `StoreError` for a server that is too old, or a database whose text is not UTF-8."""
    if version < OLDEST:
        raise StoreError(
            f"the server of `{name}` is PostgreSQL {version // 10_000}, and a store needs {OLDEST // 10_000}",
            hint="use a later server, or a store in a file",
        )
    if encoding != "UTF8":
        raise StoreError(
            f"the database `{name}` keeps text as {encoding}, and a store needs UTF8",
            hint="make another with `createdb --encoding=UTF8 --template=template0`",
        )


def _encoding(connection: Connection) -> str:
    return connection.info.parameter_status("server_encoding") or ""


def _conninfo(url: str) -> str:
    """The URL with what holds where it does not say otherwise."""
    return make_conninfo(**(_DEFAULTS | conninfo_to_dict(url)))
