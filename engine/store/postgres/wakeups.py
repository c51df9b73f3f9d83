"""Word from other machines: the server tells an engine at once that somebody has asked something of its runs.

It is for speed only. What is asked is a row in the inbox, which an engine reads at each beat whether it was told or not.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING

import psycopg

from engine.errors import StoreError
from engine.store.address import ServerAddress
from engine.store.postgres.connections import Connection, connect_reader
from engine.store.postgres.naming import quoted
from engine.store.statements import Write

if TYPE_CHECKING:
    from engine.attempts import Reactor

_AGAIN_S = 5.0
"""How long after its connection was lost it is made again, and twice as long after each failure to do so."""

_LONGEST_S = 60.0

_TELL = (
    "SELECT pg_notify('flowctl_' || left(encode(sha256(convert_to(owner, 'UTF8')), 'hex'), 32), '')"
    " FROM runs WHERE id = ? AND owner IS NOT NULL"
)


class Wakeups:
    """A connection on which the server speaks when an engine has mail."""

    def __init__(self, address: ServerAddress, engine: str, reactor: Reactor, rung: Callable[[], None]) -> None:
        """Call `rung` in the loop's thread whenever there is a message for `engine`, and when one may have been missed."""
        self._address = address
        self._channel = f"flowctl_{hashlib.sha256(engine.encode()).hexdigest()[:32]}"
        self._reactor = reactor
        self._rung = rung
        self._connection: Connection | None = None
        self._descriptor = -1
        self._cancel_retry: Callable[[], None] | None = None
        self._pause_s = _AGAIN_S
        self._listen()

    def close(self) -> None:
        """Listen no more. Repeatable."""
        if self._cancel_retry is not None:
            self._cancel_retry()
            self._cancel_retry = None
        if self._connection is not None:
            self._reactor.unwatch(self._descriptor)  # libpq has closed its own when the connection was lost
            self._connection.close()
            self._connection = None

    def _listen(self) -> None:
        self._cancel_retry = None
        connection: Connection | None = None
        try:
            connection = connect_reader(self._address)
            connection.execute(f"LISTEN {quoted(self._channel)}")
        except (StoreError, psycopg.Error):
            if connection is not None:
                connection.close()
            self._listen_later()
            return
        self._pause_s = _AGAIN_S
        self._connection = connection
        self._descriptor = connection.fileno()
        self._reactor.watch(self._descriptor, self._read)

    def _listen_later(self) -> None:
        self._cancel_retry = self._reactor.call_later(self._pause_s, self._listen_again)
        self._pause_s = min(2 * self._pause_s, _LONGEST_S)

    def _listen_again(self) -> None:
        self._listen()
        if self._connection is not None:
            self._rung()

    def _read(self) -> None:
        connection = self._connection
        if connection is None:
            return
        was_told = False
        with suppress(psycopg.OperationalError):
            connection.pgconn.consume_input()
            while connection.pgconn.notifies() is not None:
                was_told = True
        if connection.pgconn.status != psycopg.pq.ConnStatus.OK:
            self.close()
            self._listen_later()
        if was_told:
            self._rung()


def telling(run_id: str) -> Write:
    """What lets the engine that holds a run know that there is a message about it, when it is committed."""
    return Write(_TELL, [(run_id,)])
