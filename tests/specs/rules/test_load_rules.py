"""Schedules against the time runs take, days on which clocks change, requests made twice, edges said twice."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from itertools import product
from zoneinfo import ZoneInfo

import pytest

from specs.check import check_text
from specs.diagnostics import Diagnostic
from tests.specs.rules.checking import HEAD, found, marked, only

RUN = "tasks:\n  a: {run: x}\n"


def asked(text: str, code: str, *, now: datetime | None = None) -> list[Diagnostic]:
    checked = check_text((HEAD + text).encode(), "flow.yaml", None, opt_in=frozenset({code}), now=now)
    assert checked.context is not None
    return [one for one in checked.diagnostics if one.code == code]


@pytest.mark.parametrize(
    ("schedule", "interval"),
    [
        ("every: 30m", "30m"),
        ("cron: '0 * * * *'", "1h on average"),
        ("cron: '*/15 * * * *'", "15m on average"),
        ("cron: '0,1 * * * *'", "30m on average"),
    ],
)
def test_a_schedule_is_held_against_the_time_of_a_run(schedule: str, interval: str) -> None:
    finding = only(f"timeout: 2h\ntriggers: {{t: {{{schedule}}}}}\n{RUN}", "FLOW504")
    assert finding.message == f"fires every {interval}, a run may take 2h and only 1 may run"


@pytest.mark.parametrize(
    "text",
    [
        "timeout: 30m\ntriggers: {t: {every: 30m}}\n",
        "timeout: 1h\nconcurrency: {runs: 2}\ntriggers: {t: {every: 30m}}\n",
        "timeout: 1h\nconcurrency: {when_busy: skip}\ntriggers: {t: {every: 30m}}\n",
        "timeout: 3h\ntriggers: {t: {cron: '0,10 8 * * mon'}}\n",
        "triggers: {t: {every: 1s}}\n",
    ],
)
def test_a_schedule_that_leaves_time_is_fine(text: str) -> None:
    assert found(text + RUN, "FLOW504") == []


def test_a_written_wait_is_time_that_a_run_takes() -> None:
    text = "triggers: {t: {every: 1h}}\ntasks:\n  a: {wait: {for: 90m}}\n  b: {wait: {for: 90m}, after: [a]}\n"
    assert "a run may take 3h" in only(text, "FLOW504").message


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Australia/Lord_Howe", "Asia/Tokyo"])
def test_a_time_is_unusual_exactly_when_a_clock_on_the_wall_does_not_show_it_once_a_day(zone: str) -> None:
    now = datetime(2026, 1, 1, tzinfo=UTC)
    quarters = (now + timedelta(minutes=15 * number) for number in range(366 * 96))
    shown = Counter(instant.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) for instant in quarters)
    days = {local.date() for local in shown} - {min(shown).date(), max(shown).date()}
    for hour, minute in product(range(5), (0, 15, 30, 45)):
        counts = {shown[datetime(day.year, day.month, day.day, hour, minute)] for day in days}  # noqa: DTZ001
        text = f"triggers: {{t: {{cron: '{minute} {hour} * * *', timezone: {zone}}}}}\n{RUN}"
        kinds = {0 if "not exist" in one.message else 2 for one in asked(text, "FLOW505", now=now)}
        assert kinds == counts - {1}, (hour, minute)


def test_nothing_is_said_of_days_to_come_by_those_who_know_no_present() -> None:
    text = "triggers: {t: {cron: '30 2 * * *', timezone: Europe/Berlin}, u: {at: '2001-01-01T00:00:00Z'}}\n"
    assert asked(text + RUN, "FLOW505") == asked(text + RUN, "FLOW506") == []


@pytest.mark.parametrize(
    "more",
    [
        "d: {run: x, after: [a, maybe]}",
        "d: {run: x, after: [a, b], join: any}",
        "d: {run: x, after: [{task: a, timeout: 5m}, b]}",
        "d: {run: x, after_end: [a], after: [b]}",
    ],
)
def test_an_edge_that_says_more_is_not_redundant(more: str) -> None:
    text = f"tasks:\n  a: {{run: x}}\n  b: {{run: x, after: [a]}}\n  maybe: {{run: x, after: [a], if: env.X == ''}}\n  {more}\n"
    assert asked(f"env: {{X: ''}}\n{text}", "FLOW205") == []


def test_an_edge_is_redundant_over_any_number_of_tasks() -> None:
    chain = "".join(f"  t{n}: {{run: x, after: [t{n - 1}]}}\n" for n in range(1, 50))
    text = f"tasks:\n  t0: {{run: x}}\n{chain}  last: {{run: x, after: [t49, t0]}}\n"
    (finding,) = asked(text, "FLOW205")
    assert marked(finding) == "t0"
    assert finding.message == "`last` waits for `t0` already through `t49`"


def test_what_is_read_by_an_expression_that_cannot_be_read_is_not_called_unused() -> None:
    text = 'params: {a: {}, b: {}}\ntasks:\n  t: {exec: [x, "${{ params.a }}", "${{ params[ }}"]}\n'
    assert asked(text, "FLOW601") == []
    assert [marked(one) for one in asked(text.replace('"${{ params[ }}"', "y"), "FLOW601")] == ["b"]


def test_a_root_that_is_read_as_a_whole_uses_all_names() -> None:
    assert asked('params: {a: {}, b: {}}\ntasks:\n  t: {exec: [x, "${{ params | tojson }}"]}\n', "FLOW601") == []
