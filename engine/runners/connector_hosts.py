"""Attempts that use connectors: sent to a host process, which is started when needed and again when it has died."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from signal import SIGKILL

from engine.attempts import ConnectorWork, Launch
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.runners.attempt import Kit, LocalAttempt
from engine.runners.channel import Channel
from engine.runners.children import Child, Start, kill_trees
from engine.runners.endings import one_line
from engine.runners.outputs import BadOutput, check_whole
from engine.runners.reporting import lost
from engine.runners.trees import MARKER, Tree, own_helper_name, read_process, send_signal

_BOOT = "import sys; sys.path.insert(0, sys.argv[1]); from engine.runners.connector_host import main; main()"
_HOME = str(Path(__file__).parents[2])
_HOST_ENV = ("PATH", "HOME", "LANG", "TZ", "TMPDIR")
_RATE_REFUSED = 429
_HEAR_S = 1.0  # even without a grace: killing the host costs all its other calls


class ConnectorHosts:
    """The hosts of a runner: one for built-in connectors and plug-ins, one for each root with connectors of its own."""

    def __init__(self, kit: Kit, python: str, types: Mapping[str, str]) -> None:
        self._kit = kit
        self._python = python
        self._types = types
        self._hosts: dict[str | None, _Host] = {}  # those that take calls
        self._all: list[_Host] = []
        self._numbers = itertools.count(1)

    def call(self, attempt: ConnectorAttempt, work: ConnectorWork, launch: Launch) -> tuple[_Host, int]:
        """Send a call to its host; raises `OSError` when there is none and none can be started."""
        type_name = self._types.get(work.type, work.type)
        root = os.path.abspath(work.root) if ":" in type_name else None  # noqa: PTH100 - does not look at the disk
        host = self._hosts.get(root)
        if host is None:
            host = self._hosts[root] = _Host(self._kit, self._start(root, launch), self._forget)
            self._all = [*(one for one in self._all if not one.is_over), host]
        number = next(self._numbers)
        request: dict[str, Json] = {
            "type": type_name,
            "action": work.action,
            "config": dict(work.config),
            "arguments": dict(work.arguments),
            "run_dir": launch.files.work,
        }
        host.calls[number] = attempt
        host.channel.send({"id": number, "call": request})
        return host, number

    def trees(self) -> list[Tree]:
        """The processes of all hosts."""
        return [host.tree() for host in self._all if not host.is_over]

    def close(self) -> None:
        """Kill and free all hosts."""
        kill_trees(self._kit.family, self.trees())
        for host in self._all:
            host.close()
        self._hosts.clear()
        self._all.clear()

    def _forget(self, host: _Host) -> None:
        self._hosts = {root: one for root, one in self._hosts.items() if one is not host}

    def _start(self, root: str | None, launch: Launch) -> tuple[Child, socket.socket, str]:
        name = f"{own_helper_name('host')}{id(self):x}.{next(self._numbers)}"
        ours, theirs = socket.socketpair()
        try:
            env = {key: launch.env[key] for key in _HOST_ENV if key in launch.env} | {MARKER: name}
            argv = [self._python, "-P", "-c", _BOOT, _HOME, str(theirs.fileno()), *([root] if root else [])]
            child = Child(self._kit.family, Start(self._python, argv, env, "/", pass_fds=(theirs.fileno(),)))
        except (OSError, ValueError):
            ours.close()
            raise
        finally:
            theirs.close()
        return child, ours, name


class _Host:
    """A host process and the calls it makes."""

    def __init__(self, kit: Kit, started: tuple[Child, socket.socket, str], forget: Callable[[_Host], None]) -> None:
        self.calls: dict[int, ConnectorAttempt] = {}
        self.child, end, self._name = started
        self._kit = kit
        self._forget = forget
        self.channel = Channel(kit.reactor, end, received=self._receive, closed=self.kill)
        kit.reactor.watch(self.child.descriptor, self._see_exit)

    @property
    def is_over(self) -> bool:
        return self.child.descriptor < 0

    def tree(self) -> Tree:
        return Tree(self.child.pid, frozenset({self._name.encode()}))

    def kill(self) -> None:
        self._forget(self)  # the next call starts another
        process = read_process(self.child.pid)
        if process is not None and self.child.peek() is None:
            send_signal(process, SIGKILL)

    def close(self) -> None:
        self.channel.close()
        if self.child.descriptor >= 0:
            self._kit.reactor.unwatch(self.child.descriptor)
            self.child.reap()

    def _receive(self, message: Mapping[str, Json]) -> None:
        number = message.get("id")
        attempt = self.calls.get(number) if isinstance(number, int) else None
        if attempt is None:
            return
        if "log" in message:
            attempt.log(str(message["log"]))
        elif isinstance(number, int):
            del self.calls[number]
            attempt.answered(message)

    def _see_exit(self) -> None:
        if self.child.peek() is None:
            return
        self.channel.read()  # its last words
        self._forget(self)
        if self._kit.family.left_of(self.tree()):
            kill_trees(self._kit.family, [self.tree()])
        self.close()
        calls, self.calls = list(self.calls.values()), {}
        for attempt in calls:
            attempt.host_died()


class ConnectorAttempt(LocalAttempt):
    """One call of a connector."""

    def __init__(
        self, kit: Kit, hosts: ConnectorHosts, launch: Launch, work: ConnectorWork, over: Callable[[], None]
    ) -> None:
        super().__init__(kit, launch, over)
        self._hosts = hosts
        self._work = work
        self._host: _Host | None = None
        self._number = 0
        self._cancel_kills: list[Callable[[], None]] = []

    def stop(self, grace: timedelta) -> None:
        """Cancel the call; a host that has not heard after `grace`, at least a second, is killed and loses its other calls."""
        if self._host is None or self._ended:
            return
        if not self._stopped:
            self._stopped = True
            self._host.channel.send({"id": self._number, "cancel": True})
        self._cancel_kills.append(self._kit.reactor.call_later(max(_HEAR_S, grace.total_seconds()), self._host.kill))

    def discard(self) -> None:
        """Free everything without a report; the host belongs to all."""
        super().discard()
        for cancel in self._cancel_kills:
            cancel()

    def log(self, text: str) -> None:
        """A line for the attempt's log."""
        line = one_line(self._masker.mask_text(text), 2000) + "\n"
        try:
            with open(self._launch.files.log, "ab") as stream:
                stream.write(line.encode("utf-8", "replace"))
        except OSError as error:
            note = f"the log is not complete: {(error.strerror or str(error)).lower()}"
            if note not in self._notes:
                self._notes.append(note)

    def answered(self, message: Mapping[str, Json]) -> None:
        """The call has ended."""
        self._end(Outcome(Ending.STOPPED) if self._stopped else self._outcome(message))

    def host_died(self) -> None:
        """The host is gone, and with it what it knew."""
        self._end(Outcome(Ending.STOPPED) if self._stopped else lost("the process that runs connectors has died"))

    def _start(self) -> None:
        self._host, self._number = self._hosts.call(self, self._work, self._launch)

    def _misfit(self, error: ValueError) -> Failure:
        return Failure("error", f"cannot be called: {error}", name="BadArgument")

    def _outcome(self, message: Mapping[str, Json]) -> Outcome:
        error = message.get("error")
        if isinstance(error, dict):
            return Outcome(Ending.FAILED, _failure(error))
        try:
            return Outcome(Ending.SUCCEEDED, output=check_whole(self._launch, message.get("value")))
        except BadOutput as problem:
            return Outcome(Ending.FAILED, Failure("output", str(problem)))

    def _end(self, outcome: Outcome) -> None:
        if not self._ended:
            self.discard()
            self._report(outcome)


def _failure(error: Mapping[str, Json]) -> Failure:
    status, name, wait = error.get("http_status"), error.get("name"), error.get("retry_after_s")
    return Failure(
        str(error.get("kind")),
        str(error.get("message")),
        http_status=status if isinstance(status, int) else None,
        name=name if isinstance(name, str) else None,
        retry_after_s=float(wait) if isinstance(wait, int | float) else None,
        rate_limited=status == _RATE_REFUSED,
    )
