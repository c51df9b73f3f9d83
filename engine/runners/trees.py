"""Processes as trees: who belongs to an attempt, however it hid, and who must never be signalled.

A process belongs to an attempt when it is in the session of the attempt's first process, descends from it, or carries
the attempt's marker in its environment. The engine is the reaper of orphans (`PR_SET_CHILD_SUBREAPER`), so whatever a
finished attempt left behind hangs below a child of ours that we did not start: one small read of `/proc` tells.
A process is named by pid *and* start time, and signalled through a pidfd, so that no stranger is ever hit.

A spawner uses this too, so it needs nothing but the standard library.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Mapping
from typing import NamedTuple

from engine.spawner.subreaper import become_subreaper

MARKER = "FLOW_ATTEMPT_ID"
"""The environment variable every process of an attempt carries."""

_MARKER = b"\0" + MARKER.encode() + b"="
_SUSPECT_S = 5.0
_SHARED_S = 0.02
_SHARED_TIMES = 3


class Process(NamedTuple):
    """A process as `/proc` showed it. `started` is in clock ticks since boot; with `pid` it is the identity."""

    pid: int
    parent: int
    session: int
    state: str
    started: int

    @property
    def is_alive(self) -> bool:
        """Whether it can still run code: not a zombie."""
        return self.state not in "ZX"


class Tree(NamedTuple):
    """The processes of one attempt: below `leader`, in its session, or with one of `markers`. `spare` are no members.

    The leader must not have been reaped, so that its pid names it and its session; it is -1 when there is none any more.
    A foreign tree was started by somebody else: its orphans do not come to us.
    """

    leader: int
    markers: frozenset[bytes]
    spare: frozenset[int] = frozenset()
    is_foreign: bool = False


def read_process(pid: int) -> Process | None:
    """The process, `None` when there is none."""
    try:
        stat = _read(f"/proc/{pid}/stat")
    except OSError:
        return None
    fields = stat[stat.rfind(b")") + 2 :].split()
    if len(fields) < 20:
        return None
    return Process(pid, int(fields[1]), int(fields[3]), fields[0].decode(), int(fields[19]))


def helper_name(kind: str, engine: int, at: int) -> str:
    """How the markers of an engine's helper processes begin; `engine` is its pid, `at` its start time."""
    return f"{kind}.{engine}.{at}."


def own_helper_name(kind: str) -> str:
    """How the markers of this engine's own helper processes begin."""
    own = read_process(os.getpid())
    return helper_name(kind, os.getpid(), own.started if own is not None else 0)


def program_name(pid: int) -> str:
    """The short name of a process, empty when it is gone."""
    try:
        return _read(f"/proc/{pid}/comm").decode(errors="replace").strip()
    except OSError:
        return ""


def children_of(pid: int) -> list[int]:
    """Pids of the children of all threads of a process."""
    found: list[int] = []
    with contextlib.suppress(OSError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208 - on the hot path
            with contextlib.suppress(OSError):
                found.extend(map(int, _read(f"/proc/{pid}/task/{thread}/children").split()))
    return found


def send_signal(process: Process, number: int) -> bool:
    """Signal exactly this process; false when it is gone or not ours to signal."""
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return False
    try:
        current = read_process(process.pid)
        if current is None or current.started != process.started:
            return False
        signal.pidfd_send_signal(descriptor, number)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def is_running(process: Process) -> bool:
    """Whether this very process still runs."""
    current = read_process(process.pid)
    return current is not None and current.started == process.started and current.is_alive


class _Look:
    """All processes at one moment, and the ways from one to the other."""

    def __init__(self, processes: Mapping[int, Process], marker_of: Callable[[Process], bytes]) -> None:
        self.processes = processes
        self.below: dict[int, list[int]] = {}
        self._sessions: dict[int, list[int]] = {}
        self._marked: dict[bytes, list[int]] = {}
        for process in processes.values():
            self.below.setdefault(process.parent, []).append(process.pid)
            self._sessions.setdefault(process.session, []).append(process.pid)
            marker = marker_of(process)
            if marker:
                self._marked.setdefault(marker, []).append(process.pid)

    def knows(self, pid: int) -> bool:
        """Whether the process of this pid, if there is one, was there already."""
        process = read_process(pid) if pid > 0 else None
        return process is None or (pid in self.processes and self.processes[pid].started == process.started)

    def seeds(self, tree: Tree) -> list[int]:
        """Members of `tree` that need no way to be found; the others descend from them."""
        leader = self.processes.get(tree.leader)
        since = leader.started if leader is not None else 0
        marked = [pid for marker in tree.markers for pid in self._marked.get(marker, ())]
        found = [pid for pid in marked if self.processes[pid].started >= since]
        return [*found, *self._sessions.get(tree.leader, ()), *([tree.leader] if leader is not None else [])]


class Family:
    """The processes this engine started and those it inherited from them."""

    def __init__(self, call_later: Callable[[float, Callable[[], None]], Callable[[], None]]) -> None:
        become_subreaper()
        self._call_later = call_later
        self._own: set[int] = set()
        self._session = os.getsid(0)
        self._markers: dict[int, tuple[int, bytes]] = {}
        self._last_look: _Look | None = None
        self._shared_until = 0.0
        self._suspects: dict[int, tuple[Process, Callable[[], None]]] = {}
        # The kernel gives orphans to our first thread.
        self._children = os.open(f"/proc/self/task/{os.getpid()}/children", os.O_RDONLY | os.O_CLOEXEC)

    def started(self, pid: int) -> None:
        """`pid` is a child that its owner waits for."""
        self._own.add(pid)

    def reaped(self, pid: int) -> None:
        """The child `pid` has been waited for."""
        self._own.discard(pid)
        self._markers.pop(pid, None)

    def left_of(self, tree: Tree) -> list[Process]:
        """What an ended tree left running. Cheap when that is nothing; dead orphans are reaped on the way."""
        left = self.members(tree) if tree.is_foreign else []
        for process in self._orphans():
            if not process.is_alive:
                self._bury(process, tree)
            elif tree.is_foreign:
                continue
            elif process.session == tree.leader or self._marker(process) in tree.markers:
                left.append(process)
        for pid in tree.spare:
            below = (read_process(child) for child in children_of(pid))
            left.extend(child for child in below if child is not None and child.is_alive)
        return left

    def is_ended(self, tree: Tree) -> bool:
        """Whether nothing of a tree runs any more, its first process included."""
        leader = read_process(tree.leader) if tree.leader > 0 and tree.leader not in tree.spare else None
        return (leader is None or not leader.is_alive) and not self.left_of(tree)

    def members(self, tree: Tree) -> list[Process]:
        """Every living process of `tree`, from one look at all processes of the machine.

        Trees that are ended together share a look: what has been forked since is found by the next one.
        """
        look = self._look(fresh=tree.is_foreign)
        if not look.knows(tree.leader):
            look = self._look(fresh=True)
        found: set[int] = set()
        rest = look.seeds(tree)
        while rest:
            pid = rest.pop()
            if pid not in found:
                found.add(pid)
                rest.extend(look.below.get(pid, ()))
        members = [p for p in map(look.processes.__getitem__, found) if p.is_alive and p.pid not in tree.spare]
        marker = next(iter(tree.markers))
        for process in members:  # so that one with a clean environment is known when its parent is gone
            self._markers.setdefault(process.pid, (process.started, marker))
        return members

    def close(self) -> None:
        """Reap the dead that nobody claimed, free the descriptor."""
        for process, cancel in list(self._suspects.values()):
            cancel()
            self._reap_suspect(process)
        if self._children >= 0:
            for process in self._orphans():
                if not process.is_alive:
                    self._reap(process)
            os.close(self._children)
            self._children = -1

    def _look(self, *, fresh: bool) -> _Look:
        began = time.monotonic()
        if self._last_look is None or fresh or began > self._shared_until:
            self._last_look = _Look(_snapshot(), self._own_marker)
            now = time.monotonic()  # with thousands of processes a look takes long, and as many trees may want it
            self._shared_until = now + max(_SHARED_S, _SHARED_TIMES * (now - began))
        return self._last_look

    def _own_marker(self, process: Process) -> bytes:
        return b"" if process.session in (self._session, 0) else self._marker(process)

    def _orphans(self) -> list[Process]:
        data = self._read_children()
        if data.count(b" ") == len(self._own):
            return []  # nobody is there but those we started
        found = []
        for pid in map(int, data.split()):
            if pid not in self._own:
                process = read_process(pid)
                # A child in our own session was started by another part of this program: no descendant of a task
                # can come back into it.
                if process is not None and process.session != self._session:
                    found.append(process)
        return found

    def _read_children(self) -> bytes:
        data = b""
        while chunk := os.pread(self._children, 65536, len(data)):
            data += chunk
        return data

    def _marker(self, process: Process) -> bytes:
        known = self._markers.get(process.pid)
        if known is not None and known[0] == process.started:
            return known[1]
        marker = _read_marker(process.pid)
        if marker:  # without one it may just not have been there yet
            self._markers[process.pid] = (process.started, marker)
        return marker

    def _bury(self, process: Process, tree: Tree) -> None:
        known = self._markers.get(process.pid)
        ours = process.session == tree.leader or (
            known is not None and known[0] == process.started and known[1] in tree.markers
        )
        if ours:
            self._reap(process)
        elif process.pid not in self._suspects:
            # Its environment is gone with it. Somebody else in this program may be about to wait for it; an orphan
            # of a task has nobody.
            self._suspects[process.pid] = process, self._call_later(_SUSPECT_S, lambda: self._reap_suspect(process))

    def _reap_suspect(self, process: Process) -> None:
        self._suspects.pop(process.pid, None)
        current = read_process(process.pid)
        if current is not None and current.started == process.started and process.pid not in self._own:
            self._reap(current)

    def _reap(self, process: Process) -> None:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(process.pid, os.WNOHANG)
        self._markers.pop(process.pid, None)


def find_marked(is_wanted: Callable[[bytes], bool]) -> list[tuple[bytes, Process]]:
    """Every living process with a marker that is wanted, from one look at all processes of the machine."""
    found = ((_read_marker(process.pid), process) for process in _snapshot().values() if process.is_alive)
    return [(marker, process) for marker, process in found if marker and is_wanted(marker)]


def _snapshot() -> Mapping[int, Process]:
    found = (read_process(int(name)) for name in os.listdir("/proc") if name.isdecimal())  # noqa: PTH208
    return {process.pid: process for process in found if process is not None}


def _read_marker(pid: int) -> bytes:
    try:
        environment = b"\0" + _read(f"/proc/{pid}/environ")
    except OSError:
        return b""
    at = environment.find(_MARKER)
    if at < 0:
        return b""
    at += len(_MARKER)
    end = environment.find(b"\0", at)
    return environment[at : end if end >= 0 else len(environment)]


def _read(path: str) -> bytes:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        data = os.read(descriptor, 65536)
        while len(data) % 4096 == 0 and (more := os.read(descriptor, 1 << 20)):
            data += more
        return data
    finally:
        os.close(descriptor)
