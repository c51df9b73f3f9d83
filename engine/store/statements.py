"""The statements of the hot path, as text that SQLite and PostgreSQL both take, and what each call of the store sends.

A parameter is `?`; a driver that writes it otherwise replaces it, no statement holds one for any other reason. A test
holds the columns named here and the tables to be the same.
"""

# ruff: noqa: S608 -- statements are put together from names in this file; every value is a parameter

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from msgspec import Struct

from engine.states import RunState
from engine.store.codec import (
    Value,
    answer_values,
    attempt_values,
    event_values,
    lease_values,
    message_values,
    micros,
    replace_surrogates,
    run_changes,
    run_values,
    spec_values,
    task_values,
)
from engine.store.rows import Answer, Lease, Message, RunBatch, RunFilter

SPEC_COLUMNS = ("digest", "flow", "files", "created_at")
RUN_CHANGES = (
    "scheduled_at",
    "started_at",
    "ended_at",
    "error",
    "outputs",
    "warnings",
    "noop",
    "undo",
    "seq",
    "token",
    "owner",
)
RUN_COLUMNS = (
    "id",
    "flow",
    "digest",
    "state",
    "params",
    "trigger",
    "created_at",
    "labels",
    "priority",
    "parent_run",
    "parent_task",
    *RUN_CHANGES,
)
TASK_KEY = ("run_id", "task", "item")
TASK_COLUMNS = (
    *TASK_KEY,
    "key",
    "state",
    "round",
    "attempts",
    "position",
    "queued_at",
    "started_at",
    "ended_at",
    "error",
    "cause",
    "counts",
)
ATTEMPT_KEY = ("run_id", "task", "item", "round", "attempt")
ATTEMPT_COLUMNS = (
    *ATTEMPT_KEY,
    "state",
    "started_at",
    "ended_at",
    "exit_code",
    "signal",
    "error",
    "child_run",
)
EVENT_COLUMNS = ("run_id", "seq", "at", "type", "task", "item", "data")
ENGINE_COLUMNS = ("id", "started_at", "clock", "beat_at", "expires_at", "beats", "retired")
INBOX_COLUMNS = ("id", "run_id", "command", "data", "asked_by", "asked_at", "done_at", "answer")

_LARGEST = (1 << 63) - 1
_SHORTEST_PART = 4
"""Fewer characters of an id than these are an accident, not a name."""


class Query(Struct, frozen=True):
    """A statement that reads, with its parameters."""

    sql: str
    values: tuple[Value, ...]


class Write(Struct, frozen=True):
    """A statement that writes, once for each of `rows`. If `guarded`, each must hit exactly one stored row."""

    sql: str
    rows: list[tuple[Value, ...]]
    guarded: bool = False

    def weight(self) -> int:
        """Characters of the last column of all rows: where the large values are, an event's data above all."""
        return sum([len(last) for *_, last in self.rows if isinstance(last, str)])


def _insert(table: str, columns: Sequence[str], conflict: str = "") -> str:
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))}){conflict}"


def _upsert(table: str, key: Sequence[str], columns: Sequence[str]) -> str:
    changes = ", ".join(f"{column} = excluded.{column}" for column in columns if column not in key)
    return _insert(table, columns, f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}")


def _select(table: str, columns: Sequence[str], alias: str | None = None) -> str:
    names = ", ".join(f"{alias}.{column}" if alias else column for column in columns)
    return f"SELECT {names} FROM {table}{f' AS {alias}' if alias else ''}"


INSERT_SPEC = _insert("specs", SPEC_COLUMNS, " ON CONFLICT DO NOTHING")
INSERT_RUN = _insert("runs", (*RUN_COLUMNS, "reversed_id"))
INSERT_EVENT = _insert("events", EVENT_COLUMNS)
UPSERT_TASK = _upsert("tasks", TASK_KEY, TASK_COLUMNS)
UPSERT_ATTEMPT = _upsert("attempts", ATTEMPT_KEY, ATTEMPT_COLUMNS)

# The state has a statement of its own because it is indexed: writing it unchanged would rewrite two indexes each time.
_CHANGED = ("digest", "priority", *RUN_CHANGES)
UPDATE_RUN = f"UPDATE runs SET {', '.join(f'{c} = ?' for c in _CHANGED)} WHERE id = ? AND seq = ? AND token = ?"
UPDATE_RUN_STATE = "UPDATE runs SET state = ? WHERE id = ? AND state <> ?"

SELECT_ID = "SELECT id FROM runs WHERE id = ?"
SELECT_FENCE = "SELECT seq, token FROM runs WHERE id = ?"
SELECT_SPEC = f"{_select('specs', SPEC_COLUMNS)} WHERE digest = ?"
SELECT_RUN = f"{_select('runs', RUN_COLUMNS)} WHERE id = ?"
SELECT_CHILDREN = f"{_select('runs', RUN_COLUMNS)} WHERE parent_run = ? ORDER BY created_at, id"
SELECT_LATEST = "SELECT id FROM runs WHERE parent_run IS NULL ORDER BY created_at DESC, id DESC LIMIT 1"
SELECT_TASKS = f"{_select('tasks', TASK_COLUMNS)} WHERE run_id = ? AND item = -1 ORDER BY position, task"
SELECT_ITEMS = f"{_select('tasks', TASK_COLUMNS)} WHERE run_id = ? ORDER BY position, task, item"
SELECT_MATCHING = (
    "SELECT id, created_at FROM runs WHERE id >= ? AND id < ?"
    " UNION SELECT id, created_at FROM runs WHERE reversed_id >= ? AND reversed_id < ?"
    " ORDER BY created_at DESC, id DESC LIMIT ?"
)
_ATTEMPTS = (
    f"{_select('attempts', ATTEMPT_COLUMNS, 'a')}"
    " LEFT JOIN tasks AS t ON t.run_id = a.run_id AND t.task = a.task AND t.item = a.item WHERE a.run_id = ?"
)
_ATTEMPTS_ORDER = " ORDER BY t.position NULLS FIRST, a.task, a.item, a.round, a.attempt"
_EVENTS = f"{_select('events', EVENT_COLUMNS)} WHERE run_id = ? AND seq > ? ORDER BY seq"

SELECT_EVENT = f"{_select('events', EVENT_COLUMNS)} WHERE run_id = ? AND seq = ?"

RENEW_LEASE = (
    f"{_insert('engines', ENGINE_COLUMNS)} ON CONFLICT (id) DO UPDATE SET clock = excluded.clock,"
    " beat_at = excluded.beat_at, expires_at = excluded.expires_at, beats = engines.beats + 1, retired = FALSE"
)
END_LEASE = "DELETE FROM engines WHERE id = ?"
RETIRE_ENGINE = "UPDATE engines SET retired = TRUE WHERE id = ?"
_OPEN = f"state IN ({', '.join(repr(state.value) for state in RunState if not state.is_final)})"
FORGET_ENGINES = (
    "DELETE FROM engines WHERE retired = ?"
    f" AND NOT EXISTS (SELECT 1 FROM runs WHERE {_OPEN} AND runs.owner = engines.id)"
)
SELECT_HOLDINGS = (
    f"SELECT held.owner, held.runs, {', '.join(f'engines.{c}' for c in ENGINE_COLUMNS)}"
    f" FROM (SELECT owner, count(*) AS runs FROM runs WHERE {_OPEN} GROUP BY owner) AS held"
    " LEFT JOIN engines ON engines.id = held.owner"
)
SELECT_HELD = f"{_select('runs', RUN_COLUMNS)} WHERE {_OPEN} AND owner = ? AND id > ? ORDER BY id LIMIT ?"
SELECT_UNHELD = f"{_select('runs', RUN_COLUMNS)} WHERE {_OPEN} AND owner IS NULL AND id > ? ORDER BY id LIMIT ?"
INSERT_MESSAGE = f"{_insert('inbox', INBOX_COLUMNS)} ON CONFLICT (id) DO NOTHING"
ANSWER_MESSAGE = "UPDATE inbox SET done_at = ?, answer = ? WHERE id = ? AND done_at IS NULL"
SELECT_MESSAGE = f"{_select('inbox', INBOX_COLUMNS)} WHERE id = ?"
SELECT_ASKED = (
    f"{_select('inbox', INBOX_COLUMNS, 'i')} JOIN runs ON runs.id = i.run_id"
    " WHERE i.done_at IS NULL AND runs.owner = ? ORDER BY i.asked_at, i.id"
)

Row = TypeVar("Row")


def writes(batches: Sequence[RunBatch], *, retired: Sequence[str] = (), answers: Sequence[Answer] = ()) -> list[Write]:
    """Everything a commit writes but for a lease, grouped by table so that each statement is prepared once, in an order
    that holds: a run is inserted before it is changed, of several changes to one row the last stays, and engines are
    forgotten when what they held has another owner.
    """
    new = [batch.run for batch in batches if batch.new]
    old = [batch for batch in batches if not batch.new]
    every = (
        Write(INSERT_SPEC, [spec_values(batch.spec) for batch in batches if batch.spec is not None]),
        Write(INSERT_RUN, [run_values(run) for run in new]),
        Write(UPDATE_RUN, [_update(batch) for batch in old], guarded=True),
        Write(UPDATE_RUN_STATE, [(batch.run.state, batch.run.id, batch.run.state) for batch in old]),
        Write(INSERT_EVENT, _encoded(event_values, (batch.events for batch in batches))),
        Write(UPSERT_TASK, _encoded(task_values, (batch.tasks for batch in batches))),
        Write(UPSERT_ATTEMPT, _encoded(attempt_values, (batch.attempts for batch in batches))),
        Write(ANSWER_MESSAGE, [answer_values(answer) for answer in answers]),
        Write(RETIRE_ENGINE, [(engine,) for engine in retired]),
        Write(FORGET_ENGINES, [(True,)] if retired else []),
    )
    return [write for write in every if write.rows]


def lease_write(lease: Lease, *, clock: str, now: int) -> Write:
    """What a lease writes at `now`, microseconds of the clock named."""
    if not lease.lasts:
        return Write(END_LEASE, [(lease.engine,)])
    return Write(RENEW_LEASE, [lease_values(lease, clock=clock, now=now)])


def message_write(message: Message) -> Write:
    """What asking writes, with what UTF-8 cannot hold replaced."""
    return cleaned(Write(INSERT_MESSAGE, [message_values(message)]))


def list_held(owner: str | None, *, after: str, limit: int) -> Query:
    """Unfinished runs of an owner, or of nobody, by id."""
    if owner is None:
        return Query(SELECT_UNHELD, (after, limit))
    return Query(SELECT_HELD, (owner, after, limit))


def check_logs(batches: Sequence[RunBatch]) -> None:
    """Raise `ValueError` if a batch does not continue its run's log: a defect of whoever made it.

    A log with a gap could never be folded, so it must not reach the disk.
    """
    for batch in batches:
        first = (0 if batch.new else batch.expected_seq) + 1
        if [event.seq for event in batch.events] != list(range(first, batch.run.seq + 1)):
            raise ValueError(f"batch of run {batch.run.id} does not continue its log at {first} up to {batch.run.seq}")


def cleaned(write: Write) -> Write:
    """The same write, with what UTF-8 cannot hold replaced."""
    return Write(write.sql, [without_surrogates(row) for row in write.rows], guarded=write.guarded)


def without_surrogates(values: Iterable[Value]) -> tuple[Value, ...]:
    """The same values, with what UTF-8 cannot hold replaced."""
    return tuple(replace_surrogates(value) if isinstance(value, str) else value for value in values)


def list_runs(where: RunFilter, *, limit: int, after: tuple[int, str] | None) -> Query:
    """The newest `limit` runs below `after`, a run's `created_at` and id.

    Each state is asked for by itself and the answers are merged: so the index yields each part in order, and neither a
    rare nor a common state makes the list read what it does not return.
    """
    states: tuple[str | None, ...] = (None,) if where.states is None else tuple(dict.fromkeys(where.states))
    parts = [_list_part(where, state=state, limit=limit, after=after) for state in states]
    if len(parts) == 1:
        return parts[0]
    union = " UNION ALL ".join(f"SELECT * FROM ({part.sql}) AS part" for part in parts)
    values = tuple(value for part in parts for value in part.values)
    return Query(f"{union} ORDER BY created_at DESC, id DESC LIMIT ?", (*values, limit))


def matching_ids(text: str, *, limit: int) -> Query | None:
    """Ids that start or end with `text`, newest first; `None` when it is too short to name a run by a part."""
    if len(text) < _SHORTEST_PART:
        return None
    backwards = text[::-1]
    return Query(SELECT_MATCHING, (text, _above(text), backwards, _above(backwards), limit))


def list_attempts(run_id: str, *, task: str | None, item: int | None) -> Query:
    """Attempts of a run, of one task, or of one item, in order."""
    sql, values = _ATTEMPTS, [run_id]  # type: str, list[Value]
    for column, value in (("task", task), ("item", item)):
        if value is not None:
            sql += f" AND a.{column} = ?"
            values.append(value)
    return Query(sql + _ATTEMPTS_ORDER, tuple(values))


def list_events(run_id: str, *, after: int, limit: int | None) -> Query:
    """Events above `after`, all of them or the first `limit`."""
    query = Query(_EVENTS, (run_id, min(after, _LARGEST)))
    return query if limit is None else Query(f"{_EVENTS} LIMIT ?", (*query.values, min(max(limit, 0), _LARGEST)))


def _list_part(where: RunFilter, *, state: str | None, limit: int, after: tuple[int, str] | None) -> Query:
    terms: list[str] = []
    values: list[Value] = []

    def require(term: str, *its_values: Value) -> None:
        terms.append(term)
        values.extend(its_values)

    if where.flow is not None:
        require("flow = ?", where.flow)
    if state is not None:
        require("state = ?", state)
    if where.since is not None:
        require("created_at >= ?", micros(where.since))
    until = None if where.until is None else micros(where.until)
    # Of the two upper ends only the lower is named: the index is entered at one of them, not always at the better one.
    if after is not None and (until is None or after[0] < until):
        require("(created_at, id) < (?, ?)", *after)
    elif until is not None:
        require("created_at < ?", until)
    if where.top_level_only:
        # Beside a flow or a state, written so that it does not tempt the planner to enter the index of children.
        require("parent_run IS NULL" if where.flow is None and state is None else "(parent_run || '') IS NULL")
    filtered = f" WHERE {' AND '.join(terms)}" if terms else ""
    sql = f"{_select('runs', RUN_COLUMNS)}{filtered} ORDER BY created_at DESC, id DESC LIMIT ?"
    return Query(sql, (*values, limit))


def _update(batch: RunBatch) -> tuple[Value, ...]:
    run = batch.run
    token = run.token if batch.expected_token is None else batch.expected_token
    return (run.digest, run.priority, *run_changes(run), run.id, batch.expected_seq, token)


def _encoded(encode: Callable[[Row], tuple[Value, ...]], groups: Iterable[Sequence[Row]]) -> list[tuple[Value, ...]]:
    return [encode(row) for rows in groups for row in rows]


def _above(text: str) -> str:
    """The end of the range of texts that start with `text`: nothing sorts above U+10FFFF."""
    return text + "\U0010ffff"
