"""The one place that asks the system for the time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""


class SystemClock:
    """The system's own clock."""

    def now(self) -> datetime:
        """The instant, aware and in UTC."""
        return datetime.now(UTC)
