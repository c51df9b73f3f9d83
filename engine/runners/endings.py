"""How a process ended, as a failure a person can read; and one safe line out of a task's own output."""

from __future__ import annotations

import errno
import os
import re
import signal
import stat

from msgspec import Struct

from engine.outcomes import Failure

_TAIL_BYTES = 8192
_LONGEST_LINE = 200
_KILLED = 128 + signal.SIGKILL
"""What a shell exits with when that happened to a command of its script."""
_CONTROL = re.compile(
    r"\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)?"  # OSC: titles, links, the clipboard
    r"|\x1b[PX^_][^\x1b]*(?:\x1b\\)?"  # DCS and its like
    r"|(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor
    r"|\x1b[ -/]*[0-~]?"
)


class ProcessEnd(Struct, frozen=True):
    """Exactly one is set: the exit code, or the number of the signal a process died by."""

    exit_code: int | None = None
    signal: int | None = None

    @classmethod
    def of(cls, status: os.waitid_result) -> ProcessEnd:
        """From what `waitid` has returned."""
        if status.si_code == os.CLD_EXITED:
            return cls(exit_code=status.si_status)
        return cls(signal=status.si_status)


def describe_end(end: ProcessEnd, *, last_line: str = "") -> Failure:
    """The failure of a process that ended in a way that is no success and that nobody asked for."""
    tail = f": {last_line}" if last_line else ""
    if end.signal is not None:
        name = signal_name(end.signal)
        cause = " (possibly out of memory)" if name == "KILL" else ""
        return Failure("signal", f"killed by SIG{name}{cause}{tail}", signal=name)
    cause = " (as after SIGKILL: possibly out of memory)" if end.exit_code == _KILLED else ""
    return Failure("exit", f"exited with {end.exit_code}{cause}{tail}", exit_code=end.exit_code)


def signal_name(number: int) -> str:
    """`KILL`, `TERM`, ...; for signals without a name their number."""
    try:
        return signal.Signals(number).name.removeprefix("SIG")
    except ValueError:
        return str(number)


def last_line(file: str, length: int | None = None) -> str:
    """The last line that is not blank of a file, or of its first `length` bytes, fit to be shown; empty when there is none."""
    for line in reversed(re.split(r"[\r\n]+", read_tail(file, _TAIL_BYTES, length))):
        shown = one_line(line)
        if shown:
            return shown
    return ""


def read_tail(file: str, size_bytes: int, length: int | None = None) -> str:
    """The end of a file, or of its first `length` bytes, as text; bytes that are no UTF-8 are replaced. Empty when it
    cannot be read."""
    try:
        with open(file, "rb") as stream:
            end = stream.seek(0, os.SEEK_END) if length is None else length
            stream.seek(max(0, end - size_bytes))
            return stream.read(min(size_bytes, end)).decode("utf-8", "replace")
    except OSError:
        return ""


def read_regular(path: str, size_bytes: int) -> bytes:
    """At most `size_bytes` from the head of a regular file; a pipe or a device a task put there is an `OSError`."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with open(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "it is not a regular file")
        return stream.read(size_bytes)


def one_line(text: str, longest: int = _LONGEST_LINE) -> str:
    """`text` on one line without terminal commands and unprintable characters, cut to `longest`."""
    plain = _CONTROL.sub("", text[: longest * 8])
    shown = " ".join("".join(char if char.isprintable() else " " for char in plain).split())
    return shown if len(shown) <= longest else shown[: longest - 3] + "..."
