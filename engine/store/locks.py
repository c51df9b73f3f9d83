"""The advisory lock that makes the processes which share a store take turns at writing.

The system frees it when its holder dies, so a crash leaves nothing to clean up; the file itself stays where it is.
"""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from engine.errors import StoreUnavailable

_FIRST_PAUSE_S = 0.0002
_LONGEST_PAUSE_S = 0.005


class FileLock:
    """A lock between processes, and between stores of one process, on its own file. Not for two threads at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = self._open()

    @contextmanager
    def held(self, *, patience_s: float) -> Iterator[None]:
        """Hold the lock for the length of a `with`.

        Raises:
            StoreUnavailable: somebody else kept it for longer than `patience_s` seconds.
        """
        self._take(patience_s)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def close(self) -> None:
        """Give the descriptor back. Repeatable."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _take(self, patience_s: float) -> None:
        # Polled, because a wait in the kernel has no end when the holder was stopped (Ctrl-Z) in a transaction.
        waited = 0.0
        pause = _FIRST_PAUSE_S
        while not self._try():
            if waited >= patience_s:
                raise self._busy(patience_s)
            time.sleep(pause)
            waited += pause
            pause = min(pause * 1.5, _LONGEST_PAUSE_S)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise StoreUnavailable(f"cannot lock `{self._path}`: {error.strerror}") from error
        if os.fstat(self._descriptor).st_nlink:
            return True
        # Somebody removed the file: others lock a new one by now, and so must we.
        self.close()
        self._descriptor = self._open()
        return False

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreUnavailable(f"cannot open `{self._path}`: {error.strerror}") from error

    def _busy(self, patience_s: float) -> StoreUnavailable:
        holder = self._holder()
        who = "another process" if holder is None else f"process {holder}"
        return StoreUnavailable(
            f"{who} has been writing to the store for more than {patience_s:g} s and keeps `{self._path}` locked",
            hint="let it go on if it was stopped, or end it",
        )

    def _holder(self) -> int | None:
        """The process that has the lock, where the system tells."""
        inode = f":{os.fstat(self._descriptor).st_ino}"
        with suppress(OSError, ValueError):
            for line in Path("/proc/locks").read_text(encoding="ascii").splitlines():
                words = line.split()
                if "FLOCK" in words and "->" not in words and words[5].endswith(inode):
                    return int(words[4])
        return None
