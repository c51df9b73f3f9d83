"""Triggers, cron expressions and time zones."""

from __future__ import annotations

import pytest
from croniter import croniter
from hypothesis import given
from hypothesis import strategies as st

from specs.cron import CronError, parse_cron
from specs.zones import is_zone, nearest_zone, zone_names
from tests.specs.rules.checking import codes, fixed, found, marked, only


def trigger(keys: str, params: str = "{}") -> str:
    return f"params: {params}\ntriggers:\n  t: {{{keys}}}\ntasks: {{a: {{run: x}}}}\n".replace("params: {}\n", "")


@pytest.mark.parametrize(
    ("cron", "marked_text", "message"),
    [
        ("0 */3 * *", '"0 */3 * *"', "cron: expected five fields, found 4"),
        ("0 0 0 1 1 *", '"0 0 0 1 1 *"', "cron: expected five fields, found 6"),
        ("60 * * * *", "60", "cron: `60` is out of range for minute"),
        ("0 24 * * *", "24", "cron: `24` is out of range for hour"),
        ("0 0 0 * *", "0", "cron: `0` is out of range for day of month"),
        ("0 0 * 13 *", "13", "cron: `13` is out of range for month"),
        ("0 0 * * 8", "8", "cron: `8` is out of range for day of week"),
        ("0 0 * foo *", "foo", "cron: `foo` in month"),
        ("*/0 * * * *", "0", "cron: the step `0` in minute is not between 1 and 59"),
        ("*/90 * * * *", "90", "cron: the step `90` in minute is not between 1 and 59"),
        ("0 22-2 * * *", "22-2", "cron: the range `22-2` in hour goes backwards"),
        ("0 0 * * 1-1", "1-1", "cron: the range `1-1` in day of week is a single value"),
        ("5/15 * * * *", "5/15", "cron: a step needs a range, found `5/15` in minute"),
        ("0 0 L * *", "L", "cron: `L` in day of month"),
        ("@every 5m", "@every 5m", "cron: unknown name `@every 5m`"),
    ],
)
def test_a_wrong_field_of_a_cron_is_marked(cron: str, marked_text: str, message: str) -> None:
    finding = only(trigger(f'cron: "{cron}"'), "FLOW501")
    assert finding.message == message
    assert marked(finding).strip('"') == marked_text.strip('"')
    assert finding.help


def test_the_range_of_a_field_is_its_help() -> None:
    assert only(trigger('cron: "60 * * * *"'), "FLOW501").help == "minute is 0 to 59"
    assert only(trigger('cron: "0 0 * x *"'), "FLOW501").help == "month is 1 to 12, or `jan` to `dec`"


@pytest.mark.parametrize(
    "cron", ["30 2 * * *", "@daily", "*/5 8-18 * jan,mar mon-fri", "0 0 29 2 *", "0 0 * * mon-sun"]
)
def test_a_cron_that_fires_is_fine(cron: str) -> None:
    assert codes(trigger(f'cron: "{cron}"')) == []


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4 *", "0 0 31 2,4,6,9,11 *"])
def test_a_day_that_no_month_has_never_fires(cron: str) -> None:
    assert len(found(trigger(f'cron: "{cron}"'), "FLOW503")) == 1


def test_with_a_weekday_as_well_either_day_will_do() -> None:
    assert codes(trigger('cron: "0 0 30 2 mon"')) == []


def test_a_schedule_that_ends_before_it_starts_never_fires() -> None:
    keys = "every: 1h, starts_at: 2026-02-01T00:00:00Z, ends_at: 2026-01-01T00:00:00Z"
    assert len(found(trigger(keys), "FLOW503")) == 1


def numbers(least: int, greatest: int) -> st.SearchStrategy[str]:
    value = st.integers(least, greatest)
    single = value.map(str)
    span = st.tuples(value, value).filter(lambda pair: pair[0] != pair[1]).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.tuples(st.one_of(st.just("*"), span), st.integers(1, greatest - least)).map(
        lambda pair: f"{pair[0]}/{pair[1]}"
    )
    return st.one_of(st.just("*"), st.lists(st.one_of(single, span, step), min_size=1, max_size=3).map(",".join))


@given(st.tuples(numbers(0, 59), numbers(0, 23), numbers(1, 31), numbers(1, 12), numbers(0, 6)).map(" ".join))
def test_what_is_accepted_is_read_as_the_scheduler_reads_it(text: str) -> None:
    cron = parse_cron(text)
    ours = (cron.minutes, cron.hours, cron.days, cron.months, cron.weekdays)
    ranges = (range(60), range(24), range(1, 32), range(1, 13), range(7))
    for values, theirs, whole in zip(ours, croniter.expand(text)[0], ranges, strict=True):
        assert set(values) == (set(whole) if theirs == ["*"] else set(theirs))


@given(st.text(alphabet="0123456789*/-, @LW#?janmonAZ٣\n", max_size=30))
def test_no_text_breaks_the_reader_and_every_refusal_has_a_place_and_a_help(text: str) -> None:
    try:
        parse_cron(text)
    except CronError as error:
        refused = error
    else:
        return
    assert 0 <= refused.start <= refused.end <= len(text)
    assert refused.help


# --- zones ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("zone", "near"),
    [("Europe/Berln", "Europe/Berlin"), ("europe/berlin", "Europe/Berlin"), ("utc", "UTC"), ("Tokyo", "Asia/Tokyo")],
)
def test_a_zone_is_written_as_it_is_in_the_database(zone: str, near: str) -> None:
    finding = only(trigger(f'cron: "0 0 * * *", timezone: {zone}'), "FLOW502")
    assert finding.help == f"did you mean `{near}`?"
    assert codes(fixed(finding)) == []


@pytest.mark.parametrize(
    "zone", ["../../etc/passwd", "", " ", "/etc/localtime", "posix/Europe/Berlin", "localtime", "a" * 5000]
)
def test_a_hostile_zone_is_refused(zone: str) -> None:
    assert len(found(trigger(f'cron: "0 0 * * *", timezone: "{zone}"'), "FLOW502")) == 1


def test_zones_of_operating_hours_are_checked() -> None:
    text = 'hours: {start: "08:00", timezone: Europe/Pariss}\n' + trigger("every: 1h, hours: {timezone: Mars/Base}")
    assert len(found(text, "FLOW502")) == 2


def test_every_zone_of_the_list_is_one() -> None:
    assert len(zone_names()) > 400
    assert all(is_zone(name) and nearest_zone(name) == name for name in list(zone_names())[:20])


# --- instants and keys ------------------------------------------------------------------------------------------------


def test_an_instant_says_where_its_clock_stands() -> None:
    assert only(trigger("at: 2026-01-01T08:00"), "FLOW507").message == "`at` needs an offset or a `timezone`"
    assert codes(trigger("at: 2026-01-01T08:00:00+01:00")) == []
    assert codes(trigger("at: 2026-01-01T08:00, timezone: Europe/Berlin")) == []


@pytest.mark.parametrize("text", ["tomorrow", "2026-02-30T00:00:00Z", "2026-01-01", "20260101T000000Z"])
def test_an_instant_is_a_date_and_a_time(text: str) -> None:
    assert len(found(trigger(f'at: "{text}"'), "FLOW112")) == 1


def test_an_interval_is_above_zero() -> None:
    assert len(found(trigger("every: 0s"), "FLOW119")) == 1


def test_a_trigger_has_one_kind() -> None:
    assert only(trigger("enabled: true"), "FLOW508").message == "trigger `t` has no kind"
    assert (
        only(trigger("every: 1h, at: 2026-01-01T08:00:00Z"), "FLOW508").message
        == "trigger `t` has several kinds: `every`, `at`"
    )


@pytest.mark.parametrize(
    ("keys", "key"),
    [
        ("webhook: {path: /x}, catch_up: all", "catch_up"),
        ("at: 2026-01-01T08:00:00Z, stop_after: 3", "stop_after"),
        ('cron: "0 0 * * *", anchor: "08:00"', "anchor"),
        ("file: {path: /x/*}, timezone: UTC", "timezone"),
    ],
)
def test_a_key_of_another_kind_is_refused(keys: str, key: str) -> None:
    assert marked(only(trigger(keys), "FLOW512")) == key


def test_keys_of_the_kind_are_fine() -> None:
    assert (
        codes(trigger('every: 1h, anchor: "08:00", jitter: 1m, catch_up: all, window: 1d, max: 3, stop_after: 2')) == []
    )


# --- parameters -------------------------------------------------------------------------------------------------------

NEEDS_DAY = "{day: {type: date}, n: {type: int, default: 1}}"


def test_a_trigger_gives_what_the_flow_needs() -> None:
    finding = only(trigger("every: 1h", NEEDS_DAY), "FLOW510")
    assert (finding.message, marked(finding)) == ("trigger `t` gives no `day`, which the flow needs", "t")
    assert codes(trigger('every: 1h, params: {day: "${{ trigger.time | date }}"}', NEEDS_DAY)) == []


def test_a_trigger_gives_only_parameters() -> None:
    finding = only(trigger("every: 1h, params: {day: 2026-01-01, dya: 1}", NEEDS_DAY), "FLOW510")
    assert (marked(finding), finding.help) == ("dya", "did you mean `day`?")


def test_literals_of_a_trigger_are_of_the_declared_type() -> None:
    finding = only(trigger("every: 1h, params: {day: 2026-01-01, n: many}", NEEDS_DAY), "FLOW510")
    assert finding.message == "trigger `t` gives `n` the text `many`, expected a whole number"
