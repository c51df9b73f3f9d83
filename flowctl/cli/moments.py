"""Instants and lengths of time in tables."""

from __future__ import annotations

from datetime import UTC, datetime

from flowctl.terminal.board import human_seconds

NONE = "-"


def moment(at: datetime | None) -> str:
    """An instant to the second, in UTC, as `--since` reads it; `-` for none."""
    return NONE if at is None else at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def length_of(start: datetime | None, end: datetime | None) -> str:
    """The time between two instants, `-` if one is missing."""
    return NONE if start is None or end is None else human_seconds(max((end - start).total_seconds(), 0.0))
