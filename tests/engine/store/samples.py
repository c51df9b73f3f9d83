"""Rows to store, and strategies that draw them from the whole range of their types."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from hypothesis import strategies as st
from msgspec.structs import replace

from engine.outcomes import Json
from engine.store.rows import AttemptRow, EventRow, Lease, RunBatch, RunRow, SpecRow, TaskRow

NOW = datetime(2026, 3, 4, 5, 6, 7, 891_011, tzinfo=UTC)


def run(run_id: str, *, seq: int = 1, created: float = 0, state: str = "running", **fields: object) -> RunRow:
    """A run created so many seconds after `NOW`."""
    row = RunRow(
        id=run_id,
        flow="etl",
        digest="d1",
        state=state,
        params={"day": "2026-03-04"},
        trigger={"kind": "manual"},
        created_at=NOW + timedelta(seconds=created),
        seq=seq,
    )
    return replace(row, **fields)


def lease(engine: str, *, lasts: timedelta = timedelta(seconds=15)) -> Lease:
    return Lease(engine, NOW, lasts)


def event(run_id: str, seq: int, data: Mapping[str, Json] | None = None) -> EventRow:
    return EventRow(run_id, seq, NOW + timedelta(microseconds=seq), "task_queued", "load", None, data or {"n": seq})


def task(run_id: str, name: str, *, item: int = -1, position: int = 0, state: str = "pending") -> TaskRow:
    return TaskRow(run_id, name, item, None, state, 1, 0, position)


def attempt(run_id: str, name: str, number: int = 1, *, item: int = -1, round_: int = 1) -> AttemptRow:
    return AttemptRow(run_id, name, item, round_, number, "running", NOW)


def inserting(row: RunRow, **fields: object) -> RunBatch:
    """The batch that stores a new run, with the events its `seq` says."""
    events = tuple(event(row.id, seq) for seq in range(1, row.seq + 1))
    return replace(RunBatch(row, events, new=True), **fields)


def continuing(row: RunRow, *, events: int = 1, **fields: object) -> RunBatch:
    """The batch that takes a stored run as it was read so many events further."""
    after = replace(row, seq=row.seq + events)
    new = tuple(event(row.id, seq) for seq in range(row.seq + 1, after.seq + 1))
    return replace(RunBatch(after, new, expected_seq=row.seq), **fields)


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
"""Any text UTF-8 can hold, NUL and line breaks included."""

integers = st.integers(-(1 << 63), (1 << 63) - 1)
instants = st.datetimes(timezones=st.just(UTC))
maybe_instants = st.none() | instants
values: st.SearchStrategy[Json] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(texts, values, max_size=4)
maybe_objects = st.none() | objects

specs = st.builds(
    SpecRow, digest=texts, flow=texts, files=st.dictionaries(texts, texts, max_size=3), created_at=instants
)
runs = st.builds(
    RunRow,
    id=texts,
    flow=texts,
    digest=texts,
    state=texts,
    params=objects,
    trigger=objects,
    created_at=instants,
    labels=objects,
    priority=integers,
    parent_run=st.none() | texts,
    parent_task=st.none() | texts,
    scheduled_at=maybe_instants,
    started_at=maybe_instants,
    ended_at=maybe_instants,
    error=maybe_objects,
    outputs=maybe_objects,
    warnings=integers,
    noop=st.booleans(),
    undo=st.none() | texts,
    seq=integers,
    token=integers,
    owner=st.none() | texts,
)
tasks = st.builds(
    TaskRow,
    run_id=texts,
    task=texts,
    item=integers,
    key=st.none() | texts,
    state=texts,
    round=integers,
    attempts=integers,
    position=integers,
    queued_at=maybe_instants,
    started_at=maybe_instants,
    ended_at=maybe_instants,
    error=maybe_objects,
    cause=st.none() | texts,
    counts=maybe_objects,
)
attempts = st.builds(
    AttemptRow,
    run_id=texts,
    task=texts,
    item=integers,
    round=integers,
    attempt=integers,
    state=texts,
    started_at=instants,
    ended_at=maybe_instants,
    exit_code=st.none() | integers,
    signal=st.none() | texts,
    error=maybe_objects,
    child_run=st.none() | texts,
)
events = st.builds(
    EventRow,
    run_id=texts,
    seq=integers,
    at=instants,
    type=texts,
    task=st.none() | texts,
    item=st.none() | integers,
    data=objects,
)
