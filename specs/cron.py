"""Cron expressions as text: five fields or a name, each field checked by itself, with the place of what is wrong.

The strict reading: what other readers take for something else, or for less than it seems to say, is refused with the
form that is meant. When a schedule fires is the engine's to compute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from msgspec import Struct

ALIASES: Mapping[str, str] = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
"""Names that stand for five fields."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
LONGEST_MONTH = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
LONGEST_TEXT = 300


class Field(Struct, frozen=True):
    """One of the five fields: its name, its least and greatest value, and names for values from `named_from` on."""

    name: str
    least: int
    greatest: int
    names: Sequence[str] = ()
    named_from: int = 0

    @property
    def range(self) -> str:
        """What may stand in the field, as a help line says it."""
        named = f", or `{self.names[0]}` to `{self.names[-1]}`" if self.names else ""
        return f"{self.name} is {self.least} to {self.greatest}{named}"


FIELDS = (
    Field("minute", 0, 59),
    Field("hour", 0, 23),
    Field("day of month", 1, 31),
    Field("month", 1, 12, MONTHS, 1),
    Field("day of week", 0, 7, WEEKDAYS),
)
_PART = re.compile(r"(?P<star>\*)|(?P<first>[0-9A-Za-z]+)(?:-(?P<last>[0-9A-Za-z]+))?")


class CronError(Exception):
    """The text is no cron expression. `start` and `end` say which part of it is wrong, `help` what to write."""

    def __init__(self, message: str, *, start: int, end: int, help: str) -> None:  # noqa: A002 - the diagnostic's word
        super().__init__(message)
        self.message = message
        self.start = start
        self.end = end
        self.help = help


class Cron(Struct, frozen=True):
    """The values each field admits, in ascending order; Sunday is 0."""

    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @property
    def ever_fires(self) -> bool:
        """Whether there is a day it fires on. With days of month and of week both restricted, either will do."""
        if len(self.weekdays) < 7:
            return True
        return any(day <= LONGEST_MONTH[month - 1] for month in self.months for day in self.days)


def parse_cron(text: str) -> Cron:
    """The values that `text` admits.

    Raises:
        CronError: it is not a cron expression of this language.
    """
    stripped = text.strip()
    if stripped.startswith("@"):
        return parse_cron(_alias(text, stripped))
    if len(text) > LONGEST_TEXT:
        raise CronError(f"longer than {LONGEST_TEXT} characters", start=0, end=len(text), help="use several triggers")
    fields = list(re.finditer(r"\S+", text))
    if len(fields) != len(FIELDS):
        raise CronError(f"expected five fields, found {len(fields) or 'none'}", start=0, end=len(text), help=_FIVE)
    values = [_values(match[0], field, match.start()) for match, field in zip(fields, FIELDS, strict=True)]
    weekdays = tuple(sorted({day % 7 for day in values[4]}))
    return Cron(values[0], values[1], values[2], values[3], weekdays)


_FIVE = "write minute, hour, day of month, month and day of week: `30 2 * * *`"


def _alias(text: str, stripped: str) -> str:
    if stripped in ALIASES:
        return ALIASES[stripped]
    names = ", ".join(f"`{name}`" for name in ALIASES)
    help_ = "write `every: 5m` in place of `cron`" if stripped.startswith("@every") else f"the names are {names}"
    start = text.index("@")
    shown = stripped if len(stripped) <= 40 else stripped[:37] + "..."
    raise CronError(f"unknown name `{shown}`", start=start, end=start + len(stripped), help=help_)


def _values(text: str, field: Field, start: int) -> tuple[int, ...]:
    found: set[int] = set()
    for part in text.split(","):
        found |= _part(part, field, start)
        start += len(part) + 1
    return tuple(sorted(found))


def _part(text: str, field: Field, start: int) -> set[int]:
    """The values of one element of a list: `*`, `5`, `1-5`, each with a step or not but the single value."""
    range_text, slash, step_text = text.partition("/")
    match = _PART.fullmatch(range_text)
    if match is None:
        what = f"`{text}`" if text else "an empty element"
        raise _refused(f"{what} in {field.name}", text, start, field.range)
    if match["star"]:
        first, last = field.least, field.greatest if field.greatest != 7 else 6
    else:
        first = _number(match["first"], field, start)
        last = first if match["last"] is None else _number(match["last"], field, start + match.start("last"))
        first, last = _ordered(text, field, start, first, last, is_range=match["last"] is not None)
        if slash and match["last"] is None:
            help_ = f"write `{range_text}-{field.greatest}/{step_text}` or `*/{step_text}`"
            raise _refused(f"a step needs a range, found `{text}` in {field.name}", text, start, help_)
    return set(range(first, last + 1, _step(step_text, field, start + len(range_text) + 1) if slash else 1))


def _ordered(text: str, field: Field, start: int, first: int, last: int, *, is_range: bool) -> tuple[int, int]:
    if is_range and first == last:
        # schedulers disagree: some read such a range as the whole field
        raise _refused(f"the range `{text}` in {field.name} is a single value", text, start, f"write `{first}`")
    if is_range and last == 0 and field.greatest == 7:
        last = 7  # `mon-sun`: the Sunday at the end of the week
    if first > last:
        low, high = field.least, 6 if field.greatest == 7 else field.greatest
        help_ = f"write `{first}-{high},{low}-{last}`"
        raise _refused(f"the range `{text}` in {field.name} goes backwards", text, start, help_)
    return first, last


def _number(text: str, field: Field, start: int) -> int:
    if text.isascii() and text.isdigit():
        value = int(text) if len(text) <= 2 else -1
        if field.least <= value <= field.greatest:
            return value
        raise _refused(f"`{text}` is out of range for {field.name}", text, start, field.range)
    name = text.lower()
    if name in field.names:
        return field.names.index(name) + field.named_from
    raise _refused(f"`{text}` in {field.name}", text, start, field.range)


def _step(text: str, field: Field, start: int) -> int:
    most = field.greatest - field.least
    if text.isascii() and text.isdigit() and len(text) <= 2 and 1 <= int(text) <= most:
        return int(text)
    message = f"the step `{text}` in {field.name} is not between 1 and {most}"
    raise _refused(message, text, start, "for longer intervals use `every`")


def _refused(message: str, text: str, start: int, help_: str) -> CronError:
    return CronError(message, start=start, end=start + max(len(text), 1), help=help_)
