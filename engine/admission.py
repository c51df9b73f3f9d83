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

from msgspec import Struct, field

BACKGROUND = 9
"""The class that starts only when no other work is running or queued."""

UnitKey: TypeAlias = tuple[str, str, int]
"""Run id, task, item; -1 for a task without items."""

CapName: TypeAlias = tuple[str, str]
"""What is capped: `("run id", "")`, or `("run id", "task")` for a fan-out."""


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


class _Cap(Struct, eq=False):
    """What may hold candidates up: `used` of `limit` places are taken, `holders` wait or run that count against it."""

    name: CapName | None
    limit: int
    used: int = 0
    holders: int = 0
    parked: list[_Place] = field(default_factory=list)


class _Entry(Struct, eq=False):
    """A candidate in hand, and the caps it counts against."""

    candidate: Candidate
    caps: tuple[_Cap, ...]


_Place: TypeAlias = tuple[int, datetime, int, int, int, str, str, int, _Entry]
"""Where an entry stands: its order as `Candidate` has it, and a number that no other has."""


class Admission:
    """Chooses what starts. Everything it knows follows from what it is told, so it can be rebuilt from runs alone."""

    def __init__(self, *, slots: int) -> None:
        self._engine = _Cap(None, slots)
        self._quiet = _Cap(None, 0)  # what background work waits for: it has room when nothing else is going on
        self._caps: dict[CapName, _Cap] = {}
        self._heap: list[_Place] = []
        self._waiting: dict[UnitKey, _Entry] = {}
        self._running: dict[UnitKey, _Entry] = {}
        self._normal = 0
        self._offered = 0

    def offer(self, candidate: Candidate) -> None:
        """A unit has been queued."""
        c = candidate
        key = c.key
        if key in self._waiting:
            self.withdraw(key)
        entry = _Entry(c, self._caps_of(c))
        self._waiting[key] = entry
        if c.priority != BACKGROUND:
            self._normal += 1
        self._offered += 1
        place = (c.priority, c.scheduled_at, c.order, c.position, c.item, c.run_id, c.task, self._offered, entry)
        heapq.heappush(self._heap, place)

    def hold(self, candidate: Candidate) -> None:
        """A unit runs already, as one does that was started by another engine: it takes its slots, even above a cap."""
        entry = _Entry(candidate, self._caps_of(candidate))
        self._running[candidate.key] = entry
        if candidate.holds_slot:
            self._normal += candidate.priority != BACKGROUND
        for cap in entry.caps:
            cap.used += 1

    def forget(self, run_id: str) -> None:
        """Nothing of a run waits or runs here any more."""
        for key in [key for key in self._waiting if key[0] == run_id]:
            self.withdraw(key)
        for key in [key for key in self._running if key[0] == run_id]:
            self.release(key)

    def withdraw(self, key: UnitKey) -> None:
        """A unit that was queued is not any more, and has not started. Unknown units are ignored."""
        entry = self._waiting.pop(key, None)
        if entry is not None:
            self._let_go(entry)
            self._end_normal(entry.candidate)

    def release(self, key: UnitKey) -> None:
        """The attempt of a unit is over: its slots are free. Unknown units are ignored."""
        entry = self._running.pop(key, None)
        if entry is None:
            return
        for cap in entry.caps:
            cap.used -= 1
            if cap.parked:
                self._wake(cap)
        self._let_go(entry)
        if entry.candidate.holds_slot:
            self._end_normal(entry.candidate)

    def take(self) -> Iterator[Candidate]:
        """Units that may start now, most urgent first; each holds its slots from the moment it is yielded."""
        while (candidate := self.take_one()) is not None:
            yield candidate

    def take_one(self) -> Candidate | None:
        """The most urgent unit that may start now, which holds its slots from now on; `None` when there is none."""
        heap, waiting = self._heap, self._waiting
        while heap:
            place = heapq.heappop(heap)
            entry = place[-1]
            candidate = entry.candidate
            key = candidate.key
            if waiting.get(key) is not entry:
                self._rewake(entry)
                continue
            full = self._full(entry)
            if full is not None:
                heapq.heappush(full.parked, place)
                self._rewake(entry, but=full)
                continue
            del waiting[key]
            self._running[key] = entry
            for cap in entry.caps:
                cap.used += 1
            if not candidate.holds_slot:  # a sub-flow does no work itself: background tasks in it must not wait for it
                self._end_normal(candidate)
            self._rewake(entry)
            return candidate
        return None

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

    def _caps_of(self, candidate: Candidate) -> tuple[_Cap, ...]:
        """The caps a candidate counts against, those of its fan-out first."""
        caps = (self._engine,) if candidate.holds_slot else ()
        if candidate.run_slots is not None:
            caps = (self._hold((candidate.run_id, ""), candidate.run_slots), *caps)
        if candidate.max_parallel is not None:
            caps = (self._hold((candidate.run_id, candidate.task), candidate.max_parallel), *caps)
        return caps

    def _hold(self, name: CapName, limit: int) -> _Cap:
        cap = self._caps.get(name)
        if cap is None:
            cap = self._caps[name] = _Cap(name, limit)
        cap.limit = limit
        cap.holders += 1
        return cap

    def _let_go(self, entry: _Entry) -> None:
        """An entry neither waits nor runs any more: forget the caps that nobody else counts against."""
        for cap in entry.caps:
            if cap.name is not None:
                cap.holders -= 1
                if not cap.holders:
                    del self._caps[cap.name]

    def _full(self, entry: _Entry) -> _Cap | None:
        if entry.candidate.priority == BACKGROUND and self._normal:
            return self._quiet
        for cap in entry.caps:
            if cap.used >= cap.limit:
                return cap
        return None

    def _has_room(self, cap: _Cap) -> bool:
        return not self._normal if cap is self._quiet else cap.used < cap.limit

    def _end_normal(self, candidate: Candidate) -> None:
        if candidate.priority != BACKGROUND:
            self._normal -= 1
            if not self._normal:
                self._wake(self._quiet)

    def _rewake(self, entry: _Entry, *, but: _Cap | None = None) -> None:
        """An entry left the heap without using up the room of its caps: let the next one parked there try."""
        for cap in entry.caps:
            if cap.parked and cap is not but:
                self._wake(cap)
        if entry.candidate.priority == BACKGROUND and but is not self._quiet:
            self._wake(self._quiet)

    def _wake(self, cap: _Cap) -> None:
        while cap.parked and self._has_room(cap):
            place = heapq.heappop(cap.parked)
            entry = place[-1]
            if self._waiting.get(entry.candidate.key) is entry:
                heapq.heappush(self._heap, place)
                return
