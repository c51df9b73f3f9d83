"""Waiting for a store that is away, while processes are reaped and their reports gathered: nothing is decided meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING

from engine.attempts import Report
from engine.errors import StoreUnavailable
from engine.retry import Random

if TYPE_CHECKING:
    from engine.effects import Waiter

_FIRST_PAUSE_S = 0.1
_LONGEST_PAUSE_S = 5.0


class Outages:
    """How an engine bears that its store is away (`engine.store.port.Patience`): it tries again, more and more rarely.

    What comes from the runner is handed in again when the store is back, so the loop finds it as if it had just come.
    """

    def __init__(
        self,
        waiter: Waiter,
        *,
        patience: timedelta,
        random: Random,
        tell: Callable[[str], None],
        is_hopeless: Callable[[], bool],
        elapsed: Callable[[], float] = monotonic,
    ) -> None:
        """`tell` is given a line at the beginning and at the end of each outage; once `is_hopeless`, nobody waits any more;
        `elapsed` are seconds that only grow."""
        self._waiter = waiter
        self._patience = patience
        self._random = random
        self._tell = tell
        self._elapsed = elapsed
        self._began: float | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._kept: list[Report] = []
        self._is_hopeless = is_hopeless

    def pause(self, error: StoreUnavailable) -> None:
        """Wait before the next try. Raises `error` where there is to be none: it does not pass, or has lasted too long."""
        if not error.transient:
            self._end()
            raise error
        now = self._elapsed()
        if self._began is None:
            self._began = now
            self._tell(f"{error}; waiting for it")
        left_s = self._began + self._patience.total_seconds() - now
        if left_s <= 0 or self._is_hopeless():
            self._end()
            raise error
        self._gather(until=now + min(self._pause_s * (1 + self._random()) / 2, left_s))
        self._pause_s = min(self._pause_s * 2, _LONGEST_PAUSE_S)

    def over(self) -> None:
        """The store has answered."""
        if self._began is not None:
            self._tell(f"the store is back after {self._elapsed() - self._began:.1f} s")
            self._end()

    def _gather(self, *, until: float) -> None:
        while (left_s := until - self._elapsed()) > 0 and not self._is_hopeless():
            self._kept += self._waiter.wait(left_s)

    def _end(self) -> None:
        self._began, self._pause_s = None, _FIRST_PAUSE_S
        kept, self._kept = self._kept, []
        for report in kept:
            self._waiter.post(report)
