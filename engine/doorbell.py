"""A datagram that says there is a message for an engine on this machine. It carries nothing: what is asked is in the store.

The address is a name of Linux's abstract namespace, made of the engine's: it needs no file, and is gone with its process.
Where it cannot be had, or reached from another container, the engine finds its messages at the next beat.
"""

from __future__ import annotations

import hashlib
import socket
from collections.abc import Callable

from engine.attempts import Reactor


class Doorbell:
    """The listening end."""

    def __init__(self, engine: str, reactor: Reactor, rung: Callable[[], None]) -> None:
        """Call `rung` in the loop's thread whenever somebody has rung."""
        self._reactor = reactor
        self._rung = rung
        self._socket: socket.socket | None = None
        end = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            end.bind(_address(engine))
        except OSError:
            end.close()
            return
        self._socket = end
        reactor.watch(end.fileno(), self._read)

    def close(self) -> None:
        """Listen no more. Repeatable."""
        if self._socket is not None:
            self._reactor.unwatch(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def _read(self) -> None:
        if self._socket is None:
            return
        try:
            while True:
                self._socket.recv(1)
        except BlockingIOError:
            self._rung()


def ring(engine: str) -> None:
    """Ring at an engine; nothing happens if it does not listen here."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK) as end:
        try:
            end.sendto(b"", _address(engine))
        except OSError:
            return


def _address(engine: str) -> bytes:
    return b"\0flowctl-" + hashlib.sha256(engine.encode()).hexdigest()[:32].encode()
