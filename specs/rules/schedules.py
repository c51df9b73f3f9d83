"""Triggers: their kind and keys, when those by time fire, what they give to the run (FLOW501 to 503, 507, 508, 510,
512)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime

from specs.context import FlowContext, Path, Rule
from specs.cron import CronError, parse_cron
from specs.diagnostics import Diagnostic, Edit, Fix, Place
from specs.literals import argument_misfit, parse_instant_text
from specs.model.triggers import KINDS, TriggerSpec
from specs.rules.edits import MOST_HINTS, Hints
from specs.suggest import listed
from specs.zones import is_zone, nearest_zone

_BY_TIME = ("cron", "every", "at")
_REPEATING = ("cron", "every")
_MEANINGFUL = {
    "timezone": _BY_TIME,
    "anchor": ("every",),
    "jitter": _BY_TIME,
    "catch_up": _BY_TIME,
    "window": _BY_TIME,
    "max": _BY_TIME,
    "starts_at": _REPEATING,
    "ends_at": _REPEATING,
    "stop_after": _REPEATING,
}
"""The kinds with which a key has a meaning; a key that is not here has one with all."""

_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d)?")


def one_kind(context: FlowContext) -> Iterator[Diagnostic]:
    """A trigger has exactly one kind."""
    for name, trigger in context.flow.triggers.items():
        kinds = trigger.kinds()
        if len(kinds) == 1:
            continue
        found = "no kind" if not kinds else f"several kinds: {listed(kinds)}"
        yield context.finding(
            "FLOW508",
            ("triggers", name),
            f"trigger `{name}` has {found}",
            key=True,
            help=f"write one of {listed(KINDS)}" if not kinds else "write a trigger for each",
        )


def key_without_meaning(context: FlowContext) -> Iterator[Diagnostic]:
    """A trigger has only keys that mean something with its kind."""
    for name, trigger in context.flow.triggers.items():
        kinds = trigger.kinds()
        for key, meant_for in _MEANINGFUL.items():
            if len(kinds) == 1 and kinds[0] not in meant_for and getattr(trigger, key) is not None:
                yield context.finding(
                    "FLOW512",
                    ("triggers", name, key),
                    f"`{key}` has no meaning for {'an' if kinds[0][0] in 'ae' else 'a'} `{kinds[0]}` trigger",
                    key=True,
                    help=f"remove it; it is for {listed(meant_for)}",
                )


# --- when -------------------------------------------------------------------------------------------------------------


def not_a_cron(context: FlowContext) -> Iterator[Diagnostic]:
    """Every cron expression can be read, and there is a day it fires on."""
    for name, trigger in context.flow.triggers.items():
        if trigger.cron is None:
            continue
        path = ("triggers", name, "cron")
        try:
            cron = parse_cron(trigger.cron)
        except CronError as error:
            place = _within(context, path, error.start, error.end)
            yield context.finding("FLOW501", path, f"cron: {error.message}", place=place, help=error.help)
            continue
        if not cron.ever_fires:
            message = f"this never fires: no month of `{trigger.cron.strip()}` has such a day"
            yield context.finding("FLOW503", path, message, help="the last day of a month is 28 to 31")


def _within(context: FlowContext, path: Path, start: int, end: int) -> Place:
    """The part of a text from `start` to `end`, or all of it where the part cannot be told."""
    whole = context.places.place(path)
    first, last = (context.places.scalar_offset(path, index) for index in (start, end - 1))
    return whole if first is None or last is None or end <= start else Place(whole.source, first, last + 1)


def unknown_zone(context: FlowContext) -> Iterator[Diagnostic]:
    """Every time zone is one of the IANA database, written as it is there."""
    left = MOST_HINTS
    for path, zone in _zones(context):
        if not is_zone(zone):
            near = nearest_zone(zone) if left > 0 else None
            left -= 1
            yield context.finding(
                "FLOW502",
                path,
                f"unknown time zone `{zone}`" if zone else "the time zone is empty",
                help=f"did you mean `{near}`?" if near else "write a name such as `Europe/Berlin`, or `UTC`",
                fix=Fix(f"write `{near}`", (Edit(context.places.place(path), near),)) if near else None,
            )


def _zones(context: FlowContext) -> Iterator[tuple[Path, str]]:
    if context.flow.hours is not None:
        yield ("hours", "timezone"), context.flow.hours.timezone
    for name, trigger in context.flow.triggers.items():
        if trigger.timezone is not None:
            yield ("triggers", name, "timezone"), trigger.timezone
        if trigger.hours is not None:
            yield ("triggers", name, "hours", "timezone"), trigger.hours.timezone


def not_an_instant(context: FlowContext) -> Iterator[Diagnostic]:
    """`at` says which instant it is; the bounds of a schedule are instants, and leave something between them."""
    for name, trigger in context.flow.triggers.items():
        for key in ("at", "starts_at", "ends_at", "anchor"):
            text = getattr(trigger, key)
            path = ("triggers", name, key)
            if text is None or (key == "anchor" and _CLOCK.fullmatch(text)):
                continue
            instant = parse_instant_text(text)
            if instant is None:
                example = "write for example `2026-01-31T08:00:00Z`"
                message = f"expected a date and time, found `{text[:40]}`"
                yield context.finding("FLOW112", path, message, help=example)
            elif key == "at" and instant.tzinfo is None and trigger.timezone is None:
                yield context.finding(
                    "FLOW507",
                    path,
                    "`at` needs an offset or a `timezone`",
                    help=f"write `{text}Z` for UTC, or add `timezone: Europe/Berlin`",
                )
        yield from _no_time_left(context, name, trigger)


def _no_time_left(context: FlowContext, name: str, trigger: TriggerSpec) -> Iterator[Diagnostic]:
    starts, ends = (instant_of(text, trigger.timezone) for text in (trigger.starts_at, trigger.ends_at))
    if starts is not None and ends is not None and ends <= starts:
        path = ("triggers", name, "ends_at")
        yield context.finding(
            "FLOW503", path, "this never fires: `ends_at` is not after `starts_at`", help="write a later `ends_at`"
        )
    if trigger.every is not None and not trigger.every:
        path = ("triggers", name, "every")
        yield context.finding("FLOW119", path, "`every` is not above 0s", help="write for example `5m`")


def instant_of(text: str | None, zone: str | None) -> datetime | None:
    """The instant a text names, in UTC; `None` when there is none, or another rule refuses what is written."""
    instant = parse_instant_text(text) if text is not None else None
    if instant is None or (zone is not None and not is_zone(zone)):
        return None
    from zoneinfo import ZoneInfo  # only where a zone is written

    try:
        return (instant if instant.tzinfo else instant.replace(tzinfo=ZoneInfo(zone or "UTC"))).astimezone(UTC)
    except OverflowError:  # the first or the last day there is, in another zone
        return None


# --- what it gives ----------------------------------------------------------------------------------------------------


def parameters_of_trigger(context: FlowContext) -> Iterator[Diagnostic]:
    """A trigger gives every parameter that has no default, no other, and literals of the declared type."""
    params, hints = context.flow.params, Hints()
    for name, trigger in context.flow.triggers.items():
        for param, declared in params.items():
            if declared.required and param not in trigger.params:
                yield context.finding(
                    "FLOW510",
                    ("triggers", name),
                    f"trigger `{name}` gives no `{param}`, which the flow needs",
                    key=True,
                    help=f"add it under `params` of the trigger, or give `{param}` a default",
                )
        for param, value in trigger.params.items():
            path = ("triggers", name, "params", param)
            if param not in params:
                yield context.finding(
                    "FLOW510",
                    path,
                    f"trigger `{name}` gives `{param}`, which is no parameter of the flow",
                    key=True,
                    help=hints.help(param, params, "the flow takes no parameters"),
                )
                continue
            wrong = argument_misfit(value, params[param])
            if wrong is not None:
                message = f"trigger `{name}` gives `{param}` {wrong.found}, expected {wrong.wanted}"
                yield context.finding("FLOW510", path, message, help="write a value of the declared type")


RULES: tuple[Rule, ...] = (
    one_kind,
    key_without_meaning,
    not_a_cron,
    unknown_zone,
    not_an_instant,
    parameters_of_trigger,
)
