"""Rows as SQL values and back: instants are integer microseconds, JSON is compact text.

The encoders return tuples in the order of the column names in `engine.store.statements`; the decoders take tuples in
the same order. Both kinds of database use them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, TypeAlias

import msgspec

from engine.outcomes import Json
from engine.store.rows import (
    Answer,
    AttemptRow,
    EngineRow,
    EventRow,
    Holding,
    Lease,
    Message,
    RunRow,
    SpecRow,
    TaskRow,
)

Value: TypeAlias = str | int | None
"""What a column holds."""

Record: TypeAlias = Sequence[Any]
"""One row as the driver returns it."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@lru_cache(maxsize=256)
def micros(instant: datetime) -> int:
    """Microseconds from 1970 to an aware instant, exact. Remembered: rows of one commit hold few instants, each often."""
    span = instant - EPOCH
    return (span.days * 86_400 + span.seconds) * 1_000_000 + span.microseconds


def instant(value: int) -> datetime:
    """The instant in UTC that `micros` gave."""
    return EPOCH + timedelta(microseconds=value)


def replace_surrogates(text: str) -> str:
    """`text` as UTF-8 can hold it: a pair of surrogates becomes its character, a lone one U+FFFD."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def run_values(row: RunRow) -> tuple[Value, ...]:
    """All columns of `runs`, the id backwards at the end."""
    return (
        row.id,
        row.flow,
        row.digest,
        row.state,
        _text(row.params),
        _text(row.trigger),
        micros(row.created_at),
        _text(row.labels),
        row.priority,
        row.parent_run,
        row.parent_task,
        *run_changes(row),
        row.id[::-1],
    )


def run_changes(row: RunRow) -> tuple[Value, ...]:
    """The columns of `runs` that follow `parent_task`: those that later batches write, but for the indexed state."""
    return (
        None if row.scheduled_at is None else micros(row.scheduled_at),
        None if row.started_at is None else micros(row.started_at),
        None if row.ended_at is None else micros(row.ended_at),
        None if row.error is None else _text(row.error),
        None if row.outputs is None else _text(row.outputs),
        row.warnings,
        row.noop,
        row.undo,
        row.seq,
        row.token,
        row.owner,
    )


def task_values(row: TaskRow) -> tuple[Value, ...]:
    """All columns of `tasks`."""
    return (
        row.run_id,
        row.task,
        row.item,
        row.key,
        row.state,
        row.round,
        row.attempts,
        row.position,
        None if row.queued_at is None else micros(row.queued_at),
        None if row.started_at is None else micros(row.started_at),
        None if row.ended_at is None else micros(row.ended_at),
        None if row.error is None else _text(row.error),
        row.cause,
        None if row.counts is None else _text(row.counts),
    )


def attempt_values(row: AttemptRow) -> tuple[Value, ...]:
    """All columns of `attempts`."""
    return (
        row.run_id,
        row.task,
        row.item,
        row.round,
        row.attempt,
        row.state,
        micros(row.started_at),
        None if row.ended_at is None else micros(row.ended_at),
        row.exit_code,
        row.signal,
        None if row.error is None else _text(row.error),
        row.child_run,
    )


def event_values(row: EventRow) -> tuple[Value, ...]:
    """All columns of `events`."""
    return (row.run_id, row.seq, micros(row.at), row.type, row.task, row.item, _text(row.data))


def spec_values(row: SpecRow) -> tuple[Value, ...]:
    """All columns of `specs`."""
    return (row.digest, row.flow, _text(row.files), micros(row.created_at))


def message_values(row: Message) -> tuple[Value, ...]:
    """All columns of `inbox`."""
    return (
        row.id,
        row.run_id,
        row.command,
        _text(row.data),
        row.asked_by,
        micros(row.asked_at),
        None if row.done_at is None else micros(row.done_at),
        None if row.answer is None else _text(row.answer),
    )


def answer_values(answer: Answer) -> tuple[Value, ...]:
    """What an answer writes to `inbox`, and the id of its message."""
    return (micros(answer.at), _text(answer.data), answer.message)


def lease_values(lease: Lease, *, clock: str, now: int) -> tuple[Value, ...]:
    """All columns of `engines` for a first beat at `now`, microseconds of the clock named."""
    return (lease.engine, micros(lease.started_at), clock, now, now + span_micros(lease.lasts), 1, False)


def span_micros(span: timedelta) -> int:
    """The microseconds of a span, exact."""
    return span // timedelta(microseconds=1)


def run_row(record: Record) -> RunRow:
    """The run of a record with all columns of `runs` but the last."""
    (id_, flow, digest, state, params, trigger, created, labels, priority, parent_run, parent_task, *changes) = record
    scheduled, started, ended, error, outputs, warnings, noop, undo, seq, token, owner = changes
    return RunRow(
        id=id_,
        flow=flow,
        digest=digest,
        state=state,
        params=_object(params),
        trigger=_object(trigger),
        created_at=instant(created),
        labels=_object(labels),
        priority=priority,
        parent_run=parent_run,
        parent_task=parent_task,
        scheduled_at=_instant(scheduled),
        started_at=_instant(started),
        ended_at=_instant(ended),
        error=_maybe_object(error),
        outputs=_maybe_object(outputs),
        warnings=warnings,
        noop=bool(noop),
        undo=undo,
        seq=seq,
        token=token,
        owner=owner,
    )


def task_row(record: Record) -> TaskRow:
    """The task or item of a record."""
    run_id, task, item, key, state, round_, attempts, position, queued, started, ended, error, cause, counts = record
    return TaskRow(
        run_id=run_id,
        task=task,
        item=item,
        key=key,
        state=state,
        round=round_,
        attempts=attempts,
        position=position,
        queued_at=_instant(queued),
        started_at=_instant(started),
        ended_at=_instant(ended),
        error=_maybe_object(error),
        cause=cause,
        counts=_maybe_object(counts),
    )


def attempt_row(record: Record) -> AttemptRow:
    """The attempt of a record."""
    run_id, task, item, round_, attempt, state, started, ended, exit_code, signal, error, child_run = record
    return AttemptRow(
        run_id=run_id,
        task=task,
        item=item,
        round=round_,
        attempt=attempt,
        state=state,
        started_at=instant(started),
        ended_at=_instant(ended),
        exit_code=exit_code,
        signal=signal,
        error=_maybe_object(error),
        child_run=child_run,
    )


def event_row(record: Record) -> EventRow:
    """The event of a record."""
    run_id, seq, at, type_, task, item, data = record
    return EventRow(run_id, seq, instant(at), type_, task, item, _object(data))


def spec_row(record: Record) -> SpecRow:
    """The spec of a record."""
    digest, flow, files, created = record
    return SpecRow(digest, flow, {name: str(text) for name, text in _object(files).items()}, instant(created))


def holding(record: Record, *, clock: str, now: int) -> Holding:
    """A record of an owner, the number of its runs, and all columns of its engine, which are `None` if there is none.

    `now` is the instant by the clock named; a lease by another clock has run out."""
    owner, runs, id_, started, its_clock, beat, expires, beats, retired = record
    if id_ is None:
        return Holding(owner, runs, None)
    until = expires if its_clock == clock else min(expires, beat, now)
    lapsed = timedelta(microseconds=now - until)
    return Holding(owner, runs, EngineRow(id_, instant(started), beats, bool(retired), lapsed))


def message_row(record: Record) -> Message:
    """The message of a record."""
    id_, run_id, command, data, asked_by, asked_at, done_at, answer = record
    return Message(
        id_, run_id, command, _object(data), asked_by, instant(asked_at), _instant(done_at), _maybe_object(answer)
    )


def _as_plain(value: object) -> object:
    """What the JSON encoder asks for when it meets a mapping that is not a dict."""
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"{type(value).__name__} is no JSON value")


_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_as_plain).encode
_encode_fast = msgspec.json.Encoder(enc_hook=_as_plain).encode
_decode = json.JSONDecoder().decode


def _text(value: Mapping[str, Json] | Mapping[str, str]) -> str:
    if not value:
        return "{}"
    try:
        text = _encode_fast(value).decode()
    except (OverflowError, UnicodeEncodeError):  # integers of more than 64 bits, halves of characters
        return _encode(value)
    return _encode(value) if "null" in text else text  # which stands for no number, too


def _instant(value: int | None) -> datetime | None:
    return None if value is None else instant(value)


def _object(text: str) -> dict[str, Json]:
    if text == "{}":
        return {}
    value = _decode(text)
    if not isinstance(value, dict):
        raise TypeError("not a JSON object")
    return value


def _maybe_object(text: str | None) -> dict[str, Json] | None:
    return None if text is None else _object(text)
