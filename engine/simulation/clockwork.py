"""Time that passes only when nothing else can happen: a clock, and the waiter that moves it to what comes next."""

from __future__ import annotations

import heapq
import itertools
from datetime import datetime, timedelta

from engine.attempts import Report


class StuckError(Exception):
    """A run has not ended and nothing will ever happen to it: a defect of the engine, never of a flow."""


class VirtualClock:
    """A `Clock` that stands still until it is moved."""

    def __init__(self, at: datetime) -> None:
        self._now = at

    def now(self) -> datetime:
        """The instant it stands at."""
        return self._now

    def move_to(self, at: datetime) -> None:
        """Let time pass up to `at`; it never goes back."""
        self._now = max(self._now, at)


class Clockwork:
    """A `Waiter` that holds reports until their time and, instead of waiting, moves the clock.

    Reports of one instant are handed over together, in the order in which they were posted. A report about an attempt
    that has ended otherwise in the meantime need not be taken back: the engine drops it.
    """

    def __init__(self, clock: VirtualClock) -> None:
        self._clock = clock
        self._order = itertools.count()
        self._due: list[tuple[datetime, int, Report]] = []

    def post(self, report: Report) -> None:
        """Hand in a report for the next turn."""
        self.post_at(self._clock.now(), report)

    def post_at(self, at: datetime, report: Report) -> None:
        """Hand in a report for the instant `at`."""
        heapq.heappush(self._due, (at, next(self._order), report))

    def wake(self) -> None:
        """Nothing: nobody sleeps here."""

    def wait(self, timeout_s: float | None) -> list[Report]:
        """The reports of the next instant at which there are any; none if `timeout_s` passes before that.

        Raises:
            StuckError: there is no report, and the wait has no end.
        """
        limit = None if timeout_s is None else self._clock.now() + timedelta(seconds=timeout_s)
        due = self._due[0][0] if self._due else None
        if due is None and limit is None:
            raise StuckError("the run has not ended and nothing is due")
        if due is None or (limit is not None and limit < due):
            self._clock.move_to(limit or self._clock.now())
            return []
        self._clock.move_to(due)
        reports = []
        while self._due and self._due[0][0] <= due:
            reports.append(heapq.heappop(self._due)[2])
        return reports
