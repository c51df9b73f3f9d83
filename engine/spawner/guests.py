"""The engines that are connected to a spawner: the one that started it, and those that came after it."""

from __future__ import annotations

import os
import sys
from _socket import AF_UNIX, SO_PEERCRED, SOCK_STREAM, SOL_SOCKET, socket
from collections.abc import Callable

from engine.spawner.frames import Frames, pack
from engine.spawner.turns import Turns

_CHUNK = 1 << 18
_RETRY_S = 0.002
_WAITING = 16


class Guest:
    """One engine. `received` gets each message, `gone` is called once when there will be no more."""

    def __init__(
        self,
        turns: Turns,
        descriptor: int,
        *,
        received: Callable[[Guest, list[bytes], bytes], None],
        gone: Callable[[Guest], None],
    ) -> None:
        self.reported: dict[bytes, None] = {}
        """Attempts whose ends it has been told and has not settled yet."""
        self.is_closing = False
        self._turns = turns
        self._descriptor = descriptor
        self._received = received
        self._gone = gone
        self._frames = Frames()
        self._outgoing = b""
        self._retries = False
        os.set_blocking(descriptor, False)
        turns.watch(descriptor, self._read)

    def tell(self, *fields: bytes) -> None:
        """Have a message sent with the next `flush`."""
        self._outgoing += pack(b"\0".join(fields))

    def flush(self) -> None:
        """Send what there is; what is not taken now goes later."""
        if not self._outgoing or self._retries or self._descriptor < 0:
            return
        try:
            while self._outgoing:
                self._outgoing = self._outgoing[os.write(self._descriptor, self._outgoing) :]
        except BlockingIOError:
            self._retries = True
            self._turns.call_later(_RETRY_S, self._retry)
        except OSError:
            self._outgoing = b""  # it has died, which is seen when it is read

    def close(self) -> None:
        """Free the descriptor; `gone` is not called."""
        if self._descriptor >= 0:
            self._turns.unwatch(self._descriptor)
            os.close(self._descriptor)
            self._descriptor = -1

    def _retry(self) -> None:
        self._retries = False
        self.flush()

    def _read(self) -> None:
        try:
            data = os.read(self._descriptor, _CHUNK)
            messages = self._frames.feed(data)
        except BlockingIOError:
            return
        except (OSError, ValueError):
            data, messages = b"", []
        for fields, tail in messages:
            self._received(self, fields, tail)
        if not data:
            self.close()
            self._gone(self)


class Door:
    """Where later engines of the same user come in: a socket without a file."""

    def __init__(self, turns: Turns, name: bytes, welcome: Callable[[int], None]) -> None:
        self._welcome = welcome
        self._socket = socket(AF_UNIX, SOCK_STREAM)
        self._socket.bind(b"\0" + name)
        self._socket.listen(_WAITING)
        self._socket.setblocking(False)
        turns.watch(self._socket.fileno(), self._answer)

    def _answer(self) -> None:
        try:
            descriptor, _ = self._socket._accept()  # type: ignore[attr-defined] # noqa: SLF001 - what `socket.accept` wraps
        except OSError:
            return
        guest = socket(fileno=descriptor)
        user = int.from_bytes(guest.getsockopt(SOL_SOCKET, SO_PEERCRED, 12)[4:8], sys.byteorder)
        if user == os.getuid():
            self._welcome(guest.detach())
        else:
            guest.close()
