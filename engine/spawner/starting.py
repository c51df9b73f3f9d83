"""Starting one process: its folder, its program, its descriptors, its place when memory runs out."""

# ruff: noqa: PTH116 -- pathlib takes milliseconds to load

from __future__ import annotations

import os
import time
from _signal import SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ  # type: ignore[import-not-found]

_DEFAULTS = (SIGCHLD, SIGHUP, SIGINT, SIGPIPE, SIGTERM, SIGXFSZ)
"""What a spawner, or Python, treats in a way of its own."""

_TICKS = os.sysconf("SC_CLK_TCK")
_TICK_NS = 1_000_000_000 // _TICKS
_KIND, _REGULAR = 0o170000, 0o100000


EMFILE = 24
"""As in `errno`."""

_RESERVE = 32

_EXPENDABLE = 500
"""By how many thousandths of the memory a task counts for more than whoever started it, when the system must end something
for want of memory."""


class Refused(Exception):
    """The system would not start it: what could not be had (`folder`, `log`, `script`, `program`), and why."""

    def __init__(self, what: bytes, number: int) -> None:
        super().__init__(what, number)
        self.what = what
        self.number = number


class Expendable:
    """While it is entered, what this process starts is to go before it when memory runs out. A child inherits its parent's
    score, so the child has it from its first moment, and so has all that it starts."""

    __slots__ = ("_file", "_own", "_raised")

    def __init__(self) -> None:
        """Where the score cannot be had, tasks count like everybody else."""
        self._own = self._raised = b""
        try:
            self._file = os.open("/proc/self/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
            self._own = os.read(self._file, 16).strip()
            self._raised = _raised(self._own)
        except OSError:
            self._file = -1

    def __enter__(self) -> None:
        self._write(self._raised)

    def __exit__(self, *_: object) -> None:
        self._write(self._own)

    def _write(self, score: bytes) -> None:
        if self._file >= 0:
            try:
                os.pwrite(self._file, score, 0)
            except OSError:  # a sandbox may forbid it
                os.close(self._file)
                self._file = -1


def make_expendable(pid: int) -> None:
    """Have a process that was just started go before this one when memory runs out, where the system lets us say so."""
    try:
        descriptor = os.open(f"/proc/{pid}/oom_score_adj", os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.pwrite(descriptor, _raised(os.read(descriptor, 16)), 0)
    except OSError:
        return
    finally:
        os.close(descriptor)


def _raised(score: bytes) -> bytes:
    return b"%d" % min(int(score) + _EXPENDABLE, 1000)


def most_descriptors() -> int:
    """How many descriptors may be held for as long as tasks run: some must be left for what takes a moment."""
    limit = os.sysconf("SC_OPEN_MAX")
    return limit - min(_RESERVE, limit // 2)


def enter(workdir: bytes) -> None:
    """Go to the folder a process is to start in; raises `Refused`."""
    try:
        os.chdir(workdir)
    except OSError as error:
        raise Refused(b"folder", error.errno or 0) from None


def write_script(path: bytes, text: bytes) -> None:
    """Write a file only its owner can read; raises `Refused`."""
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        try:
            while text:
                text = text[os.write(descriptor, text) :]
        finally:
            os.close(descriptor)
    except OSError as error:
        raise Refused(b"script", error.errno or 0) from None


def open_log(path: bytes) -> int:
    """The log, for appending; raises `Refused`. Its folder is made again should somebody have removed it."""
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
    try:
        try:
            return os.open(path, flags, 0o600)
        except FileNotFoundError:
            os.makedirs(os.path.dirname(path), exist_ok=True)  # noqa: PTH103, PTH120
            return os.open(path, flags, 0o600)
    except OSError as error:
        raise Refused(b"log", error.errno or 0) from None


def spawn(
    argv: list[bytes], env: dict[bytes, bytes], fallback: bytes, descriptors: tuple[int, int, int]
) -> tuple[int, int]:
    """Start a process here, in a session of its own, and return its pid and its start time in clock ticks since boot.

    A name without a slash is looked up on the process's own PATH, relative folders of which are below this one; when it
    is not there, `fallback` takes its place. Raises `Refused`.
    """
    program = argv[0] if b"/" in argv[0] else _on_path(argv[0], env.get(b"PATH", os.defpath.encode()))
    if not program:
        if not fallback:
            raise Refused(b"program", 2)
        program = fallback
        argv[0] = fallback
    if program[:1] != b"/":
        program = os.path.join(os.getcwdb(), program)  # noqa: PTH109, PTH118
    before = time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _TICK_NS
    try:
        pid = os.posix_spawn(
            program,
            argv,
            env,
            file_actions=[(os.POSIX_SPAWN_DUP2, one, number) for number, one in enumerate(descriptors)],
            setsid=True,
            setsigmask=(),
            setsigdef=_DEFAULTS,
        )
    except OSError as error:
        raise Refused(b"program", error.errno or 0) from None
    if time.clock_gettime_ns(time.CLOCK_BOOTTIME) // _TICK_NS == before:
        return pid, before
    try:
        return pid, start_time(pid)
    except OSError:  # no descriptor is left; a wrong time is taken for another process, which is not touched
        return pid, before


def start_time(pid: int) -> int:
    """When a process started, in clock ticks since boot."""
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        stat = os.read(descriptor, 4096)
    finally:
        os.close(descriptor)
    return int(stat[stat.rfind(b")") + 2 :].split()[19])


def _on_path(name: bytes, path: bytes) -> bytes:
    for folder in path.split(b":"):
        candidate = folder + b"/" + name if folder else b"./" + name
        if os.access(candidate, os.X_OK) and os.stat(candidate).st_mode & _KIND == _REGULAR:
            return candidate
    return b""
