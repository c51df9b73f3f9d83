"""Attempts on this machine: scripts and commands as processes, callables in warm workers, connectors in one host."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.attempts import AttemptKey, CallWork, CommandWork, ConnectorWork, Launch, Reactor, ScriptWork
from engine.runners.attempt import Kit, LocalAttempt
from engine.runners.processes import ProcessAttempt
from engine.runners.reporting import Reporter
from engine.runners.spawners import Spawners
from engine.runners.trees import Family, Tree

if TYPE_CHECKING:
    from engine.runners.connector_hosts import ConnectorHosts
    from engine.runners.recovery import Recovery
    from engine.runners.workers import CallPool


class LocalRunner:
    """A `Runner` for this machine. Makes the engine the reaper of its descendants' orphans.

    `owner` is what the engine calls itself, as in `RunRow.owner`; in the folder `journals` its spawner writes down what it
    does. `python` is the interpreter of workers and connector hosts; `connector_types` maps names of connector types given
    by the project to `package.module:Class`.
    """

    def __init__(
        self,
        reactor: Reactor,
        *,
        journals: str,
        owner: str,
        python: str = sys.executable,
        connector_types: Mapping[str, str] | None = None,
    ) -> None:
        self._kit = Kit(reactor, Family(reactor.call_later), Reporter(reactor))
        self._spawners = Spawners(self._kit, journals, owner)
        self._python = python
        self._connector_types = connector_types or {}
        self._calls: CallPool | None = None
        self._connectors: ConnectorHosts | None = None
        self._recoveries: list[Recovery] = []
        self._attempts: dict[AttemptKey, LocalAttempt] = {}
        self._closed = False

    def warm_up(self) -> None:
        """Start the spawner now, so that it is there when the first attempt is. Raises `OSError`."""
        self._spawners.own()

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

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:
        """Take over attempts of a dead engine; each is reported once."""
        from engine.runners.recovery import Recovery

        attempts = [ProcessAttempt(self._kit, self._spawners, launch, self._forget(launch.key)) for launch in launches]
        for launch, attempt in zip(launches, attempts, strict=True):
            self._attempts[launch.key] = attempt
        recovery = Recovery(self._kit, self._spawners, origin, attempts)
        self._recoveries.append(recovery)
        recovery.begin()

    def leave(self) -> None:
        """Free all resources; processes run on for an engine that recovers them. Python calls and connectors end."""
        self._close(keep=True)

    def close(self) -> None:
        """Kill whatever is left, without reports, and free all resources. Blocks for some seconds at most."""
        self._close(keep=False)

    def _close(self, *, keep: bool) -> None:
        if self._closed:
            return
        self._closed = True
        attempts = list(self._attempts.values())
        self._attempts.clear()
        trees: list[Tree] = [tree for attempt in attempts for tree in attempt.trees()]
        trees.extend(self._spawners.close(keep=keep))
        helpers = [helper for helper in (self._calls, self._connectors) if helper is not None]
        for helper in helpers:
            trees.extend(helper.trees())
        if trees:
            from engine.runners.children import kill_trees

            kill_trees(self._kit.family, trees)
        for attempt in attempts:
            attempt.discard()
        for helper in helpers:
            helper.close()
        self._kit.reporter.close()
        for recovery in () if keep else self._recoveries:
            recovery.close()
        self._kit.family.close()

    def _make(self, launch: Launch) -> LocalAttempt:
        over = self._forget(launch.key)
        match launch.work:
            case ScriptWork() | CommandWork():
                return ProcessAttempt(self._kit, self._spawners, launch, over)
            case CallWork() as work:
                from engine.runners.calls import CallAttempt
                from engine.runners.workers import CallPool

                self._calls = self._calls or CallPool(self._kit, self._python)
                return CallAttempt(self._kit, self._calls, launch, work, over)
            case ConnectorWork() as work:
                from engine.runners.connector_hosts import ConnectorAttempt, ConnectorHosts

                self._connectors = self._connectors or ConnectorHosts(self._kit, self._python, self._connector_types)
                return ConnectorAttempt(self._kit, self._connectors, launch, work, over)

    def _forget(self, key: AttemptKey) -> Callable[[], None]:
        return lambda: _discard(self._attempts, key)


def _discard(attempts: dict[AttemptKey, LocalAttempt], key: AttemptKey) -> None:
    attempts.pop(key, None)
