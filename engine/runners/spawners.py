"""The spawners of an engine: its own, and those that other engines have left behind."""

from __future__ import annotations

import fcntl
import os
import select
import signal
import socket
import struct
import sys

from engine.runners.attempt import Kit
from engine.runners.journals import Journal, is_there, journal_path
from engine.runners.links import CLOSE_S, Link
from engine.runners.trees import MARKER, Tree
from engine.spawner.frames import ENGINE, PROTOCOL

_HOME = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from engine.spawner.main import main; main()"
_PASSED_ON = (MARKER, "LD_LIBRARY_PATH")
"""A spawner of an engine that is itself a task of another belongs to that task; and some Pythons need their libraries."""

_USER = struct.Struct("iII")


class Spawners:
    """The spawners of a runner: its own, started when it is first needed, and those it has joined."""

    def __init__(self, kit: Kit, folder: str, owner: str) -> None:
        self.folder = folder
        self.owner = owner
        self._kit = kit
        self._own: Link | None = None
        self._count = 0
        self._joined: dict[str, Link] = {}
        self._ours: list[Link] = []

    def own(self) -> Link:
        """This engine's own spawner. Raises `OSError` when it cannot be started."""
        if self._own is None or not self._own.is_open:
            self._own = self._begin()
            self._ours = [self._own]
        return self._own

    def join(self, journal: Journal) -> Link | None:
        """The spawner that writes a journal, `None` when it has ended or does not let us in."""
        head = journal.head
        if head is None or head.protocol != PROTOCOL:
            return None
        known = self._joined.get(journal.path)
        if known is not None and known.is_open:
            return known
        if not is_there(head):
            return None
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            end.settimeout(CLOSE_S)
            end.connect(f"\0{head.socket}")
            _, user, _ = _USER.unpack(end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _USER.size))
            if user != os.getuid():
                raise PermissionError
        except OSError:
            end.close()
            return None
        link = self._joined[journal.path] = Link(self._kit, end, journal.path, head=head)
        return link

    def close(self, *, keep: bool = False) -> list[Tree]:
        """Leave all spawners. Returns trees that nobody looks after any more, because their spawner has died."""
        left: list[Tree] = []
        links = [*self._ours, *self._joined.values()]
        for link in links:
            link.close(keep=keep)
            if not keep and not link.is_gone(at_once=False) and link.pid:
                self._wait_for(link)
        for link in [] if keep else self._ours:
            left.extend(link.trees())
        self._ours.clear()
        self._joined.clear()
        return left

    def _wait_for(self, link: Link) -> None:
        """It has nothing more to do, and ends; unless something is very wrong with it, or it has hardly begun."""
        try:
            descriptor = os.pidfd_open(link.pid) if link.was_used else -1
        except OSError:
            descriptor = -1
        if descriptor >= 0:
            select.select([descriptor], [], [], CLOSE_S)
            os.close(descriptor)
        link.is_gone(at_once=True)

    def _begin(self) -> Link:
        self._count += 1
        journal = journal_path(self.folder, self.owner, self._count)
        name = f"flowctl-{os.urandom(8).hex()}"
        ours, theirs = socket.socketpair()
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        passed = -1
        try:
            passed = fcntl.fcntl(theirs, fcntl.F_DUPFD_CLOEXEC, ENGINE + 1)
            argv = (sys.executable, "-I", "-S", "-c", _BOOT, _HOME, journal, self.owner, name)
            descriptors = (null, null, null, passed)
            pid = os.posix_spawn(
                sys.executable,
                argv,
                {name: os.environ[name] for name in _PASSED_ON if name in os.environ},
                file_actions=[(os.POSIX_SPAWN_DUP2, one, number) for number, one in enumerate(descriptors)],
                setsid=True,
                setsigmask=(),
                setsigdef=(signal.SIGPIPE,),
            )
        except OSError:
            ours.close()
            raise
        finally:
            for one in (null, passed):
                if one >= 0:
                    os.close(one)
            theirs.close()
        self._kit.family.started(pid)
        return Link(self._kit, ours, journal, pid=pid)
