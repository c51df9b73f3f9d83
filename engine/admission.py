"""Who may start now: queued units in order of urgency, under the caps of the engine, of a run and of a fan-out.

Units are taken by (class, scheduled time, order of queueing, order in the file); lower is more urgent. A candidate that a cap
holds up is parked with that cap and never holds up the next one. Choosing is O(log n) for each start, however many wait.

Invariant: if a cap has room, the most urgent candidate parked with it is in the heap again.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

BACKGROUND = 9
"""The class that starts only when no other work is running or queued."""

UnitKey: TypeAlias = tuple[str, str, int]
"""Run id, task, item; -1 for a task without items."""

Cap: TypeAlias = tuple[str, ...]
"""What may hold a candidate up: `("engine",)`, `("run", id)`, `("task", id, task)`, `("background",)`."""

_ENGINE: Cap = ("engine",)
_QUIET: Cap = ("background",)


class Candidate(Struct, frozen=True, order=True):
    """A queued unit, ordered as units are taken.

    Attributes:
        holds_slot: it takes a slot of the engine while an attempt runs (processes do, sub-flows do not).
        run_slots: it takes one of so many slots of its run; `None` for what takes none, such as a service.
        max_parallel: the cap of its fan-out, `None` without one.
    """

    priority: int
    scheduled_at: datetime
    order: int
    position: int
    item: int
    run_id: str
    task: str
    holds_slot: bool = True
    run_slots: int | None = None
    max_parallel: int | None = None

    @property
    def key(self) -> UnitKey:
        """Names the unit."""
        return (self.run_id, self.task, self.item)


class Admission:
    """Chooses what starts. Everything it knows follows from what it is told, so it can be rebuilt from runs alone."""

    def __init__(self, *, slots: int) -> None:
        self._limits: dict[Cap, int] = {_ENGINE: slots}
        self._used: dict[Cap, int] = {}
        self._heap: list[Candidate] = []
        self._parked: dict[Cap, list[Candidate]] = {}
        self._waiting: dict[UnitKey, Candidate] = {}
        self._running: dict[UnitKey, Candidate] = {}
        self._normal = 0

    def offer(self, candidate: Candidate) -> None:
        """A unit has been queued."""
        self.withdraw(candidate.key)
        self._waiting[candidate.key] = candidate
        self._normal += candidate.priority != BACKGROUND
        heapq.heappush(self._heap, candidate)

    def withdraw(self, key: UnitKey) -> None:
        """A unit that was queued is not any more, and has not started. Unknown units are ignored."""
        candidate = self._waiting.pop(key, None)
        if candidate is not None:
            self._end_normal(candidate)

    def release(self, key: UnitKey) -> None:
        """The attempt of a unit is over: its slots are free. Unknown units are ignored."""
        candidate = self._running.pop(key, None)
        if candidate is None:
            return
        for cap in self._caps(candidate):
            self._used[cap] -= 1
            if not self._used[cap]:
                del self._used[cap]
            self._wake(cap)
            if cap != _ENGINE and cap not in self._used and cap not in self._parked:
                del self._limits[cap]
        if candidate.holds_slot:
            self._end_normal(candidate)

    def take(self) -> Iterator[Candidate]:
        """Units that may start now, most urgent first; each holds its slots from the moment it is yielded."""
        while self._heap:
            candidate = heapq.heappop(self._heap)
            if self._waiting.get(candidate.key) is not candidate:
                self._rewake(candidate)
                continue
            full = self._full(candidate)
            if full is not None:
                heapq.heappush(self._parked.setdefault(full, []), candidate)
                self._rewake(candidate, but=full)
                continue
            del self._waiting[candidate.key]
            self._running[candidate.key] = candidate
            for cap in self._caps(candidate):
                self._used[cap] = self._used.get(cap, 0) + 1
            if not candidate.holds_slot:  # a sub-flow does no work itself: background tasks in it must not wait for it
                self._end_normal(candidate)
            self._rewake(candidate)
            yield candidate

    def is_queued(self, key: UnitKey) -> bool:
        """Whether the unit waits here."""
        return key in self._waiting

    def queued_of(self, run_id: str, tasks: frozenset[str]) -> list[UnitKey]:
        """The queued units of some tasks of a run."""
        return [key for key in self._waiting if key[0] == run_id and key[1] in tasks]

    @property
    def running(self) -> int:
        """How many units hold slots or run as sub-flows."""
        return len(self._running)

    @property
    def waiting(self) -> int:
        """How many units are queued."""
        return len(self._waiting)

    def _caps(self, candidate: Candidate) -> list[Cap]:
        """The caps a candidate counts against, and their limits noted."""
        caps: list[Cap] = []
        if candidate.max_parallel is not None:
            cap: Cap = ("task", candidate.run_id, candidate.task)
            self._limits[cap] = candidate.max_parallel
            caps.append(cap)
        if candidate.run_slots is not None:
            cap = ("run", candidate.run_id)
            self._limits[cap] = candidate.run_slots
            caps.append(cap)
        if candidate.holds_slot:
            caps.append(_ENGINE)
        return caps

    def _full(self, candidate: Candidate) -> Cap | None:
        if candidate.priority == BACKGROUND and self._normal:
            return _QUIET
        return next((cap for cap in self._caps(candidate) if not self._has_room(cap)), None)

    def _has_room(self, cap: Cap) -> bool:
        if cap == _QUIET:
            return not self._normal
        return self._used.get(cap, 0) < self._limits[cap]

    def _end_normal(self, candidate: Candidate) -> None:
        if candidate.priority != BACKGROUND:
            self._normal -= 1
            if not self._normal:
                self._wake(_QUIET)

    def _rewake(self, candidate: Candidate, *, but: Cap | None = None) -> None:
        """`candidate` left the heap without using up the room of its caps: let the next one parked there try."""
        for cap in self._caps(candidate):
            if cap != but:
                self._wake(cap)
        if candidate.priority == BACKGROUND and but != _QUIET:
            self._wake(_QUIET)

    def _wake(self, cap: Cap) -> None:
        parked = self._parked.get(cap)
        while parked and self._has_room(cap):
            candidate = heapq.heappop(parked)
            if self._waiting.get(candidate.key) is candidate:
                heapq.heappush(self._heap, candidate)
                break
        if not parked:
            self._parked.pop(cap, None)
