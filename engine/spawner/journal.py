"""What a spawner has started and how it ended, one JSON object a line: it survives the engine, not the power.

    {"spawner": PID, "at": START, "boot": ID, "engine": OWNER, "socket": NAME, "protocol": 1}
    {"started": ATTEMPT, "pid": PID, "at": START, "tmp": NUMBER}
    {"ended": ATTEMPT, "how": "exit", "value": 0, ...}

A start time is in clock ticks since boot, as in `/proc/PID/stat`. A start is written at once, ends are gathered and
written in one piece before anybody is told. Once an engine is gone, only what the next one may have to ask for is left in
the file.
"""

from __future__ import annotations

import os

MOST_BYTES = 4 << 20
"""A journal longer than this, and mostly settled, is written anew."""

_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _-.:,;+@/=()`'")


class Journal:
    """The journal of one spawner."""

    def __init__(self, path: bytes, head: bytes) -> None:
        self._path = path
        self._head = head
        self._descriptor = -1
        self._pending = b""
        self._size = 0
        self._running: dict[bytes, bytes] = {}
        self._unsettled: dict[bytes, bytes] = {}
        self.problem = ""

    def begin(self) -> None:
        """Be on the disk before anything is started, so that whoever looks for us finds us."""
        if self._descriptor < 0:
            self._pending = self._pending or b"\n"
            self.flush()

    def started(self, marker: bytes, pid: int, at: int, slot: int) -> None:
        """An attempt has a process, and the temporary folder of this number."""
        line = b'{"started": %s, "pid": %d, "at": %d, "tmp": %d}\n' % (quoted(marker), pid, at, slot)
        self._running[marker] = line
        self._pending += line

    def ended(self, marker: bytes, facts: bytes) -> None:
        """An attempt has ended; `facts` are the other members of the object."""
        self._running.pop(marker, None)
        line = b'{"ended": %s, %s}\n' % (quoted(marker), facts)
        self._unsettled[marker] = line
        self._pending += line

    def note(self, text: bytes) -> None:
        """Something a person may want to know."""
        self._pending += b'{"note": %s}\n' % quoted(text)
        self.flush()

    def settled(self, marker: bytes) -> None:
        """An engine has made the end of an attempt durable."""
        self._unsettled.pop(marker, None)

    def flush(self) -> None:
        """Write what is new. What the disk does not take is kept; `problem` says why."""
        if not self._pending:
            return
        try:
            if self._descriptor < 0:
                self._open()
            while self._pending:
                written = os.write(self._descriptor, self._pending)
                self._size += written
                self._pending = self._pending[written:]
            self.problem = ""
        except OSError as error:
            self.problem = os.strerror(error.errno or 0).lower()
        if self._size > MOST_BYTES and len(self._unsettled) * 1000 < self._size:
            self.compact()

    def compact(self) -> None:
        """Keep only what runs and what is not settled; remove the file when that is nothing."""
        if self._descriptor < 0:
            return
        if not self._running and not self._unsettled:
            self.remove()
            return
        data = b"".join((self._head, *self._running.values(), *self._unsettled.values()))
        new = self._path + b".new"
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                rest = data
                while rest:
                    rest = rest[os.write(descriptor, rest) :]
                os.rename(new, self._path)  # noqa: PTH104 - pathlib takes milliseconds to load
            except OSError:
                os.close(descriptor)
                raise
        except OSError as error:
            self.problem = os.strerror(error.errno or 0).lower()
            return
        os.close(self._descriptor)
        self._descriptor, self._size, self._pending = descriptor, len(data), b""

    def remove(self) -> None:
        """Everything is settled."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor, self._size = -1, 0
            try:
                os.unlink(self._path)  # noqa: PTH108
            except OSError:
                return

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        try:
            self._descriptor = os.open(self._path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(self._path), 0o700, exist_ok=True)  # noqa: PTH103, PTH120
            self._descriptor = os.open(self._path, flags, 0o600)
        self._pending = self._head + self._pending


def quoted(text: bytes) -> bytes:
    """`text` as JSON."""
    if _PLAIN.issuperset(text):
        return b'"' + text + b'"'
    import json  # here, because it takes milliseconds

    return json.dumps(text.decode("utf-8", "replace")).encode()
