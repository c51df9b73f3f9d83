"""Taking over the attempts of an engine that is dead: told their ends, adopted, or ended and lost.

What that engine's spawner still runs is claimed from it. What it does not run is looked up in its journal, and what no
journal knows the end of is ended, found by its marker.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Sequence
from signal import SIGKILL

from engine.attempts import CommandWork, ScriptWork
from engine.identity import boot_id
from engine.runners import journals
from engine.runners.attempt import Kit
from engine.runners.journals import Journal
from engine.runners.links import Link, tree_of
from engine.runners.processes import ProcessAttempt
from engine.runners.spawners import Spawners
from engine.runners.trees import find_marked, helper_name, read_process, send_signal

_DIED = "the engine and the process that started it were killed, and nobody knows how it ended"
_NEVER = "the engine died before it was started, or what started it left no record"
_REBOOTED = "the machine was started anew while it ran"
_HELPER = "the engine that made this call has died"
_DURABLE_S = 1.0
_KEPT_S = 30 * 86_400.0


class Recovery:
    """Attempts of one dead engine that are being taken over together."""

    def __init__(self, kit: Kit, spawners: Spawners, origin: str, attempts: Sequence[ProcessAttempt]) -> None:
        self._kit = kit
        self._spawners = spawners
        self._origin = origin
        self._attempts = {attempt.marker: attempt for attempt in attempts}
        self._journals: list[Journal] = []
        self._link: Link | None = None
        self._unknown: list[ProcessAttempt] = []
        self._waited_for: set[str] = set()
        self._posted: set[str] = set()

    def begin(self) -> None:
        """See to it that each attempt is reported."""
        with contextlib.suppress(OSError):  # then he who takes over from us may have to lose them
            journals.follow(self._spawners.folder, self._spawners.owner, self._origin)
        journals.sweep(self._spawners.folder, before=time.time() - _KEPT_S)
        self._read()
        processes = [one for one in self._attempts.values() if isinstance(one.work, ScriptWork | CommandWork)]
        self._lose_calls([one for one in self._attempts.values() if not isinstance(one.work, ScriptWork | CommandWork)])
        if not processes:
            return
        self._link = next(filter(None, map(self._spawners.join, self._journals)), None)
        if self._link is None:
            self._find(processes)
        else:
            self._link.claim(processes, unknown=self._seek)

    def settle(self) -> None:
        """What has been posted is durable: nobody will ask the journals of dead spawners for it again."""
        posted, self._posted = self._posted, set()
        for journal in self._journals:
            if posted & journal.open_attempts:
                journals.settle(journal, posted)
        self._waited_for -= posted

    def close(self) -> None:
        """All that could be done is done."""
        self.settle()
        for engine in (self._origin, self._spawners.owner):
            journals.tidy(self._spawners.folder, engine)

    def _read(self) -> None:
        paths = journals.journals_of(self._spawners.folder, self._origin)
        self._journals = [journals.read_journal(path) for path in paths]

    def _seek(self, marker: str) -> None:
        """The spawner does not run it: once all its answers are here, look into the journals."""
        if not self._unknown:
            self._kit.reactor.call_later(0, self._find_unknown)
        self._unknown.append(self._attempts[marker])

    def _find_unknown(self) -> None:
        unknown, self._unknown = self._unknown, []
        self._read()  # the spawner had written down every end before it answered
        self._find(unknown)

    def _find(self, attempts: Sequence[ProcessAttempt]) -> None:
        by_marker = {attempt.marker.encode(): attempt for attempt in attempts}
        alive = {marker for marker, _ in find_marked(by_marker.__contains__)}
        for marker, attempt in by_marker.items():
            journal = next((one for one in self._journals if attempt.marker in one.open_attempts), None)
            if journal is None:
                tree = tree_of(attempt.marker, None, is_foreign=True) if marker in alive else None
                attempt.found(None, None, tree, _NEVER)
            else:
                self._recover(attempt, journal, is_alive=marker in alive)

    def _recover(self, attempt: ProcessAttempt, journal: Journal, *, is_alive: bool) -> None:
        same_boot = journal.head is not None and journal.head.boot == boot_id()
        start = journal.starts.get(attempt.marker) if same_boot else None
        rest = tree_of(attempt.marker, start, is_foreign=True)
        tree = rest if is_alive or rest.leader > 0 else None
        then = self._when_posted(attempt.marker, journal)
        attempt.found(
            journal.ends.get(attempt.marker),
            journal.starts.get(attempt.marker),
            tree,
            _DIED if same_boot else _REBOOTED,
            then=then,
        )

    def _when_posted(self, marker: str, journal: Journal) -> Callable[[], None]:
        link = self._link
        if link is not None and link.is_open and link.journal == journal.path:
            return lambda: link.settle(marker)
        if not self._waited_for:
            self._kit.reactor.call_later(_DURABLE_S, self._settle_in_time)
        self._waited_for.add(marker)
        return lambda: self._posted.add(marker)

    def _settle_in_time(self) -> None:
        self.settle()
        if self._waited_for:
            self._kit.reactor.call_later(_DURABLE_S, self._settle_in_time)

    # --- calls ----------------------------------------------------------------------------------------------------------

    def _lose_calls(self, attempts: Sequence[ProcessAttempt]) -> None:
        """Helper processes end with their engine, those that are in the middle of a call are ended."""
        if not attempts:
            return
        by_marker = {attempt.marker.encode(): attempt for attempt in attempts}
        helpers = _helper_prefixes(self._origin)
        found = find_marked(lambda marker: marker in by_marker or marker.startswith(helpers))
        for marker, process in found:
            if marker not in by_marker:
                send_signal(process, SIGKILL)
        alive = {marker for marker, _ in found}
        for marker, attempt in by_marker.items():
            tree = tree_of(attempt.marker, None, is_foreign=True) if marker in alive else None
            attempt.found(None, None, tree, _HELPER)


def _helper_prefixes(origin: str) -> tuple[bytes, ...]:
    """How the names of an engine's helper processes begin; none while it may live."""
    parts = origin.split("/")
    if len(parts) < 4 or not (parts[2].isdecimal() and parts[3].isdecimal()):
        return ()
    pid, at = int(parts[2]), int(parts[3])
    process = read_process(pid)
    if parts[1] != boot_id() or (process is not None and process.started == at and process.is_alive):
        return ()
    return tuple(helper_name(kind, pid, at).encode() for kind in ("worker", "host"))
