"""When a trigger by time fires (`LANGUAGE.md` 12): cron, interval and one-off arithmetic in IANA zones.

Pure: the present is handed in. A wall-clock time that a zone skips is met at the first instant after the gap, one that
occurs twice at its first occurrence; only a cron whose hour is `*` follows elapsed time, and takes every instant whose
wall clock fits. Jitter, operating hours, catching up and `stop_after` need more than a calendar and are the caller's.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, time, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

from specs.cron import Cron, CronError, parse_cron
from specs.model.triggers import TriggerSpec

DEFAULT_ANCHOR = datetime(2001, 1, 1)  # noqa: DTZ001 - a wall-clock time; the zone is the trigger's
"""Local midnight from which `every` counts when no anchor is written: a Monday, so that `every: 1w` starts weeks."""

_TICK = timedelta(microseconds=1)
_DAY = timedelta(days=1)
_LONGEST_OVERLAP = timedelta(hours=25)  # zones that moved across the date line lived a day twice
_CLOCK = re.compile(r"\d{2}:\d{2}(?::\d{2})?")


def next_fires(trigger: TriggerSpec, after: datetime, count: int) -> tuple[datetime, ...]:
    """The first `count` instants at which the trigger fires later than `after`, in UTC, ascending.

    Fewer when it stops firing (`at`, `ends_at`, a date that never comes), none for a trigger that is disabled or does
    not go by time. `starts_at` is the first instant that counts and `ends_at` the first that does not any more.

    Raises:
        ValueError: the schedule is not one that the checks admit; the message says why.
    """
    if not trigger.enabled:
        return ()
    zone = zone_of(trigger.timezone)
    try:
        return tuple(islice(_within(trigger, zone, after), max(count, 0)))
    except OverflowError:  # the calendar ends with the year 9999
        return ()


def zone_of(name: str | None) -> ZoneInfo:
    """The IANA zone called `name`, UTC for `None`; `ValueError` when there is none of that name."""
    try:
        return ZoneInfo("UTC" if name is None else name)
    except (KeyError, ValueError, OSError) as error:  # what zoneinfo raises for an unknown, a hostile, a folder's name
        raise ValueError(f"`{name}` is not a time zone") from error


def parse_instant(text: str, zone: ZoneInfo) -> datetime:
    """The instant in UTC that `text` names: RFC 3339 with an offset, or a wall-clock time of `zone`."""
    try:
        parsed = datetime.fromisoformat(text)
        return parsed.astimezone(UTC) if parsed.tzinfo is not None else resolve(parsed, zone)
    except (ValueError, OverflowError) as error:
        raise ValueError(f"`{text}` is not a time") from error


def resolve(local: datetime, zone: ZoneInfo) -> datetime:
    """The instant in UTC at which the clocks of `zone` show `local`: the first such instant, or the first instant after
    the gap when they never do."""
    early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    if _exists(local, zone):
        return early
    before = local.replace(tzinfo=zone, fold=1).astimezone(UTC)  # in a gap the folds are swapped: this one is earlier
    return _transition(before, early, zone)


def _exists(local: datetime, zone: ZoneInfo) -> bool:
    return local.replace(tzinfo=zone, fold=0).astimezone(UTC).astimezone(zone).replace(tzinfo=None) == local


def _transition(before: datetime, after: datetime, zone: ZoneInfo) -> datetime:
    """The instant between the two at which the offset of `zone` changes; changes fall on whole seconds."""
    old = before.astimezone(zone).utcoffset()
    low, high = int(before.timestamp()), int(after.timestamp())
    while high - low > 1:
        middle = (low + high) // 2
        if datetime.fromtimestamp(middle, zone).utcoffset() == old:
            low = middle
        else:
            high = middle
    return datetime.fromtimestamp(high, UTC)


def _within(trigger: TriggerSpec, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if trigger.starts_at is not None:
        after = max(after, parse_instant(trigger.starts_at, zone) - _TICK)
    fires = _fires(trigger, zone, after)
    if trigger.ends_at is None:
        return fires
    end = parse_instant(trigger.ends_at, zone)
    return takewhile(lambda at: at < end, fires)


def _fires(trigger: TriggerSpec, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    if trigger.cron is not None:
        return _cron(trigger.cron, zone, after)
    if trigger.every is not None:
        return _every(trigger.every, _anchor(trigger.anchor, zone), zone, after)
    if trigger.at is not None:
        if trigger.timezone is None and datetime.fromisoformat(trigger.at).tzinfo is None:
            raise ValueError(f"`{trigger.at}` needs an offset or a `timezone`")
        at = parse_instant(trigger.at, zone)
        return iter((at,) if at > after else ())
    return iter(())


# --- cron -------------------------------------------------------------------------------------------------------------


def _cron(expression: str, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    try:
        cron = parse_cron(expression)
    except CronError as error:
        raise ValueError(f"cron `{expression}`: {error.message}") from error
    if not cron.ever_fires:
        return iter(())
    from croniter import croniter  # costs 30 ms, and only schedules need it

    matches = _wall_clock_matches(croniter(_canonical(cron), _earliest_wall_clock(after, zone)).get_next)
    every_hour = len(cron.hours) == 24
    fires = _elapsed(matches, zone) if every_hour else (resolve(local, zone) for local in matches)
    return _ascending(fires, after)


def _canonical(cron: Cron) -> str:
    """The expression as lists of numbers, `*` for whole ranges: a form that every reader of cron takes for the same."""
    fields = ((cron.minutes, 60), (cron.hours, 24), (cron.days, 31), (cron.months, 12), (cron.weekdays, 7))
    return " ".join("*" if len(values) == whole else ",".join(map(str, values)) for values, whole in fields)


def _earliest_wall_clock(after: datetime, zone: ZoneInfo) -> datetime:
    """The least wall-clock time that any instant later than `after` can show, less a tick: where clocks are about to go
    back it is before what they show now."""
    here, soon = after.astimezone(zone), (after + _LONGEST_OVERLAP).astimezone(zone)
    back = (here.utcoffset() or timedelta()) - (soon.utcoffset() or timedelta())
    return here.replace(tzinfo=None) - max(back, timedelta()) - _TICK


def _wall_clock_matches(following: Callable[[type[datetime]], datetime]) -> Iterator[datetime]:
    """Wall-clock times, ascending, until croniter finds no more within its fifty years or the calendar ends."""
    while True:
        try:
            yield following(datetime)
        except (ValueError, OverflowError):
            return


def _elapsed(matches: Iterator[datetime], zone: ZoneInfo) -> Iterator[datetime]:
    """Every instant that shows one of the wall-clock times, ascending: none in a gap, two in an overlap."""
    second: deque[datetime] = deque()
    for local in matches:
        if not _exists(local, zone):
            continue
        early = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
        late = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
        while second and second[0] <= early:
            yield second.popleft()
        yield early
        if late != early:
            second.append(late)
    yield from second


def _ascending(fires: Iterator[datetime], after: datetime) -> Iterator[datetime]:
    """What is later than `after`, each instant once (two times of one gap are met at the same instant)."""
    last = after.astimezone(UTC)
    for at in fires:
        if at > last:
            yield at
            last = at


# --- every ------------------------------------------------------------------------------------------------------------


def _anchor(text: str | None, zone: ZoneInfo) -> datetime:
    """The anchor as a wall-clock time of `zone`; a bare `06:00` is that time of the default day."""
    if text is None:
        return DEFAULT_ANCHOR
    if _CLOCK.fullmatch(text):
        try:
            return datetime.combine(DEFAULT_ANCHOR, time.fromisoformat(text))
        except ValueError as error:
            raise ValueError(f"`{text}` is not a time") from error
    return parse_instant(text, zone).astimezone(zone).replace(tzinfo=None)


def _every(interval: timedelta, anchor: datetime, zone: ZoneInfo, after: datetime) -> Iterator[datetime]:
    """Whole days are counted on the calendar, so that a daily flow keeps its hour when clocks change; anything else in
    elapsed time."""
    if interval <= timedelta():
        raise ValueError("an interval must be longer than zero")
    if interval % _DAY == timedelta():
        first = (after.astimezone(zone).replace(tzinfo=None) - anchor) // interval - 1
        return _ascending((resolve(local, zone) for local in _steps(anchor, interval, first)), after)
    origin = resolve(anchor, zone)
    return _ascending(_steps(origin, interval, (after - origin) // interval), after)


def _steps(origin: datetime, interval: timedelta, first: int) -> Iterator[datetime]:
    """`origin + n * interval` for n = first, first + 1, ... until the calendar ends."""
    number = first
    while True:
        try:
            yield origin + number * interval
        except OverflowError:
            return
        number += 1
