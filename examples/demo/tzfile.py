"""Reads `tzdata.zi`, the compact text of the IANA time zone database.

Lines are `R` (a rule: when a rule set moves its clocks), `Z` and its continuations (an era of a zone: standard offset,
rules in force, until when) and `L` (another name of a zone). The grammar is that of zic(8).
"""

from __future__ import annotations

import calendar
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

MONTHS = tuple(name.lower() for name in calendar.month_name)[1:]
DAYS = tuple(name.lower() for name in calendar.day_name)
FOREVER = 9999


@dataclass(frozen=True)
class Rule:
    """In each year from `first` to `last`, on a day of `month`, clocks go to `save_s` seconds ahead of standard time."""

    name: str
    first: int
    last: int
    month: int
    on: str
    save_s: int

    def day_in(self, year: int) -> date:
        """The day of the change in a year."""
        return day_of(year, self.month, self.on)


@dataclass(frozen=True)
class Era:
    """A stretch of a zone's history: `rules` is the name of a rule set, or empty when `save_s` holds throughout."""

    offset_s: int
    rules: str
    save_s: int
    until: date


@dataclass
class Database:
    """The file, read."""

    version: str = ""
    rules: dict[str, list[Rule]] = field(default_factory=lambda: defaultdict(list))
    zones: dict[str, list[Era]] = field(default_factory=lambda: defaultdict(list))
    links: dict[str, str] = field(default_factory=dict)
    lines: int = 0


@dataclass(frozen=True)
class Change:
    """Clocks of a zone were moved by `by_s` seconds; `forward` and `back` are daylight saving, `shift` a new offset."""

    zone: str
    day: date
    by_s: int
    kind: str
    rules: str


def read_database(path: Path) -> Database:
    """Everything in the file at `path`."""
    database = Database()
    zone = ""
    for line in path.read_text(encoding="utf-8").splitlines():
        database.lines += 1
        if line.startswith("# version "):
            database.version = line.split()[-1]
        words = line.partition("#")[0].split()
        match words:
            case []:
                continue
            case ["R", name, first, last, _, month, on, _, save, *_]:
                database.rules[name].append(_rule(name, first, last, month, on, save))
            case ["L", target, link]:
                database.links[link] = target
            case ["Z", zone, *era]:
                database.zones[zone].append(_era(era))
            case era:
                database.zones[zone].append(_era(era))
    return database


def continent_of(zone: str) -> str:
    """The first part of a zone's name; zones without one are `Other`."""
    return zone.partition("/")[0] if "/" in zone and not zone.startswith("Etc/") else "Other"


def changes_of(database: Database, zone: str, *, last_year: int) -> Iterator[Change]:
    """Every move of a zone's clocks from its first legal time to the end of `last_year`, in order of time."""
    start: date | None = None
    offset = save = 0
    for era in database.zones[zone]:
        if start is not None:
            opening = era.save_s if not era.rules else _save_at(database.rules[era.rules], start)
            if era.offset_s + opening != offset + save:
                kind = "shift" if era.offset_s != offset else ("forward" if opening > save else "back")
                yield Change(zone, start, era.offset_s + opening - offset - save, kind, era.rules)
            save = opening
        offset = era.offset_s
        end = min(era.until, date(last_year, 12, 31))
        if era.rules:
            for day, rule in _firings(database.rules[era.rules], start or date.min, end):
                if rule.save_s != save:
                    yield Change(zone, day, rule.save_s - save, "forward" if rule.save_s > save else "back", era.rules)
                    save = rule.save_s
        start = era.until


def day_of(year: int, month: int, on: str) -> date:
    """A day as rules write it: `9`, `lastSu`, `Su>=8` or `Su<=25`; the last two may end in another month."""
    if on.isdigit():
        return date(year, month, int(on))
    if on.startswith("last"):
        last = date(year, month, calendar.monthrange(year, month)[1])
        return last - timedelta(days=(last.weekday() - _weekday(on[4:])) % 7)
    name, after, number = on.partition(">=")
    if after:
        first = date(year, month, int(number))
        return first + timedelta(days=(_weekday(name) - first.weekday()) % 7)
    name, _, number = on.partition("<=")
    latest = date(year, month, int(number))
    return latest - timedelta(days=(latest.weekday() - _weekday(name)) % 7)


def seconds(text: str) -> int:
    """A length of time: `1`, `-0:25`, `5:53:28`, with an ignored suffix letter."""
    sign = -1 if text.startswith("-") else 1
    hours, minutes, rest = [*text.strip("-").rstrip("swugzd").split(":"), "0", "0"][:3]
    return sign * (int(hours or 0) * 3600 + int(minutes) * 60 + int(float(rest)))


def _rule(name: str, first: str, last: str, month: str, on: str, save: str) -> Rule:
    end = int(last) if last.isdigit() else int(first) if "only".startswith(last) else FOREVER
    return Rule(name, int(first), end, _month(month), on, seconds(save))


def _era(words: list[str]) -> Era:
    offset, rules, _format, *until = words
    named = rules != "-" and not rules.lstrip("-")[0].isdigit()
    return Era(
        offset_s=seconds(offset),
        rules=rules if named else "",
        save_s=0 if named or rules == "-" else seconds(rules),
        until=_until(until),
    )


def _until(words: list[str]) -> date:
    if not words:
        return date.max
    year, month, day, *_ = [*words, "1", "1"] if len(words) < 3 else words
    return day_of(int(year), _month(month) if not month.isdigit() else int(month), day)


def _month(text: str) -> int:
    return next(number for number, name in enumerate(MONTHS, 1) if name.startswith(text.lower()))


def _weekday(text: str) -> int:
    return next(number for number, name in enumerate(DAYS) if name.startswith(text.lower()))


def _firings(rules: Iterable[Rule], start: date, end: date) -> list[tuple[date, Rule]]:
    """The changes the rules order after `start` and before `end`, in order of time."""
    found = []
    for rule in rules:
        for year in range(max(rule.first, start.year), min(rule.last, end.year) + 1):
            day = rule.day_in(year)
            if start < day < end:
                found.append((day, rule))
    return sorted(found, key=lambda one: one[0])


def _save_at(rules: Iterable[Rule], day: date) -> int:
    """How far ahead of standard time the rules have clocks on a day: by the last change up to then."""
    latest: tuple[date, int] = (date.min, 0)
    for rule in rules:
        newest = min(rule.last, day.year)
        for year in (newest, newest - 1):
            if year >= rule.first and (fired := rule.day_in(year)) <= day:
                latest = max(latest, (fired, rule.save_s))
                break
    return latest[1]
