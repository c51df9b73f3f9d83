"""Rows come back from their SQL values as they were."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadCursor
from engine.store import codec, cursors, statements
from engine.store.rows import AttemptRow, EventRow, RunRow, SpecRow, TaskRow

from . import samples

STORABLE = (str, int, bool, type(None))


@given(row=samples.runs)
def test_a_run_round_trips(row: RunRow) -> None:
    values = codec.run_values(row)
    assert values[-1] == row.id[::-1]
    assert codec.run_row(values[:-1]) == row
    assert len(values) == len(statements.RUN_COLUMNS) + 1
    assert all(isinstance(value, STORABLE) for value in values)


@given(row=samples.tasks)
def test_a_task_round_trips(row: TaskRow) -> None:
    assert codec.task_row(codec.task_values(row)) == row
    assert len(codec.task_values(row)) == len(statements.TASK_COLUMNS)


@given(row=samples.attempts)
def test_an_attempt_round_trips(row: AttemptRow) -> None:
    assert codec.attempt_row(codec.attempt_values(row)) == row
    assert len(codec.attempt_values(row)) == len(statements.ATTEMPT_COLUMNS)


@given(row=samples.events)
def test_an_event_round_trips(row: EventRow) -> None:
    assert codec.event_row(codec.event_values(row)) == row
    assert len(codec.event_values(row)) == len(statements.EVENT_COLUMNS)


@given(row=samples.specs)
def test_a_spec_round_trips(row: SpecRow) -> None:
    assert codec.spec_row(codec.spec_values(row)) == row
    assert len(codec.spec_values(row)) == len(statements.SPEC_COLUMNS)


@given(instant=samples.instants)
def test_an_instant_is_exact_to_the_microsecond(instant: datetime) -> None:
    assert codec.instant(codec.micros(instant)) == instant


@given(first=samples.instants, second=samples.instants)
def test_instants_keep_their_order(first: datetime, second: datetime) -> None:
    assert (codec.micros(first) < codec.micros(second)) == (first < second)


def test_an_instant_of_another_zone_is_stored_in_utc() -> None:
    there = datetime(1970, 1, 1, 2, 0, 1, tzinfo=timezone(timedelta(hours=2)))
    assert codec.micros(there) == 1_000_000
    assert codec.instant(1_000_000) == datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)


def test_json_is_compact_and_not_escaped() -> None:
    data: Mapping[str, Any] = {"a": [1, {"é": "\0"}], "b": None}
    values = codec.event_values(EventRow("r", 1, samples.NOW, "t", None, None, data))
    assert values[-1] == '{"a":[1,{"é":"\\u0000"}],"b":null}'


def written(data: Mapping[str, Any]) -> str:
    """The data of an event as it is stored."""
    text = codec.event_values(EventRow("r", 1, samples.NOW, "t", None, None, data))[-1]
    assert isinstance(text, str)
    return text


plain = st.none() | st.booleans() | st.integers() | st.integers(-(10**30), 10**30) | st.text() | st.just("\ud83d")
nested = st.recursive(plain, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=12)


@given(value=nested)
def test_json_is_written_as_the_standard_library_writes_it(value: Any) -> None:
    standard = json.dumps({"a": value}, ensure_ascii=False, separators=(",", ":"))
    assert written({"a": value}) == standard


@given(number=st.floats(allow_nan=False) | st.sampled_from((1e16, 5e-324, -0.0, 1e22, 123456789012345680.0)))
def test_a_number_with_a_fraction_is_read_as_it_was(number: float) -> None:
    found = json.loads(written({"a": number}))["a"]
    assert (found, str(found)) == (number, str(number))


def test_what_is_no_number_stays_so() -> None:
    assert str(json.loads(written({"a": [float("nan")]}))["a"][0]) == "nan"


def test_a_mapping_of_any_kind_is_stored() -> None:
    inner: Any = MappingProxyType({"b": 1})
    row = EventRow("r", 1, samples.NOW, "t", None, None, MappingProxyType({"a": inner}))
    assert codec.event_row(codec.event_values(row)).data == {"a": {"b": 1}}


@given(text=st.text())
def test_replacing_surrogates_leaves_what_utf8_can_hold(text: str) -> None:
    replaced = codec.replace_surrogates(text)
    replaced.encode()
    if not any("\ud800" <= sign <= "\udfff" for sign in text):
        assert replaced == text


def test_a_pair_of_surrogates_becomes_its_character() -> None:
    assert codec.replace_surrogates("\ud83d\ude80 \ud83d") == "\U0001f680 \ufffd"


@given(created=samples.integers, run_id=samples.texts)
def test_a_cursor_round_trips(created: int, run_id: str) -> None:
    text = cursors.write_cursor(created, run_id)
    assert cursors.read_cursor(text) == (created, run_id)
    assert text.replace("-", "a").replace("_", "a").isalnum()


@given(text=st.text() | st.text("abcMTIzOg-_=", max_size=12))
def test_no_other_text_is_a_cursor(text: str) -> None:
    with suppress(BadCursor):
        assert cursors.write_cursor(*cursors.read_cursor(text)) == text


@pytest.mark.parametrize("text", ["{", "[]", "1", ""])
def test_a_text_that_is_no_object_is_not_read_as_one(text: str) -> None:
    with pytest.raises((ValueError, TypeError)):
        codec.event_row(("r", 1, 0, "t", None, None, text))
