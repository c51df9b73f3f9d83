"""Warm worker processes for Python callables.

A worker makes one call at a time. It is used again for calls with the same root, folder and environment (but for the
attempt's own variables), because modules may have read those when they were imported.
"""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from signal import SIGKILL

from msgspec import Struct

from engine.attempts import CallWork
from engine.outcomes import Json
from engine.runners.attempt import Kit
from engine.runners.channel import Channel
from engine.runners.children import Child, Start, kill_trees
from engine.runners.spare_logs import SpareLogs
from engine.runners.trees import MARKER, Tree, own_helper_name, read_process, send_signal
from engine.spawner.slots import Slots

_SCRIPT = Path(__file__).with_name("call_worker.py")
_IDLE = 8
_DEAF_S = 1.0
_OWN_NAMES = ("FLOW_", "TRACEPARENT")


class WorkerKey(Struct, frozen=True):
    """What a worker must have in common with a call."""

    root: str
    workdir: str
    env: frozenset[tuple[str, str]]

    @classmethod
    def of(cls, work: CallWork, *, workdir: str, env: Mapping[str, str]) -> WorkerKey:
        """The key of a call; variables that differ with every attempt do not count."""
        shared = frozenset(pair for pair in env.items() if not pair[0].startswith(_OWN_NAMES))
        return cls(os.path.abspath(work.root), workdir, shared)  # noqa: PTH100 - does not look at the disk


class Worker:
    """A worker process. Whoever has it sets `received` and `died`."""

    def __init__(self, kit: Kit, python: str, key: WorkerKey, name: str) -> None:
        self.key = key
        self.name = name
        self.received: Callable[[Mapping[str, Json]], None] | None = None
        self.died: Callable[[], None] | None = None
        self.is_deaf = False
        self._kit = kit
        self._cancel_deaf: Callable[[], None] | None = None
        ours, theirs = socket.socketpair()
        try:
            argv = (python, "-P", str(_SCRIPT), str(theirs.fileno()), key.root)
            env = {**dict(key.env), MARKER: name}
            self.child = Child(kit.family, Start(python, argv, env, "/", pass_fds=(theirs.fileno(),)))
        except (OSError, ValueError):
            ours.close()
            raise
        finally:
            theirs.close()
        self.channel = Channel(kit.reactor, ours, received=self._receive, closed=self._lose)
        kit.reactor.watch(self.child.descriptor, self._see_exit)

    def close(self) -> None:
        """Free everything; the process has been killed or reaped."""
        if self._cancel_deaf is not None:
            self._cancel_deaf()
        self.channel.close()
        if self.child.descriptor >= 0:
            self._kit.reactor.unwatch(self.child.descriptor)
            self.child.reap()

    def _receive(self, message: Mapping[str, Json]) -> None:
        if self.received is not None:
            self.received(message)

    def _see_exit(self) -> None:
        if self.child.peek() is None:
            return
        self._kit.reactor.unwatch(self.child.descriptor)
        self.channel.read()  # its last words
        if self.died is not None:
            self.died()

    def _lose(self) -> None:
        # As a rule it is about to end; a callable that has closed all descriptors would go on unheard.
        self._cancel_deaf = self._kit.reactor.call_later(_DEAF_S, self._kill_deaf)

    def _kill_deaf(self) -> None:
        process = read_process(self.child.pid)
        if process is not None and self.child.peek() is None:
            self.is_deaf = True
            send_signal(process, SIGKILL)


class CallPool:
    """The workers of a runner: those that make a call, and a few idle ones; the folders for their temporary files,
    and logs that nothing was written to."""

    def __init__(self, kit: Kit, python: str) -> None:
        self._kit = kit
        self._python = python
        self._workers: set[Worker] = set()
        self._idle: list[Worker] = []
        self._name = f"{own_helper_name('worker')}{id(self):x}."
        self._numbers = itertools.count(1)
        self.slots = Slots()
        self.logs = SpareLogs()

    def take(self, key: WorkerKey) -> Worker:
        """A worker for one call. Raises `OSError` or `ValueError` when none can be started."""
        for index in range(len(self._idle) - 1, -1, -1):
            if self._idle[index].key == key:
                return self._idle.pop(index)
        worker = Worker(self._kit, self._python, key, f"{self._name}{next(self._numbers)}")
        self._workers.add(worker)
        return worker

    def give_back(self, worker: Worker) -> None:
        """The call is over and nothing of it is left in the worker."""
        worker.received = None
        worker.died = lambda: self.remove(worker)
        self._idle.append(worker)
        if len(self._idle) > _IDLE:
            self.end(self._idle[0])

    def remove(self, worker: Worker) -> None:
        """The worker has ended."""
        self._workers.discard(worker)
        if worker in self._idle:
            self._idle.remove(worker)
        worker.close()

    def end(self, worker: Worker) -> None:
        """Kill a worker that makes no call; it is removed when it has ended."""
        if worker in self._idle:
            self._idle.remove(worker)
        worker.received = None
        worker.died = lambda: self.remove(worker)
        process = read_process(worker.child.pid)
        if process is not None:
            send_signal(process, SIGKILL)

    def trees(self) -> list[Tree]:
        """The processes of all workers."""
        return [Tree(worker.child.pid, frozenset({worker.name.encode()})) for worker in self._workers]

    def close(self) -> None:
        """Kill and free all workers."""
        kill_trees(self._kit.family, self.trees())
        for worker in list(self._workers):
            self.remove(worker)
        self.logs.close()
