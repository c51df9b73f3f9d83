"""Messages to and from a helper process: JSON, each with its length before it, over a local socket."""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Callable, Mapping, Sequence

import msgspec

from engine.attempts import Reactor
from engine.outcomes import Json

LENGTH = struct.Struct(">I")
LARGEST_BYTES = 128 << 20
"""A longer message is taken for a broken helper."""

_CHUNK = 1 << 18
_CHUNKS_A_TURN = 64
_RETRY_S = 0.002


class Channel:
    """Our end of the socket. `received` gets each message, `closed` is called once when there will be no more."""

    def __init__(
        self, reactor: Reactor, end: socket.socket, *, received: Callable[[Mapping[str, Json]], None],
        closed: Callable[[], None],
    ) -> None:  # fmt: skip
        self._reactor = reactor
        self._socket = end
        self._received = received
        self._closed = closed
        self._incoming = bytearray()
        self._outgoing = bytearray()
        self._cancel_retry: Callable[[], None] | None = None
        self._open = True
        end.setblocking(False)
        reactor.watch(end.fileno(), self._take)

    def send(self, message: Mapping[str, Json], descriptors: Sequence[int] = ()) -> None:
        """Send a message and descriptors with it; what the other end does not take at once goes later."""
        body = _encoded(message)
        data = LENGTH.pack(len(body)) + body
        try:
            if descriptors:
                sent = socket.send_fds(self._socket, [data[:_CHUNK]], list(descriptors))
                data = data[sent:]
        except OSError:
            return  # it has died; its end is seen by who started it
        self._outgoing += data
        if self._cancel_retry is None:
            self._flush()

    def read(self) -> None:
        """Take what has come, and see whether that was the last."""
        for _ in range(_CHUNKS_A_TURN):  # so that a loud helper does not keep the loop from the others
            if self._read_chunk() <= 0:
                return

    def close(self) -> None:
        """Free the socket; `closed` is not called. Repeatable."""
        if self._open:
            self._open = False
            self._reactor.unwatch(self._socket.fileno())
            self._socket.close()
            if self._cancel_retry is not None:
                self._cancel_retry()

    def _take(self) -> None:
        # A chunk that is not full was all there is: what comes after it, be it the end, wakes the loop again.
        for _ in range(_CHUNKS_A_TURN):
            if self._read_chunk() < _CHUNK:
                return

    def _read_chunk(self) -> int:
        """Take one chunk; its size, 0 at the end and -1 when nothing is there now."""
        if not self._open:
            return 0
        try:
            data = self._socket.recv(_CHUNK)
        except BlockingIOError:
            return -1
        except OSError:
            data = b""
        if not data:
            self._lose()
            return 0
        self._incoming += data
        self._deliver()
        return len(data)

    def _deliver(self) -> None:
        while self._open and len(self._incoming) >= LENGTH.size:
            (size,) = LENGTH.unpack_from(self._incoming)
            if size > LARGEST_BYTES:
                self._lose()
                return
            if len(self._incoming) < LENGTH.size + size:
                return
            body = bytes(self._incoming[LENGTH.size : LENGTH.size + size])
            del self._incoming[: LENGTH.size + size]
            try:
                message = json.loads(body)
            except (ValueError, RecursionError):
                self._lose()
                return
            self._received(message)

    def _flush(self) -> None:
        self._cancel_retry = None
        if not self._open:
            return
        try:
            while self._outgoing:
                del self._outgoing[: self._socket.send(self._outgoing[:_CHUNK])]
        except BlockingIOError:
            self._cancel_retry = self._reactor.call_later(_RETRY_S, self._flush)
        except OSError:
            self._outgoing.clear()  # it has died; its end is seen by who started it

    def _lose(self) -> None:
        if self._open:
            self.close()
            self._closed()


def _encoded(message: Mapping[str, Json]) -> bytes:
    """The message as JSON; by the standard library where msgspec knows no such value, or writes null for it."""
    try:
        body = msgspec.json.encode(message)
    except (OverflowError, UnicodeEncodeError):
        return json.dumps(message).encode()
    return json.dumps(message).encode() if b"null" in body else body
