"""Dates and datetimes in expressions: read from RFC 3339 text, always aware, moved by a duration."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta

from specs.expressions.errors import EvaluationError
from specs.quantities import parse_duration

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})", re.ASCII)


def read_date(text: str) -> date:
    """The date written `2026-01-31`; of a datetime, its date where it stands.

    Raises:
        EvaluationError: when the text is neither.
    """
    if _DATETIME.fullmatch(text):
        return read_datetime(text).date()
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text)
    except ValueError:
        pass  # the 30th of February
    raise EvaluationError(f"`{shown(text)}` is not a date such as `2026-01-31`")


def read_datetime(text: str) -> datetime:
    """The instant written in RFC 3339, its offset kept; of a date, midnight in UTC.

    Raises:
        EvaluationError: when the text is neither.
    """
    try:
        if _DATETIME.fullmatch(text):
            return datetime.fromisoformat(text.upper().replace(" ", "T"))
        if _DATE.fullmatch(text):
            return midnight(date.fromisoformat(text))
    except ValueError:
        pass  # an hour 25
    raise EvaluationError(f"`{shown(text)}` is not an instant such as `2026-01-31T08:00:00Z`")


def midnight(day: date) -> datetime:
    """The start of a day in UTC."""
    return datetime.combine(day, time(), UTC)


def read_shift(text: str) -> timedelta:
    """A duration that may be negative: `-1d`, `90m`.

    Raises:
        EvaluationError: when the text is none.
    """
    duration = parse_duration(text.removeprefix("-").removeprefix("+"))
    if duration is None:
        raise EvaluationError(f"`{shown(text)}` is not a duration such as `-1d` or `90m`")
    return -duration if text.startswith("-") else duration


def shifted(moment: date, by: timedelta) -> date:
    """`moment` moved by a duration, whole days for a date.

    Raises:
        EvaluationError: past the years 1 to 9999, or when a date is moved by part of a day.
    """
    if not isinstance(moment, datetime) and by % timedelta(days=1):
        raise EvaluationError("a date moves by whole days; make it a `| datetime` first")
    try:
        return moment + by
    except OverflowError as error:
        raise EvaluationError("the result is not between the years 1 and 9999") from error


def shown(text: str) -> str:
    """The text, cut where it is long."""
    return text if len(text) <= 40 else text[:37] + "..."
