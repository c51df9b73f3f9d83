"""Messages between engines and a spawner: a head of fields with zero bytes between them, and a tail of any bytes.

No argument, name or path that a process can be given holds a zero byte, so a head is made by one `join` and read by one
`split`, and its fields go to the system as they came.
"""

from __future__ import annotations

PROTOCOL = 1
"""Changes with the messages: an engine does not talk to a spawner of another version."""

ENGINE = 3
"""The descriptor at which a spawner finds the engine that started it."""

LARGEST_BYTES = 256 << 20
"""A longer message is taken for a broken sender."""

_SIZE = 4


def pack(head: bytes, tail: bytes = b"") -> bytes:
    """One message."""
    return (len(head) + len(tail) + _SIZE).to_bytes(_SIZE, "big") + len(head).to_bytes(_SIZE, "big") + head + tail


class Frames:
    """Takes messages out of a stream of bytes."""

    def __init__(self) -> None:
        self._data = b""

    def feed(self, data: bytes) -> list[tuple[list[bytes], bytes]]:
        """The messages that are whole now that `data` has come: fields of the head, and tail. Raises `ValueError`."""
        data = self._data + data if self._data else data
        found = []
        at = 0
        while len(data) - at >= _SIZE:
            start = at + _SIZE
            size = int.from_bytes(data[at:start], "big")
            if size > LARGEST_BYTES:
                raise ValueError("a message is too long")
            end = start + size
            if len(data) < end:
                break
            middle = start + _SIZE + int.from_bytes(data[start : start + _SIZE], "big")
            found.append((data[start + _SIZE : middle].split(b"\0"), data[middle:end]))
            at = end
        self._data = data[at:] if at else data
        return found
