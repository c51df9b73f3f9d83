"""When triggers by time fire, around the days on which clocks change."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.calendar import next_fires
from specs.model.triggers import TriggerSpec

BERLIN = "Europe/Berlin"  # 2026: forward on 29 March at 02:00, back on 25 October at 03:00
NEW_YORK = "America/New_York"  # 2026: forward on 8 March at 02:00, back on 1 November at 02:00
LORD_HOWE = "Australia/Lord_Howe"  # 2026: back on 5 April at 02:00, forward on 4 October at 02:00, by half an hour


def trigger(**fields: object) -> TriggerSpec:
    """A trigger with these keys."""
    return TriggerSpec.model_validate(fields)


def utc(text: str) -> datetime:
    """`text` read as a time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def ticks_on(day: date, *, zone: str, cron: str) -> list[str]:
    """Wall-clock times with offset of all ticks on one local day."""
    place = ZoneInfo(zone)
    start = datetime(day.year, day.month, day.day, tzinfo=place).astimezone(UTC)
    fires = next_fires(trigger(cron=cron, timezone=zone), start - timedelta(microseconds=1), 2000)
    local = [at.astimezone(place) for at in fires]
    return [at.strftime("%H:%M%z") for at in local if at.date() == day]


@pytest.mark.parametrize(
    ("zone", "day", "ticks"),
    [
        (BERLIN, date(2026, 3, 29), 46),
        (BERLIN, date(2026, 10, 25), 50),
        (BERLIN, date(2026, 7, 1), 48),
        (NEW_YORK, date(2026, 3, 8), 46),
        (NEW_YORK, date(2026, 11, 1), 50),
        (LORD_HOWE, date(2026, 10, 4), 47),
        (LORD_HOWE, date(2026, 4, 5), 49),
    ],
)
def test_every_half_hour_follows_elapsed_time_on_change_days(zone: str, day: date, ticks: int) -> None:
    assert len(ticks_on(day, zone=zone, cron="*/30 * * * *")) == ticks


@pytest.mark.parametrize(
    ("zone", "day", "cron", "ticks"),
    [
        (BERLIN, date(2026, 3, 29), "30 2 * * *", ["03:00+0200"]),
        (BERLIN, date(2026, 10, 25), "30 2 * * *", ["02:30+0200"]),
        (BERLIN, date(2026, 3, 29), "0,30 2,3 * * *", ["03:00+0200", "03:30+0200"]),
        (BERLIN, date(2026, 10, 25), "0,30 2,3 * * *", ["02:00+0200", "02:30+0200", "03:00+0100", "03:30+0100"]),
        (BERLIN, date(2026, 10, 25), "15 * * * *", [f"{h:02}:15+0200" for h in range(3)]
            + [f"{h:02}:15+0100" for h in range(2, 24)]),
        (NEW_YORK, date(2026, 3, 8), "30 2 * * *", ["03:00-0400"]),
        (NEW_YORK, date(2026, 11, 1), "30 1 * * *", ["01:30-0400"]),
        (LORD_HOWE, date(2026, 10, 4), "15 2 * * *", ["02:30+1100"]),
        (LORD_HOWE, date(2026, 10, 4), "30 2 * * *", ["02:30+1100"]),
        (LORD_HOWE, date(2026, 4, 5), "45 1 * * *", ["01:45+1100"]),
    ],
)  # fmt: skip
def test_fixed_hours_keep_the_wall_clock(zone: str, day: date, cron: str, ticks: list[str]) -> None:
    assert ticks_on(day, zone=zone, cron=cron) == ticks


@pytest.mark.parametrize("zone", [BERLIN, NEW_YORK, LORD_HOWE, "UTC", "Asia/Kolkata", "America/St_Johns"])
def test_half_past_two_fires_exactly_once_on_every_local_day(zone: str) -> None:
    fires = next_fires(trigger(cron="30 2 * * *", timezone=zone), utc("2025-12-31T20:00"), 730)
    days = [at.astimezone(ZoneInfo(zone)).date() for at in fires]
    assert days == [days[0] + timedelta(days=n) for n in range(730)]


@given(
    minutes=st.integers(0, 6 * 365 * 24 * 60),
    zone=st.sampled_from([BERLIN, NEW_YORK, LORD_HOWE, "Pacific/Apia"]),
    cron=st.sampled_from(["*/15 * * * *", "30 2 * * *", "0 */2 * * *", "45 1,2 * * 0", "@hourly", "@daily"]),
)
@settings(max_examples=60, deadline=None)
def test_a_schedule_read_in_pieces_is_the_same_as_in_one(minutes: int, zone: str, cron: str) -> None:
    spec = trigger(cron=cron, timezone=zone)
    start = utc("2024-01-01T00:00") + timedelta(minutes=minutes)
    whole = next_fires(spec, start, 12)
    assert list(whole) == sorted(set(whole))
    at, pieces = start, []
    for _ in whole:
        (at,) = next_fires(spec, at, 1)
        pieces.append(at)
    assert tuple(pieces) == whole


def test_reading_between_the_two_occurrences_finds_the_second() -> None:
    spec = trigger(cron="*/30 * * * *", timezone=BERLIN)
    assert next_fires(spec, utc("2026-10-25T00:45"), 2) == (utc("2026-10-25T01:00"), utc("2026-10-25T01:30"))


def test_cron_without_a_zone_is_in_utc_and_starts_after_the_instant() -> None:
    assert next_fires(trigger(cron="0 12 * * *"), utc("2026-01-01T12:00"), 1) == (utc("2026-01-02T12:00"),)


def test_all_hours_written_out_is_the_same_as_a_star() -> None:
    day = date(2026, 10, 25)
    assert ticks_on(day, zone=BERLIN, cron="0 0-23 * * *") == ticks_on(day, zone=BERLIN, cron="0 * * * *")


@pytest.mark.parametrize(
    ("cron", "days"),
    [
        ("0 0 13 * 5", [2, 9, 13, 16, 23, 30]),  # with both days restricted, either will do
        ("0 0 * * 7", [4, 11, 18, 25]),
        ("0 0 1-31 * mon-fri", [1, 2, 5, 6, 7, 8, 9, 12]),
        ("@weekly", [4, 11, 18, 25]),
    ],
)
def test_days_of_month_and_of_week_are_read_as_cron_reads_them(cron: str, days: list[int]) -> None:
    fires = next_fires(trigger(cron=cron), utc("2025-12-31T12:00"), len(days))
    assert [at.day for at in fires] == days


def test_a_date_that_never_comes_gives_nothing() -> None:
    assert next_fires(trigger(cron="0 0 30 2 *"), utc("2026-01-01T00:00"), 3) == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"cron": "60 * * * *"},
        {"cron": "*/0 * * * *"},
        {"cron": "0 0 * * * *"},
        {"cron": "* * *"},
        {"cron": ""},
        {"cron": "@reboot"},
        {"cron": "r * * * *"},
        {"cron": "h(0-3) * * * *"},
        {"cron": "\x00 * * * *"},
        {"cron": "0 0 * * *", "timezone": "../../etc/passwd"},
        {"cron": "0 0 * * *", "timezone": "Europe/Berln"},
        {"cron": "0 0 * * *", "timezone": ""},
        {"every": timedelta(0)},
        {"every": timedelta(hours=1), "anchor": "25:00"},
        {"at": "tomorrow"},
        {"every": "1h", "starts_at": "0001-01-01T00:00", "timezone": "Asia/Tokyo"},
        {"at": "2026-01-01T00:00"},
        {"at": "2026-01-01T00:00Z", "ends_at": "never"},
    ],
)
def test_what_the_checks_refuse_is_a_value_error(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        next_fires(trigger(**fields), utc("2026-01-01T00:00"), 1)


@given(st.text(alphabet="0123456789*/,-lLwW#?hr @monjan\t", max_size=20))
@settings(max_examples=300, deadline=None)
def test_any_cron_text_gives_times_or_a_value_error(text: str) -> None:
    try:
        fires = next_fires(trigger(cron=text), utc("2026-01-01T00:00"), 2)
    except ValueError:
        return
    assert list(fires) == sorted(fires)


def test_an_interval_counts_from_local_midnight() -> None:
    fires = next_fires(trigger(every="6h", timezone=BERLIN), utc("2026-01-10T00:00"), 4)
    assert [at.astimezone(ZoneInfo(BERLIN)).hour for at in fires] == [6, 12, 18, 0]


def test_an_interval_counts_from_its_anchor_without_drift() -> None:
    spec = trigger(every="7h", anchor="2026-01-01T01:00:00+00:00")
    fires = next_fires(spec, utc("2026-03-01T00:00"), 500)
    assert all((at - utc("2026-01-01T01:00")) % timedelta(hours=7) == timedelta(0) for at in fires)
    assert {b - a for a, b in pairwise(fires)} == {timedelta(hours=7)}


def test_an_interval_shorter_than_a_day_ignores_clock_changes() -> None:
    fires = next_fires(trigger(every="90m", timezone=BERLIN), utc("2026-03-28T12:00"), 40)
    assert {b - a for a, b in pairwise(fires)} == {timedelta(minutes=90)}


def test_an_interval_of_whole_days_keeps_its_hour_when_clocks_change() -> None:
    fires = next_fires(trigger(every="1d", anchor="06:00", timezone=BERLIN), utc("2026-03-27T12:00"), 4)
    assert [at.astimezone(ZoneInfo(BERLIN)).hour for at in fires] == [6, 6, 6, 6]


def test_a_weekly_interval_starts_on_mondays() -> None:
    fires = next_fires(trigger(every="1w"), utc("2026-01-01T00:00"), 3)
    assert [at.isoweekday() for at in fires] == [1, 1, 1]


def test_an_instant_fires_once_and_never_again() -> None:
    spec = trigger(at="2026-05-01T08:00", timezone=BERLIN)
    assert next_fires(spec, utc("2026-01-01T00:00"), 5) == (utc("2026-05-01T06:00"),)
    assert next_fires(spec, utc("2026-05-01T06:00"), 5) == ()
    assert next_fires(trigger(at="2026-05-01T08:00:00-03:00"), utc("2026-01-01T00:00"), 5) == (utc("2026-05-01T11:00"),)


def test_a_schedule_holds_between_its_start_and_its_end() -> None:
    spec = trigger(cron="0 0 * * *", starts_at="2026-02-01T00:00", ends_at="2026-02-03T00:00")
    assert next_fires(spec, utc("2026-01-01T00:00"), 9) == (utc("2026-02-01T00:00"), utc("2026-02-02T00:00"))


def test_triggers_that_are_off_or_go_by_events_have_no_times() -> None:
    now = utc("2026-01-01T00:00")
    assert next_fires(trigger(cron="* * * * *", enabled=False), now, 3) == ()
    assert next_fires(trigger(webhook={"path": "/hooks/x"}), now, 3) == ()
    assert next_fires(trigger(cron="* * * * *"), now, 0) == ()


def test_the_end_of_the_calendar_is_the_end_of_the_schedule() -> None:
    last = datetime(9999, 12, 31, 23, 30, tzinfo=UTC)
    assert next_fires(trigger(every="20m"), last, 5) == (last + timedelta(minutes=10),)
    assert next_fires(trigger(cron="0 0 * * *"), last, 5) == ()
    assert next_fires(trigger(cron="0 0 * * *", starts_at="0001-01-01T00:00"), utc("0001-01-01T00:00"), 1) == ()
