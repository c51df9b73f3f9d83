"""What values do to each other: typed comparison, arithmetic on numbers, the written form, and JSON of a result."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any

from msgspec import Struct

from specs.expressions.budget import MAX_DEPTH, Meter
from specs.expressions.errors import EvaluationError
from specs.expressions.instants import read_date, read_datetime
from specs.expressions.values import Json

MAX_INTEGER_BITS = 4096
"""The largest whole number that arithmetic or a filter gives, in bits."""


class Undefined(Struct, frozen=True):
    """What a look-up gives when there is nothing: an error wherever it is used, but for `default` and `defined`."""

    what: str


def is_number(value: object) -> bool:
    """Whether a value is a number; a boolean is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def kind_of(value: object) -> str:
    """The word for a value's type in messages."""
    match value:
        case None:
            return "none"
        case bool():
            return "bool"
        case int():
            return "int"
        case float():
            return "float"
        case str():
            return "string"
        case datetime():
            return "datetime"
        case date():
            return "date"
        case list() | tuple():
            return "list"
        case Mapping():
            return "map"
    return type(value).__name__.lower()


def written(value: object) -> str:
    """The text of a value as `${{ }}` writes it into a text.

    Raises:
        EvaluationError: for none, a list or a map.
    """
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return number_text(value)
        case date():
            return value.isoformat()
    raise EvaluationError(f"a {kind_of(value)} has no text of its own; write `| tojson`")


def number_text(value: int | float) -> str:
    """The shortest text that reads back as the number."""
    if isinstance(value, float):
        return float.__repr__(value)
    check_integer(value)
    return int.__repr__(value)


def check_integer(value: int) -> int:
    """Refuse a whole number of absurd length, which would be slow to write."""
    if value.bit_length() > MAX_INTEGER_BITS:
        raise EvaluationError(f"the number is longer than {MAX_INTEGER_BITS} bits")
    return value


def to_json(value: object, depth: int = 0) -> Json:
    """A value as plain JSON: dates as RFC 3339 text, any mapping as a dict. Measure it first.

    Raises:
        EvaluationError: for what JSON cannot hold.
    """
    if depth > MAX_DEPTH:
        raise EvaluationError(f"the value nests deeper than {MAX_DEPTH}")
    match value:
        case None | bool() | str():
            return value
        case int():
            return check_integer(value)
        case float():
            return check_finite(value)
        case date():
            return value.isoformat()
        case list() | tuple():
            return [to_json(item, depth + 1) for item in value]
        case Mapping():
            return {str(key): to_json(item, depth + 1) for key, item in value.items()}
        case Undefined():
            raise EvaluationError(f"{value.what} is undefined")
    raise EvaluationError(f"a {kind_of(value)} is no value of the language")


def check_finite(value: float) -> float:
    """Refuse infinity and not-a-number, which JSON cannot hold."""
    if not math.isfinite(value):
        raise EvaluationError("the result is not a finite number")
    return value


# --- comparison -----------------------------------------------------------------------------------------------------------


def equal(left: object, right: object, depth: int = 0) -> bool:
    """Typed equality: an error for values of different types, at the top; inside lists and maps such differ.

    Raises:
        EvaluationError: when the two are of different types or nest too deep.
    """
    if depth > MAX_DEPTH:
        raise EvaluationError(f"the value nests deeper than {MAX_DEPTH}")
    left, right = _same_type(left, right, strict=depth == 0)
    if isinstance(left, list | tuple) and isinstance(right, list | tuple):
        pairs = zip(left, right, strict=False)
        return len(left) == len(right) and all(equal(a, b, depth + 1) for a, b in pairs)
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(equal(left[key], right[key], depth + 1) for key in left)
    return group_of(left) == group_of(right) and left == right


def compare(symbol: str, left: object, right: object) -> bool:
    """`<`, `<=`, `>`, `>=` on two numbers, texts, dates or datetimes."""
    left, right = _same_type(left, right, strict=True)
    if group_of(left) in ("bool", "none", "list", "map"):
        raise EvaluationError(f"`{symbol}` is not defined for {kind_of(left)}")
    return _ORDERS[symbol](left, right)


def contains(container: object, value: object) -> bool:
    """`value in container`: an element of a list, a key of a map, a part of a text."""
    match container:
        case str():
            if isinstance(value, str):
                return value in container
            raise EvaluationError(f"`in` looks for a string in a string, this is a {kind_of(value)}")
        case Mapping():
            if isinstance(value, str):
                return value in container
            raise EvaluationError(f"keys of a map are strings, this is a {kind_of(value)}")
        case list() | tuple():
            return any(equal(item, value, 1) for item in container)
    raise EvaluationError(f"`in` is not defined for a {kind_of(container)}")


def group_of(value: object) -> str:
    """Values of one group compare: int and float are one, text and path are one, bool is its own."""
    return "number" if is_number(value) else kind_of(value)


def _same_type(left: object, right: object, *, strict: bool) -> tuple[object, object]:
    a, b = group_of(left), group_of(right)
    if a == b:
        return left, right
    # a date comes out of a file, a parameter or a script as text; against a date the text is read as one
    if isinstance(left, date) and isinstance(right, str):
        return left, _as_instant(right, like=left)
    if isinstance(right, date) and isinstance(left, str):
        return _as_instant(left, like=right), right
    if strict:
        raise EvaluationError(f"cannot compare {kind_of(left)} with {kind_of(right)}")
    return left, right


def _as_instant(text: str, *, like: date) -> date:
    return read_datetime(text) if isinstance(like, datetime) else read_date(text)


_ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


# --- arithmetic -----------------------------------------------------------------------------------------------------------

_ARITHMETIC: Mapping[str, Callable[[int | float, int | float], int | float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
}


def arithmetic(symbol: str, left: object, right: object, meter: Meter) -> object:
    """`left symbol right` for numbers, and `~`, which writes both into one text."""
    if symbol == "~":
        a, b = written(left), written(right)
        meter.room(len(a) + len(b))
        return a + b
    if (
        not isinstance(left, int | float)
        or not isinstance(right, int | float)
        or not (is_number(left) and is_number(right))
    ):
        hint = "; join texts with `~`" if symbol == "+" and isinstance(left, str) and isinstance(right, str) else ""
        raise EvaluationError(f"`{symbol}` is not defined for {kind_of(left)} and {kind_of(right)}{hint}")
    return calculate(_ARITHMETIC[symbol], left, right)


def calculate(function: Callable[..., int | float], *numbers: int | float) -> int | float:
    """The number `function` gives, bounded and finite."""
    try:
        for number in numbers:
            if isinstance(number, int):
                check_integer(number)
        result = function(*numbers)
    except ZeroDivisionError as error:
        raise EvaluationError("division by zero") from error
    except (OverflowError, ValueError) as error:
        raise EvaluationError("the result is too large for a number") from error
    return check_integer(result) if isinstance(result, int) else check_finite(result)
