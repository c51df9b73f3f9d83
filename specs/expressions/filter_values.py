"""Filters that convert: numbers, text, JSON, dates; and `default`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from typing import NoReturn

from specs.expressions.budget import Meter
from specs.expressions.errors import EvaluationError
from specs.expressions.instants import midnight, read_date, read_datetime, read_shift, shifted, shown
from specs.expressions.operations import Undefined, calculate, check_finite, kind_of, to_json, written

_INTEGER = re.compile(r"[+-]?[0-9]{1,1200}")
_FLOAT = re.compile(r"[+-]?(?:[0-9]{1,1200}(?:\.[0-9]{0,1200})?|\.[0-9]{1,1200})(?:[eE][+-]?[0-9]{1,6})?")


def check(filter_name: str, parameter: str, value: object, kinds: frozenset[str]) -> None:
    """Refuse a value of a kind that a filter does not take; an empty `parameter` means what is piped."""
    if isinstance(value, Undefined) or kind_of(value) in kinds:
        return
    what = f"`{parameter}` of `{filter_name}`" if parameter else f"`{filter_name}`"
    way_out = "; write `| tojson`" if parameter == "" and filter_name == "string" else ""
    raise EvaluationError(f"{what} takes {' or '.join(sorted(kinds))}, this is a {kind_of(value)}{way_out}")


def default(_meter: Meter, value: object, otherwise: object) -> object:
    """The value, or `otherwise` where it is undefined; `none` is a value and stays."""
    return otherwise if isinstance(value, Undefined) else value


def to_int(_meter: Meter, value: int | float | str) -> int | float:
    """A whole number: of a text that is one, or of a number without what follows its point."""
    if isinstance(value, str):
        if not _INTEGER.fullmatch(value.strip()):
            raise EvaluationError(f"`{shown(value)}` is not a whole number")
        return calculate(int, int(value))
    return calculate(int, value)


def to_float(_meter: Meter, value: int | float | str) -> int | float:
    """A number with a point: of a text that is a number, or of a number."""
    if isinstance(value, str):
        if not _FLOAT.fullmatch(value.strip()):
            raise EvaluationError(f"`{shown(value)}` is not a number")
        return check_finite(float(value))
    return calculate(float, value)


def to_string(_meter: Meter, value: object) -> str:
    """The written form of a value."""
    return written(value)


def rounded(_meter: Meter, value: int | float, digits: int | None = None) -> int | float:
    """Rounded to a whole number, or to `digits` after the point; halves go to the even neighbour."""
    if digits is None:
        return calculate(round, value)
    if not -308 <= digits <= 308:
        raise EvaluationError("`round` takes between -308 and 308 digits")
    return calculate(round, value, digits)


def absolute(_meter: Meter, value: int | float) -> int | float:
    """Without its sign."""
    return abs(value)


def to_json_text(meter: Meter, value: object) -> str:
    """Compact JSON; keys keep their order, characters outside ASCII stay as they are."""
    meter.measure(value)
    text = json.dumps(to_json(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    meter.room(len(text))
    return text


def from_json_text(meter: Meter, text: str) -> object:
    """The value that a JSON text writes."""
    meter.room(len(text))
    try:
        value: object = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise EvaluationError("`fromjson` got what is not JSON") from error
    meter.measure(value)
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(name)


def _finite(text: str) -> float:
    return check_finite(float(text))


def to_date(_meter: Meter, value: str | date) -> date:
    """The date a text writes, or the date of an instant where it stands."""
    if isinstance(value, str):
        return read_date(value)
    return value.date() if isinstance(value, datetime) else value


def to_datetime(_meter: Meter, value: str | date) -> datetime:
    """The instant a text writes, or midnight UTC of a date."""
    if isinstance(value, str):
        return read_datetime(value)
    return value if isinstance(value, datetime) else midnight(value)


def shift(_meter: Meter, value: str | date, duration: str) -> date:
    """A date or an instant moved by a duration, which may be negative."""
    moment = read_moment(value) if isinstance(value, str) else value
    return shifted(moment, read_shift(duration))


def read_moment(text: str) -> date:
    """The date or the instant that a text writes."""
    read: Callable[[str], date] = read_date if len(text) == len("2026-01-31") else read_datetime
    return read(text)
