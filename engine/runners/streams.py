"""Where the stdout and stderr of an attempt go.

As a rule straight into the log: the process writes, we do nothing. A stream that an output is read from goes to a file
of its own, copied to the log at the end; with secrets, streams come through pipes and are masked on their way.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Callable

from msgspec import Struct

from engine.attempts import Launch, Reactor
from engine.runners.endings import last_line
from engine.runners.masking import MaskedStream, Masker

_CHUNK = 1 << 18
_CHUNKS_A_TURN = 4  # so that one loud task does not keep the loop from the others
_PIPE_BYTES = 1 << 20
_APPEND = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC


class _Pump(Struct):
    """One pipe. Its masked bytes go to the log and, up to `keep_free` bytes, to the descriptor `keep`."""

    source: int
    masked: MaskedStream
    keep: int | None = None
    keep_free: int = 0


class Streams:
    """The streams of one attempt. `stdout` and `stderr` are descriptors for the child; close them with `hand_over`
    as soon as the child has them, and call `finish` when it has ended."""

    def __init__(self, reactor: Reactor, launch: Launch, masker: Masker) -> None:
        """Open everything; raises `OSError` when the disk or the system fails, with nothing left open."""
        self._reactor = reactor
        self._launch = launch
        self._pumps: list[_Pump] = []
        self._masked = bool(masker.needles)
        self._log = -1
        self._handed: set[int] = set()
        self._own: set[int] = set()
        self.notes: list[str] = []
        wanted = {output.source for output in launch.outputs.values()}
        self.kept: dict[str, str] = {name: launch.files.own(name) for name in ("stdout", "stderr") if name in wanted}
        try:
            self._log = _open_log(launch.files.log)
            self.stdout, self.stderr = self._open_masked(masker) if self._masked else self._open_plain()
        except OSError:
            self.close()
            raise

    def hand_over(self) -> None:
        """The child has its descriptors: close ours and start to read the pipes."""
        for descriptor in self._handed:
            os.close(descriptor)
        self._handed.clear()
        for pump in self._pumps:
            self._reactor.watch(pump.source, self._reader(pump))

    def finish(self, *, want_line: bool) -> str:
        """The attempt has ended: take what is still in the pipes, whoever else may hold them, and close everything.

        Returns, if wanted, the last line of stderr, or of the log where stderr has no file of its own.
        """
        for pump in list(self._pumps):
            left = _PIPE_BYTES + _CHUNK
            while left > 0 and pump in self._pumps and (taken := self._pass_on(pump)) > 0:
                left -= taken
        for pump in list(self._pumps):
            self._end(pump)
        line = last_line(self.kept.get("stderr", self._launch.files.log)) if want_line else ""
        if not self._masked:
            for name, path in self.kept.items():
                self._copy_to_log(name, path)
        self.close()
        return line

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
        path = self.kept.get(name)
        if path is None:
            return self._log
        descriptor = os.open(path, _APPEND | os.O_TRUNC, 0o600)
        self._handed.add(descriptor)
        return descriptor

    def _open_masked(self, masker: Masker) -> tuple[int, int]:
        if not self.kept:
            pipe = self._open_pipe(masker, None)
            return pipe, pipe
        return self._open_pipe(masker, "stdout"), self._open_pipe(masker, "stderr")

    def _open_pipe(self, masker: Masker, name: str | None) -> int:
        source, target = os.pipe2(os.O_CLOEXEC)
        self._handed.add(target)
        os.set_blocking(source, False)
        with contextlib.suppress(OSError):  # the pipes of a user have a common limit; a smaller one works as well
            fcntl.fcntl(source, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        pump = _Pump(source, masker.stream())
        self._pumps.append(pump)
        if name is not None and name in self.kept:
            pump.keep = os.open(self.kept[name], _APPEND | os.O_TRUNC, 0o600)
            self._own.add(pump.keep)
            pump.keep_free = self._launch.output_limit_bytes + 2  # one line end, and one byte that shows it is too long
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
        self._reactor.unwatch(pump.source)
        os.close(pump.source)

    def _copy_to_log(self, name: str, path: str) -> None:
        limit = self._launch.output_limit_bytes
        try:
            with open(path, "rb") as stream:
                data = stream.read(limit)
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


def _open_log(path: str) -> int:
    try:
        return os.open(path, _APPEND, 0o600)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120 - the path is text
        return os.open(path, _APPEND, 0o600)


def _reason(error: OSError) -> str:
    return (os.strerror(error.errno) if error.errno else str(error)).lower()
