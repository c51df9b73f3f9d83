"""What the log keeps: every event survives being written, and the words it is written in stay."""

from __future__ import annotations

import json
import typing
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.events import EVENT_TYPES, TYPE_NAMES, Event, decode, decode_failure, encode, encode_failure
from engine.outcomes import Ending, Failure

texts = st.text(st.characters(codec="utf-8"), max_size=8)
instants = st.datetimes(datetime(1970, 1, 1), datetime(9999, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
maps = st.dictionaries(texts, json_values, max_size=3)
optional_ints = st.none() | st.integers(0, 255)
failures = st.builds(
    Failure,
    kind=texts,
    message=texts,
    exit_code=optional_ints,
    signal=st.none() | texts,
    http_status=optional_ints,
    name=st.none() | texts,
    retry_after_s=st.none() | st.floats(0, 1e9),
    rate_limited=st.booleans(),
    matched=st.lists(texts, max_size=2).map(tuple),
    asks_upstream=st.lists(texts, max_size=2).map(tuple),
)

BY_NAME: dict[str, st.SearchStrategy[Any]] = {
    "params": maps,
    "trigger": maps,
    "env": st.dictionaries(texts, texts, max_size=3),
    "outputs": st.none() | maps,
    "keys": st.lists(texts, max_size=3).map(tuple),
    "items": st.lists(json_values, max_size=3).map(tuple),
    "members": st.lists(texts, max_size=3).map(tuple),
    "notes": st.lists(texts, max_size=3).map(tuple),
}
BY_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: texts,
    int: st.integers(0, 10**6),
    bool: st.booleans(),
    datetime: instants,
    Ending: st.sampled_from(Ending),
    Failure: failures,
}


def values_of(kind: type, name: str, hint: Any) -> st.SearchStrategy[Any]:
    if name == "output":
        return maps if kind.__name__ == "AttemptFinished" else json_values
    if name in BY_NAME:
        return BY_NAME[name]
    allowed = typing.get_args(hint) or (hint,)
    return st.one_of([st.none() if one is type(None) else BY_TYPE[one] for one in allowed])


def events_of(kind: type[Event]) -> st.SearchStrategy[Event]:
    hints = typing.get_type_hints(kind)
    fields = {name: values_of(kind, name, hints[name]) for name in kind.__struct_fields__}
    return st.builds(kind, **fields)


@pytest.mark.parametrize("kind", EVENT_TYPES, ids=lambda kind: kind.__name__)
@given(data=st.data())
@settings(max_examples=25)
def test_an_event_that_was_written_is_read_back(kind: type[Event], data: st.DataObject) -> None:
    event = data.draw(events_of(kind))
    written = json.loads(json.dumps(encode(event)))
    task, item = getattr(event, "task", None), getattr(event, "item", None)
    assert decode(TYPE_NAMES[kind], event.at, task, item, written) == event


@given(failures)
def test_a_failure_that_was_written_is_read_back(failure: Failure) -> None:
    assert decode_failure(json.loads(json.dumps(encode_failure(failure)))) == failure


def test_an_event_says_nothing_that_goes_without_saying() -> None:
    at = datetime(2026, 1, 2, tzinfo=UTC)
    assert encode(decode("task_succeeded", at, "a", None, {})) == {}
    assert encode(decode("task_failed", at, "a", None, {"failure": {"kind": "exit", "message": "m"}})) == {
        "failure": {"kind": "exit", "message": "m"}
    }


def test_an_unknown_name_is_told() -> None:
    with pytest.raises(KeyError):
        decode("task_exploded", datetime(2026, 1, 2, tzinfo=UTC), None, None, {})


STORED = {
    "run_submitted": "at flow digest params trigger env directory priority scheduled_at parent_run parent_task parent_item"
    " base",
    "run_taken_over": "at previous owner reason",
    "run_started": "at",
    "run_draining": "at reason stops by note",
    "run_hurried": "at everything",
    "phase_entered": "at phase",
    "run_finished": "at state failure outputs warnings noop undo",
    "task_queued": "at task item",
    "fanned_out": "at task keys items",
    "task_skipped": "at task reason",
    "task_blocked": "at task cause",
    "edge_timed_out": "at task edge",
    "attempt_started": "at task item round attempt child due",
    "service_ready": "at task",
    "attempt_stopping": "at task item reason",
    "attempt_finished": "at task item round attempt started_at ending child failure exit_code output notes",
    "task_retrying": "at task item due why",
    "task_completing": "at task output failure",
    "task_succeeded": "at task item output",
    "task_failed": "at task failure item",
    "task_cancelled": "at task item",
    "reset_requested": "at task members due failure",
    "tasks_reset": "at task members",
}
"""A released name keeps its meaning: lines are added here, and neither changed nor removed."""


def test_names_and_fields_are_those_that_logs_hold() -> None:
    found = {TYPE_NAMES[kind]: " ".join(name for name in kind.__struct_fields__) for kind in EVENT_TYPES}
    assert found == STORED
    assert {str(ending) for ending in Ending} == {"succeeded", "failed", "stopped", "lost"}
