"""Where the stdout and stderr of an attempt go.

As a rule straight into the log: the process writes, we do nothing. A stream that an output is read from goes to a file
of its own, copied to the log at the end; with secrets, streams come through pipes and are masked on their way.

A spawner uses this too, so it needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable, Mapping
from typing import Protocol

from engine.runners.masked_stream import MaskedStream

_CHUNK = 1 << 18
_CHUNKS_A_TURN = 4  # so that one loud task does not keep the loop from the others
_PIPE_BYTES = 1 << 20
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class Watcher(Protocol):
    """What calls when a descriptor is readable."""

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None: ...
    def unwatch(self, descriptor: int) -> None: ...


class _Pump:
    """One pipe. Its masked bytes go to the log and, up to `keep_free` bytes, to the descriptor `keep`."""

    def __init__(self, source: int, masked: MaskedStream) -> None:
        self.source = source
        self.masked = masked
        self.keep: int | None = None
        self.keep_free = 0


class Streams:
    """The streams of one attempt. `stdout` and `stderr` are descriptors for the child; close them with `hand_over`
    as soon as the child has them, and call `finish` when it has ended."""

    def __init__(
        self, watcher: Watcher, *, log: str, kept: Mapping[str, str], limit_bytes: int, needles: tuple[bytes, ...]
    ) -> None:
        """Open everything; raises `OSError` when the disk or the system fails, with nothing left open.

        `kept` are the files of streams that outputs are read from, which may have `limit_bytes`; `needles` are masked.
        """
        self._watcher = watcher
        self._limit_bytes = limit_bytes
        self._needles = needles
        self._pumps: list[_Pump] = []
        self._log = -1
        self._handed: set[int] = set()
        self._own: set[int] = set()
        self._kept = kept
        self.notes: list[str] = []
        try:
            self._log = os.open(log, _APPEND, 0o600)
            self.stdout, self.stderr = self._open_masked() if needles else self._open_plain()
        except OSError:
            self.close()
            raise

    def hand_over(self) -> None:
        """The child has its descriptors: close ours and start to read the pipes."""
        for descriptor in self._handed:
            os.close(descriptor)
        self._handed.clear()
        for pump in self._pumps:
            self._watcher.watch(pump.source, self._reader(pump))

    def finish(self) -> int:
        """The attempt has ended: take what is still in the pipes, whoever else may hold them, and close everything.

        Returns how long the log was before kept streams were copied to its end.
        """
        for pump in list(self._pumps):
            left = _PIPE_BYTES + _CHUNK
            while left > 0 and pump in self._pumps and (taken := self._pass_on(pump)) > 0:
                left -= taken
        for pump in list(self._pumps):
            self._end(pump)
        size = os.fstat(self._log).st_size
        if not self._needles:
            for name, path in self._kept.items():
                self._copy_to_log(name, path)
        self.close()
        return size

    def close(self) -> None:
        """Close all descriptors; what is still in the pipes is given up. Repeatable."""
        for pump in list(self._pumps):
            self._end(pump)
        for descriptor in self._handed | self._own:
            os.close(descriptor)
        self._handed.clear()
        self._own.clear()
        if self._log >= 0:
            os.close(self._log)
            self._log = -1

    def _open_plain(self) -> tuple[int, int]:
        return self._open_kept("stdout"), self._open_kept("stderr")

    def _open_kept(self, name: str) -> int:
        path = self._kept.get(name)
        if path is None:
            return self._log
        descriptor = os.open(path, _APPEND | os.O_TRUNC, 0o600)
        self._handed.add(descriptor)
        return descriptor

    def _open_masked(self) -> tuple[int, int]:
        if not self._kept:
            pipe = self._open_pipe(None)
            return pipe, pipe
        return self._open_pipe("stdout"), self._open_pipe("stderr")

    def _open_pipe(self, name: str | None) -> int:
        source, target = os.pipe2(os.O_CLOEXEC)
        self._handed.add(target)
        os.set_blocking(source, False)
        with contextlib.suppress(OSError):  # the pipes of a user have a common limit; a smaller one works as well
            fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        pump = _Pump(source, MaskedStream(self._needles))
        self._pumps.append(pump)
        if name is not None and name in self._kept:
            pump.keep = os.open(self._kept[name], _APPEND | os.O_TRUNC, 0o600)
            self._own.add(pump.keep)
            pump.keep_free = self._limit_bytes + 2  # one line end, and one byte that shows it is too long
        return target

    def _reader(self, pump: _Pump) -> Callable[[], None]:
        def ready() -> None:
            for _ in range(_CHUNKS_A_TURN):
                if pump not in self._pumps or self._pass_on(pump) <= 0:
                    return

        return ready

    def _pass_on(self, pump: _Pump) -> int:
        """Move one chunk; returns its size, 0 at the end of the stream and -1 when nothing is there now."""
        try:
            data = os.read(pump.source, _CHUNK)
        except BlockingIOError:
            return -1
        if data:
            self._put(pump, pump.masked.feed(data))
        else:
            self._end(pump)
        return len(data)

    def _put(self, pump: _Pump, data: bytes) -> None:
        self._write(self._log, data)
        if pump.keep is not None and pump.keep_free > 0:
            self._write(pump.keep, data[: pump.keep_free])
            pump.keep_free -= len(data)

    def _end(self, pump: _Pump) -> None:
        self._put(pump, pump.masked.flush())
        self._pumps.remove(pump)
        self._watcher.unwatch(pump.source)
        os.close(pump.source)

    def _copy_to_log(self, name: str, path: str) -> None:
        try:
            with open(path, "rb") as stream:
                data = stream.read(self._limit_bytes)
                more = os.fstat(stream.fileno()).st_size - len(data)
        except OSError as error:
            self._note(f"{name} could not be read: {_reason(error)}")
            return
        self._write(self._log, data)
        if more > 0:
            self._note(f"{more} bytes of {name} are not in the log: it is longer than an output may be")

    def _write(self, descriptor: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except OSError as error:
                self._note(f"the log is not complete: {_reason(error)}")
                return

    def _note(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)


def _reason(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
