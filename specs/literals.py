"""Whether a value written in a file fits a declared type. Values with an expression in them are not judged here."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime

from msgspec import Struct

from specs.model.parts import ParamSpec
from specs.patterns import pattern_problem
from specs.quantities import parse_duration, parse_size

_INSTANT = re.compile(r"\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?([Zz]|[+-]\d{2}:\d{2})?")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
DEEPEST = 40
"""Levels of a value that are looked at; a file cannot be deeper."""


class Misfit(Struct, frozen=True):
    """What a type wants and what was written, as they stand in a sentence: `a whole number`, `the text "x"`."""

    wanted: str
    found: str


def misfit(value: object, declared: ParamSpec) -> Misfit | None:
    """Why a written `value` does not fit, `None` if it does or holds an expression. A pattern is not looked at."""
    if has_expression(value):
        return None
    wrong = type_misfit(value, declared.type) or _wrong_items(value, declared)
    if wrong is not None:
        return wrong
    if declared.choices is not None and not any(_same(value, choice) for choice in declared.choices):
        shown = ", ".join(f"`{choice}`" for choice in declared.choices[:10])
        return Misfit(f"one of {shown}{', ...' if len(declared.choices) > 10 else ''}", shown_value(value))
    return _wrong_range(value, declared)


def argument_misfit(value: object, declared: ParamSpec) -> Misfit | None:
    """As `misfit`, the pattern included; a pattern that is refused itself admits everything."""
    wrong = misfit(value, declared)
    if wrong is not None or declared.pattern is None or not isinstance(value, str) or has_expression(value):
        return wrong
    if pattern_problem(declared.pattern) is not None or re.fullmatch(declared.pattern, value) is not None:
        return None
    return Misfit(f"text that matches `{declared.pattern}`", shown_value(value))


def type_misfit(value: object, type_name: str) -> Misfit | None:
    """Why `value` is not of the named type; a type that is not known admits everything."""
    if type_name not in _FITS:
        return None
    wanted, fits = _FITS[type_name]
    return None if fits(value) else Misfit(wanted, shown_value(value))


def has_expression(value: object) -> bool:
    """Whether a text with `${{` stands anywhere in `value`."""
    level: list[object] = [value]
    for _ in range(DEEPEST):
        if any(isinstance(part, str) and "${{" in part for part in level):
            return True
        level = [inner for part in level for inner in _inside(part)]
        if not level:
            return False
    return False


def parse_instant_text(text: str) -> datetime | None:
    """A date and time as RFC 3339 writes them, naive when there is no offset; `None` for anything else."""
    if not _INSTANT.fullmatch(text):
        return None
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def shown_value(value: object) -> str:
    """A written value as a message shows it: its kind, and short values themselves."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return f"the boolean `{str(value).lower()}`"
    if isinstance(value, int | float):
        return f"the number `{value}`"
    if isinstance(value, str):
        return f"the text `{value if len(value) <= 40 else value[:37] + '...'}`"
    return "a list" if isinstance(value, Sequence) else "a map"


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, Mapping):
        return list(value.values())
    return value if isinstance(value, list | tuple) else ()


def _same(value: object, choice: object) -> bool:
    return value == choice and isinstance(value, bool) == isinstance(choice, bool)


def _wrong_items(value: object, declared: ParamSpec) -> Misfit | None:
    if declared.items is None or not isinstance(value, list):
        return None
    wrong = next((wrong for item in value if (wrong := type_misfit(item, declared.items)) is not None), None)
    return None if wrong is None else Misfit(f"a list of which each item is {wrong.wanted}", wrong.found)


def _wrong_range(value: object, declared: ParamSpec) -> Misfit | None:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _outside(value, shown_value(value), "", declared.min, declared.max)
    if isinstance(value, str | list):
        unit = " characters" if isinstance(value, str) else " items"
        return _outside(len(value), f"{len(value)}{unit}", unit, declared.min_length, declared.max_length)
    return None


def _outside(size: float, found: str, unit: str, least: float | None, most: float | None) -> Misfit | None:
    if least is not None and size < least:
        return Misfit(f"at least {least}{unit}", found)
    return Misfit(f"at most {most}{unit}", found) if most is not None and size > most else None


def _is_date(value: object) -> bool:
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        return False
    try:
        date.fromisoformat(value)
    except ValueError:
        return False
    return True


def _is_text(value: object) -> bool:
    return isinstance(value, str)


_FITS: Mapping[str, tuple[str, Callable[[object], bool]]] = {
    "string": ("text", _is_text),
    "path": ("a path", _is_text),
    "int": ("a whole number", lambda value: isinstance(value, int) and not isinstance(value, bool)),
    "float": ("a number", lambda value: isinstance(value, int | float) and not isinstance(value, bool)),
    "bool": ("a boolean", lambda value: isinstance(value, bool)),
    "date": ("a date such as 2026-01-31", _is_date),
    "datetime": (
        "a date and time such as 2026-01-31T08:00:00Z",
        lambda value: isinstance(value, str) and parse_instant_text(value) is not None,
    ),
    "duration": ("a duration such as `5m`", lambda value: isinstance(value, str) and parse_duration(value) is not None),
    "size": ("a size such as `10MB`", lambda value: isinstance(value, str) and parse_size(value) is not None),
    "list": ("a list", lambda value: isinstance(value, list)),
    "map": ("a map", lambda value: isinstance(value, Mapping)),
}
