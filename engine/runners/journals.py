"""Journals of spawners, read: what became of the attempts of an engine that is gone."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Mapping

import msgspec
from msgspec import Struct, field

from engine.identity import boot_id
from engine.runners.trees import read_process

_ENDING = ".jsonl"
_FOLLOWS = ".follows"
_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_LONGEST_NAME = 200


class TaskEnd(Struct, frozen=True):
    """How a process of a spawner ended.

    Attributes:
        how: `exit`, `signal`, `refused` (it could not be started) or `unknown` (it could not be killed).
        value: the exit code, the signal, or the error number of a refusal.
        what: what was refused: `folder`, `log`, `script` or `program`.
        seen: letters: `s` it was told to stop, `o` and `j` there are outputs.
        log_bytes: the length of the log before kept streams were copied to it; -1 when none were.
        tmp: the number of the folder in which there are temporary files; 0 when there are none.
        left: number and names of processes that were left running, and ended.
        notes: lines for a person.
    """

    how: str
    value: int
    what: str = ""
    seen: str = ""
    log_bytes: int = -1
    tmp: int = 0
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


class Start(Struct, frozen=True):
    """The process of an attempt: `at` is its start time in clock ticks since boot, `tmp` the number of its folder."""

    pid: int
    at: int
    tmp: int = 0


class Head(Struct, frozen=True):
    """Which spawner wrote a journal."""

    spawner: int
    at: int
    boot: str
    engine: str
    socket: str
    protocol: int


class Journal(Struct, frozen=True):
    """A journal as far as it can be understood; `head` is `None` when nothing can."""

    path: str
    head: Head | None = None
    starts: Mapping[str, Start] = field(default_factory=dict)
    ends: Mapping[str, TaskEnd] = field(default_factory=dict)
    settled: frozenset[str] = frozenset()

    @property
    def open_attempts(self) -> frozenset[str]:
        """Attempts that somebody may still ask for."""
        return frozenset((self.starts.keys() | self.ends.keys()) - self.settled)


class _Line(Struct):
    """One line of any kind."""

    spawner: int | None = None
    at: int = 0
    boot: str = ""
    engine: str = ""
    socket: str = ""
    protocol: int = 0
    started: str | None = None
    pid: int = 0
    ended: str | None = None
    how: str = "unknown"
    value: int = 0
    what: str = ""
    seen: str = ""
    log_bytes: int = -1
    tmp: int = 0
    left: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    settled: str | None = None


_LINE = msgspec.json.Decoder(_Line)


def journal_path(folder: str, engine: str, number: int) -> str:
    """The journal of an engine's `number`-th spawner, from 1."""
    end = _ENDING if number == 1 else f".{number}{_ENDING}"
    return f"{folder}/{_name(engine)}{end}"


def journals_of(folder: str, engine: str) -> list[str]:
    """The journals there are of an engine and of those whose attempts it had taken over, newest spawner first."""
    return [path for name in _followed_from(folder, engine) for path in reversed(_paths(folder, name))]


def follow(folder: str, engine: str, origin: str) -> None:
    """Note that `engine` takes over attempts of `origin`, for those that will take over from it. Raises `OSError`."""
    os.makedirs(folder, 0o700, exist_ok=True)  # noqa: PTH103
    name = _name(origin)
    if name in _followed(folder, _name(engine)):
        return
    descriptor = os.open(
        f"{folder}/{_name(engine)}{_FOLLOWS}", os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600
    )
    with open(descriptor, "wb", buffering=0) as stream:
        stream.write(f"{name}\n".encode())


def tidy(folder: str, engine: str) -> None:
    """Forget what an engine has taken over once nothing of it is left to ask for."""
    names = _followed_from(folder, engine)
    if not any(_paths(folder, name) for name in names):
        for name in names:
            _unlink(f"{folder}/{name}{_FOLLOWS}")


def sweep(folder: str, *, before: float) -> None:
    """Remove journals of spawners that are gone, last written before this moment, in seconds since 1970: whoever was
    to ask for them has not."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) and entry.stat(follow_symlinks=False).st_mtime < before:
                head = read_journal(entry.path).head if entry.name.endswith(_ENDING) else None
                if head is None or not is_there(head):
                    _unlink(entry.path)


def is_there(head: Head) -> bool:
    """Whether the spawner that wrote a journal runs."""
    process = read_process(head.spawner)
    return process is not None and process.started == head.at and process.is_alive and head.boot == boot_id()


def read_journal(path: str) -> Journal:
    """What a journal says; lines that make no sense, such as one half written, are passed over."""
    head: Head | None = None
    starts: dict[str, Start] = {}
    ends: dict[str, TaskEnd] = {}
    settled: set[str] = set()
    for line in _lines(path):
        if line.spawner is not None:
            head = Head(line.spawner, line.at, line.boot, line.engine, line.socket, line.protocol)
        elif line.started is not None:
            starts[line.started] = Start(line.pid, line.at, line.tmp)
        elif line.ended is not None:
            ends[line.ended] = TaskEnd(
                line.how, line.value, line.what, line.seen, line.log_bytes, line.tmp, line.left, line.notes
            )
        elif line.settled is not None:
            settled.add(line.settled)
    return Journal(path, head, starts, ends, frozenset(settled))


def settle(journal: Journal, attempts: set[str]) -> None:
    """Note, in the journal of a spawner that has ended, what nobody will ask for any more; remove it when that is all."""
    now = read_journal(journal.path)
    try:
        if now.open_attempts <= attempts:
            _unlink(journal.path)
            _unlink(f"{journal.path}.new")
            return
        known = sorted(now.open_attempts & attempts)
        if known:
            descriptor = os.open(journal.path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)
            with open(descriptor, "wb", buffering=0) as stream:
                stream.write(b"".join(b"\n%s" % msgspec.json.encode({"settled": one}) for one in known) + b"\n")
    except OSError:
        return  # it stays, and is looked at again by who needs it


def _lines(path: str) -> list[_Line]:
    try:
        with open(path, "rb") as stream:
            data = stream.read()
    except OSError:
        return []
    found = []
    for text in data.split(b"\n"):
        if text:
            try:
                found.append(_LINE.decode(text))
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                continue
    return found


def _followed_from(folder: str, engine: str) -> list[str]:
    """The name of an engine, and those of engines whose attempts it had taken over, however indirectly."""
    found, rest = [], [_name(engine)]
    while rest:
        name = rest.pop()
        if name not in found:
            found.append(name)
            rest.extend(_followed(folder, name))
    return found


def _paths(folder: str, name: str) -> list[str]:
    found: list[str] = []
    path = f"{folder}/{name}{_ENDING}"
    while os.path.exists(path):  # noqa: PTH110
        found.append(path)
        path = f"{folder}/{name}.{len(found) + 1}{_ENDING}"
    return found


def _unlink(path: str) -> None:
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108


def _followed(folder: str, name: str) -> list[str]:
    try:
        with open(f"{folder}/{name}{_FOLLOWS}", encoding="ascii", errors="replace") as stream:
            return [line.strip() for line in stream if line.strip() and not _UNSAFE.search(line.strip())]
    except OSError:
        return []


def _name(engine: str) -> str:
    """The identity of an engine as the name of a file."""
    return _UNSAFE.sub("_", engine)[:_LONGEST_NAME] or "_"
