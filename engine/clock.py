"""The one place that asks the system for the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""


class SystemClock:
    """The system's own clock, which may be set at any time."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""
        return datetime.now(UTC)


class SteadyClock:
    """The system's time when this clock was made, and what has passed since, sleep of the machine included.

    Runs are timed by it: setting the system's clock ends no attempt early, holds up no retry and makes no duration negative.
    """

    def __init__(self) -> None:
        self._since = time.clock_gettime(time.CLOCK_BOOTTIME)
        self._at = datetime.now(UTC)

    def now(self) -> datetime:
        """The instant, aware and in UTC."""
        return self._at + timedelta(seconds=time.clock_gettime(time.CLOCK_BOOTTIME) - self._since)
