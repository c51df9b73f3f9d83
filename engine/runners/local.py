"""Attempts on this machine: scripts and commands as processes, callables in warm workers, connectors in one host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Protocol

from engine.attempts import AttemptKey, CallWork, CommandWork, ConnectorWork, Launch, Reactor, ScriptWork
from engine.runners.calls import CallAttempt
from engine.runners.children import kill_trees
from engine.runners.connector_hosts import ConnectorAttempt, ConnectorHosts
from engine.runners.processes import Kit, ProcessAttempt
from engine.runners.reporting import Reporter
from engine.runners.trees import Family, Tree
from engine.runners.workers import CallPool


class _Attempt(Protocol):
    def start(self) -> None: ...
    def stop(self, grace: timedelta) -> None: ...
    def trees(self) -> list[Tree]: ...
    def discard(self) -> None: ...


class LocalRunner:
    """A `Runner` for this machine. Makes the engine the reaper of its descendants' orphans.

    `python` is the interpreter of workers and connector hosts; `connector_types` maps names of connector types given
    by the project to `package.module:Class`.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        python: str = sys.executable,
        connector_types: Mapping[str, str] | None = None,
    ) -> None:
        self._kit = Kit(reactor, Family(reactor.call_later), Reporter(reactor))
        self._calls = CallPool(self._kit, python)
        self._connectors = ConnectorHosts(self._kit, python, connector_types or {})
        self._attempts: dict[AttemptKey, _Attempt] = {}
        self._closed = False

    def start(self, launch: Launch) -> None:
        """Begin the attempt; whatever goes wrong is reported as its end."""
        attempt = self._make(launch)
        self._attempts[launch.key] = attempt
        attempt.start()

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:
        """End the attempt's whole tree; a second call with a shorter grace hurries, unknown keys are ignored."""
        attempt = self._attempts.get(key)
        if attempt is not None:
            attempt.stop(grace)

    def close(self) -> None:
        """Kill whatever is left, without reports, and free all resources. Blocks for some seconds at most."""
        if self._closed:
            return
        self._closed = True
        attempts = list(self._attempts.values())
        self._attempts.clear()
        trees = [tree for attempt in attempts for tree in attempt.trees()]
        kill_trees(self._kit.family, [*trees, *self._calls.trees(), *self._connectors.trees()])
        for attempt in attempts:
            attempt.discard()
        self._calls.close()
        self._connectors.close()
        self._kit.reporter.close()
        self._kit.family.close()

    def _make(self, launch: Launch) -> _Attempt:
        over = self._forget(launch.key)
        match launch.work:
            case ScriptWork() | CommandWork():
                return ProcessAttempt(self._kit, launch, over)
            case CallWork() as work:
                return CallAttempt(self._kit, self._calls, launch, work, over)
            case ConnectorWork() as work:
                return ConnectorAttempt(self._kit, self._connectors, launch, work, over)

    def _forget(self, key: AttemptKey) -> Callable[[], None]:
        return lambda: _discard(self._attempts, key)


def _discard(attempts: dict[AttemptKey, _Attempt], key: AttemptKey) -> None:
    attempts.pop(key, None)
