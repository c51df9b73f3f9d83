"""Instants that are past, local times that do not exist or occur twice, and globs of files (FLOW505, 506, 511).

What depends on the present is checked only where the context has a `now`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from specs.context import FlowContext, Path, Rule
from specs.cron import Cron, CronError, parse_cron
from specs.diagnostics import Diagnostic, Place
from specs.literals import parse_instant_text
from specs.model.triggers import TriggerSpec
from specs.rules.schedules import instant_of
from specs.zones import is_zone

DAYS_AHEAD = 366
"""How far ahead changes of the clock are looked for."""

MOST_TIMES = 200
"""Times of day of one schedule that are looked at; one that fires more often does not care for an hour."""


def in_the_past(context: FlowContext) -> Iterator[Diagnostic]:
    """A trigger that fires once has not done so yet."""
    for name, trigger in context.flow.triggers.items():
        instant = instant_of(trigger.at, trigger.timezone)
        if context.now is None or instant is None or instant >= context.now:
            continue
        if trigger.timezone is not None or _has_offset(trigger.at):
            yield context.finding(
                "FLOW506", ("triggers", name, "at"), "`at` is in the past", help="write a later time, or remove it"
            )


def _has_offset(text: str | None) -> bool:
    instant = parse_instant_text(text) if text is not None else None
    return instant is not None and instant.tzinfo is not None


# --- when clocks are changed ------------------------------------------------------------------------------------------


def changed_clocks(context: FlowContext) -> Iterator[Diagnostic]:
    """The days on which a local time is skipped or repeated are known to whoever schedules by it."""
    changes: dict[str, list[date]] = {}
    for name, trigger in context.flow.triggers.items():
        zone_name = trigger.timezone
        if context.now is None or zone_name in (None, "UTC") or not is_zone(str(zone_name)):
            continue
        from zoneinfo import ZoneInfo  # only where a zone is written

        zone = ZoneInfo(str(zone_name))
        if zone_name not in changes:
            changes[str(zone_name)] = _changes(zone, context.now)
        for kind, days, at in _unusual(trigger, zone, changes[str(zone_name)]):
            key = "at" if trigger.at is not None else "cron"
            shown = " and ".join(day.isoformat() for day in days[:2])
            yield context.finding(
                "FLOW505",
                ("triggers", name, key),
                f"{at:%H:%M} {kind} on {shown} in {zone_name}",
                help=_WHAT_HAPPENS[kind],
            )


_MISSING, _TWICE = "does not exist", "occurs twice"
_WHAT_HAPPENS = {
    _MISSING: "on that day it runs at the next time that there is; choose another hour to keep the time",
    _TWICE: "on that day it runs once, at the first of the two",
}


def _changes(zone: tzinfo, now: datetime) -> list[date]:
    """The days to come, within a year, on which the clocks of a zone are changed."""
    first = now.astimezone(UTC).date()
    days = (first + timedelta(days=ahead) for ahead in range(DAYS_AHEAD) if first.toordinal() + ahead < _LAST_DAY)
    return [day for day in days if _offset(zone, day) != _offset(zone, day + timedelta(days=1))]


_LAST_DAY = date.max.toordinal() - 2


def _offset(zone: tzinfo, day: date) -> timedelta | None:
    return datetime.combine(day, time(), zone).utcoffset()


def _unusual(trigger: TriggerSpec, zone: tzinfo, changes: list[date]) -> Iterator[tuple[str, list[date], time]]:
    """What is unusual about the times of a trigger: each kind once, with the days and the first such time."""
    found: dict[str, list[tuple[date, time]]] = {_MISSING: [], _TWICE: []}
    for day, at in _times(trigger, changes):
        kind = _kind(datetime.combine(day, at), zone)
        if kind is not None and not any(known == day for known, _ in found[kind]):
            found[kind].append((day, at))
    for kind, each in found.items():
        if each:
            yield kind, [day for day, _ in each], each[0][1]


def _times(trigger: TriggerSpec, changes: list[date]) -> Iterator[tuple[date, time]]:
    """The local times at which a trigger fires on days of change."""
    instant = parse_instant_text(trigger.at) if trigger.at is not None else None
    if instant is not None and instant.tzinfo is None:
        yield instant.date(), instant.time()
    try:
        cron = parse_cron(trigger.cron) if trigger.cron is not None else None
    except CronError:
        return  # reported where it stands
    # with `*` as the hour a schedule follows elapsed time
    if cron is None or len(cron.hours) == 24 or len(cron.hours) * len(cron.minutes) > MOST_TIMES:
        return
    for day in changes:
        if _fires_on(cron, day):
            yield from ((day, time(hour, minute)) for hour in cron.hours for minute in cron.minutes)


def _fires_on(cron: Cron, day: date) -> bool:
    of_month, of_week = day.day in cron.days, day.isoweekday() % 7 in cron.weekdays
    both_written = len(cron.days) < 31 and len(cron.weekdays) < 7
    return day.month in cron.months and (of_month or of_week if both_written else of_month and of_week)


def _kind(local: datetime, zone: tzinfo) -> str | None:
    early, late = (local.replace(tzinfo=zone, fold=fold) for fold in (0, 1))
    if early.utcoffset() == late.utcoffset():
        return None
    exists = early.astimezone(UTC).astimezone(zone).replace(tzinfo=None, fold=0) == local
    return _TWICE if exists else _MISSING


# --- files ------------------------------------------------------------------------------------------------------------

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]")


def unusable_globs(context: FlowContext) -> Iterator[Diagnostic]:
    """The glob of a file trigger can be read, and says where it begins."""
    for name, trigger in context.flow.triggers.items():
        if trigger.file is not None and "${{" not in trigger.file.path:
            path: Path = ("triggers", name, "file", "path")
            found = _glob_problem(trigger.file.path)
            if found is not None:
                message, help_, span = found
                yield context.finding("FLOW511", path, message, place=_part(context, path, span), help=help_)


def _glob_problem(glob: str) -> tuple[str, str, tuple[int, int]] | None:
    if not _ABSOLUTE.match(glob):
        return "the glob is not absolute", "begin with `/`: the folder of the service is not yours", (0, len(glob))
    opening = _unclosed(glob)
    if opening is not None:
        return "glob: `[` without `]`", "close it, or write `[[]` for the character itself", (opening, len(glob))
    start = 0
    for part in glob.split("/"):
        if "**" in part and part != "**":
            help_ = "`**` stands for folders and is a part of its own: `/data/**/*.csv`"
            return f"glob: `**` inside of `{part[:40]}`", help_, (start, start + len(part))
        if part in (".", ".."):
            return f"glob: `{part}` in a path", "write the path out", (start, start + len(part))
        start += len(part) + 1
    return None


def _unclosed(glob: str) -> int | None:
    """Where a set of characters begins that does not end; the first character of a set may be `]`."""
    at = glob.find("[")
    while at >= 0:
        first = at + 1 + (glob[at + 1 : at + 2] == "!")
        end = glob.find("]", first + 1)
        if end < 0:
            return at
        at = glob.find("[", end + 1)
    return None


def _part(context: FlowContext, path: Path, span: tuple[int, int]) -> Place | None:
    first, last = (context.places.scalar_offset(path, index) for index in (span[0], span[1] - 1))
    whole = context.places.place(path)
    return Place(whole.source, first, last + 1) if first is not None and last is not None and last >= first else None


RULES: tuple[Rule, ...] = (in_the_past, changed_clocks, unusable_globs)
