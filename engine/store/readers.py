"""Short connections for reading, a few of which are kept between reads."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Generic, Protocol, TypeVar

_IDLE = 4
"""Connections kept open between reads; opening one costs more than most reads."""


class Closable(Protocol):
    """What a pool asks of a connection."""

    def close(self) -> None: ...


Connection = TypeVar("Connection", bound=Closable)


class ReaderPool(ABC, Generic[Connection]):
    """Reading connections; usable from any thread."""

    def __init__(self) -> None:
        self._idle: list[Connection] = []
        self._closed = False
        self._mutex = threading.Lock()

    @contextmanager
    def borrow(self) -> Iterator[Connection]:
        """A connection nobody else uses; after an error it is closed, since nobody knows what state it is in."""
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
        self.forget_idle()

    def forget_idle(self) -> None:
        """Close what is not borrowed."""
        with self._mutex:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    @abstractmethod
    def _connect(self) -> Connection:
        """A new connection that can read and do nothing else."""

    @abstractmethod
    def _refuse(self) -> Exception:
        """What to raise when the pool is closed."""

    def _take(self) -> Connection:
        with self._mutex:
            if self._closed:
                raise self._refuse()
            if self._idle:
                return self._idle.pop()
        return self._connect()

    def _give_back(self, connection: Connection) -> None:
        with self._mutex:
            if not self._closed and len(self._idle) < _IDLE:
                self._idle.append(connection)
                return
        connection.close()
