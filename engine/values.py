"""Values of declared types (`LANGUAGE.md` 3): text converted by its type, values checked against it.

Dates, times and durations stay canonical text, because a value must survive as JSON; a size is a number of bytes.
"""

from __future__ import annotations

import json
import math
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import NoReturn

from engine.outcomes import Json
from specs.quantities import format_duration, parse_duration, parse_size

_INT = re.compile(r"[+-]?[0-9]{1,1000}")
_FLOAT = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,5})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_DATETIME = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LONGEST_NUMBER = 1000

DEEPEST = 200
"""How deep lists and maps may be nested: far below what recursive code can take."""


def convert_text(text: str, type_name: str, items: str | None = None) -> Json:
    """The value that `text`, from a command line, a webhook or an output file, stands for in type `type_name`.

    `items` is the type of a list's elements. Raises `ValueError` with a message for a person.
    """
    if type_name in _FROM_TEXT:
        return _FROM_TEXT[type_name](text)
    return check_value(parse_json(text), type_name, items)


def check_value(value: Json, type_name: str, items: str | None = None) -> Json:
    """`value` in the canonical form of type `type_name`; a whole number is a `float`, text is no number.

    `items` is the type of a list's elements. Raises `ValueError` with a message for a person.
    """
    if type_name == "list":
        return _list(value, items)
    return _CHECKS[type_name](value)


def parse_json(text: str) -> Json:
    """The JSON value written as `text`. Repeated keys, `NaN`, lone surrogates and absurd depth are a `ValueError`."""
    try:
        value: Json = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_unique, parse_int=_int)
        require_json(value)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg.lower()} at line {error.lineno}, column {error.colno}") from error
    except RecursionError as error:
        raise ValueError("not JSON: nested too deeply") from error
    return value


def require_json(value: object) -> None:
    """Raise `ValueError` unless JSON can hold `value`: finite numbers, text that is Unicode, text keys, sane depth."""
    rest: list[tuple[object, int]] = [(value, 0)]
    while rest:
        one, depth = rest.pop()
        if depth > DEEPEST:
            raise ValueError("lists and maps are nested too deeply")
        if isinstance(one, str):
            _require_text(one)
        elif isinstance(one, dict):
            for key in one:
                if not isinstance(key, str):
                    raise ValueError(f"a key is {describe(key)}; keys must be text")
                _require_text(key)
            rest.extend((below, depth + 1) for below in one.values())
        elif isinstance(one, list | tuple):
            rest.extend((below, depth + 1) for below in one)
        elif isinstance(one, float):
            _finite(one)
        elif one is not None and not isinstance(one, int):
            raise ValueError(f"{describe(one)} is not JSON")


def describe(value: object) -> str:
    """What kind of thing `value` is, for a message: `text`, `a whole number`, `a list`."""
    for kinds, words in _WORDS:
        if isinstance(value, kinds):
            return words
    return f"a `{type(value).__name__}`"


_WORDS: tuple[tuple[type | tuple[type, ...], str], ...] = (
    (type(None), "null"),
    (bool, "a boolean"),
    (int, "a whole number"),
    (float, "a number"),
    (str, "text"),
    ((list, tuple), "a list"),
    (dict, "a map"),
)


def _require_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError("a text holds half of a character (a lone surrogate)") from None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"`{name}` is not JSON")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    made = dict(pairs)
    if len(made) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"the key {_shown(key)} is there twice")
            seen.add(key)
    return made


def _shown(text: str) -> str:
    short = text if len(text) <= 40 else text[:37] + "..."
    return f"`{short}`"


# --- from text ----------------------------------------------------------------------------------------------------------


def _string(text: str) -> Json:
    _require_text(text)
    return text


def _int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not a whole number")
    return int(text)


def _float(text: str) -> float:
    if len(text) > _LONGEST_NUMBER or not _FLOAT.fullmatch(text):
        raise ValueError(f"{_shown(text)} is not a number")
    return _finite(float(text))


def _finite(value: float) -> float:
    if not math.isfinite(value):
        raise ValueError("a number is too large, or is not a number")
    return value


def _bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError(f"{_shown(text)} is not `true` or `false`")
    return text == "true"


def _date(text: str) -> str:
    try:
        if _DATE.fullmatch(text):
            return date.fromisoformat(text).isoformat()
    except ValueError:
        pass
    raise ValueError(f"{_shown(text)} is not a date such as `2026-01-31`")


def _datetime(text: str) -> str:
    try:
        if _DATETIME.fullmatch(text):
            return datetime.fromisoformat(text.upper()).isoformat()
    except ValueError:
        pass
    raise ValueError(f"{_shown(text)} is not a time with an offset such as `2026-01-31T08:30:00+01:00`")


def _duration(text: str) -> str:
    value = parse_duration(text)
    if value is None:
        raise ValueError(f"{_shown(text)} is not a duration such as `90s` or `1h30m`")
    return format_duration(value)


def _size(text: str) -> int:
    value = parse_size(text)
    if value is None:
        raise ValueError(f"{_shown(text)} is not a size such as `10MB` or `1MiB`")
    return value


def _path(text: str) -> str:
    _require_text(text)
    if not text or "\0" in text:
        raise ValueError("a path must not be empty" if not text else "a path must not hold a zero byte")
    return os.path.normpath(text)


_FROM_TEXT: Mapping[str, Callable[[str], Json]] = {
    "string": _string,
    "int": _int,
    "float": _float,
    "bool": _bool,
    "date": _date,
    "datetime": _datetime,
    "duration": _duration,
    "size": _size,
    "path": _path,
}


# --- from values --------------------------------------------------------------------------------------------------------


def _texts(convert: Callable[[str], Json]) -> Callable[[Json], Json]:
    def check(value: Json) -> Json:
        if not isinstance(value, str):
            raise ValueError(f"expected text, found {describe(value)}")
        return convert(value)

    return check


def _check_int(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"expected a whole number, found {describe(value)}")
    return value


def _check_float(value: Json) -> Json:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError(f"expected a number, found {describe(value)}")
    try:
        return _finite(float(value))
    except OverflowError:
        raise ValueError("a number is too large, or is not a number") from None


def _check_bool(value: Json) -> Json:
    if not isinstance(value, bool):
        raise ValueError(f"expected `true` or `false`, found {describe(value)}")
    return value


def _check_size(value: Json) -> Json:
    if isinstance(value, str):
        return _size(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"expected a size in bytes or such as `10MB`, found {describe(value)}")
    return value


def _check_map(value: Json) -> Json:
    if not isinstance(value, dict):
        raise ValueError(f"expected a map, found {describe(value)}")
    return _check_json(value)


def _check_json(value: Json) -> Json:
    require_json(value)
    return value


def _list(value: Json, items: str | None) -> Json:
    if not isinstance(value, list):
        raise ValueError(f"expected a list, found {describe(value)}")
    if items is None:
        return _check_json(value)
    checked: list[Json] = []
    for index, element in enumerate(value):
        try:
            checked.append(check_value(element, items))
        except ValueError as error:
            raise ValueError(f"element {index}: {error}") from None
    return checked


_CHECKS: Mapping[str, Callable[[Json], Json]] = {
    "string": _texts(_string),
    "int": _check_int,
    "float": _check_float,
    "bool": _check_bool,
    "date": _texts(_date),
    "datetime": _texts(_datetime),
    "duration": _texts(_duration),
    "size": _check_size,
    "path": _texts(_path),
    "json": _check_json,
    "map": _check_map,
}
