"""Runs, tasks and events as JSON objects: the shapes that `run`, `show`, `runs` and `events` print."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from engine.instants import written
from engine.outcomes import Json
from flowctl.redaction import HIDDEN

if TYPE_CHECKING:
    from engine.store.rows import EventRow, RunRow, TaskRow

SCHEMA_VERSION = 1
NO_ITEM = -1


def event_object(row: EventRow) -> dict[str, Any]:
    """An event as `events --json` and `run --json` print it."""
    found: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "type": row.type,
        "run": row.run_id,
        "seq": row.seq,
        "at": instant(row.at),
    }
    if row.task is not None:
        found["task"] = row.task
    if row.item is not None:
        found["item"] = row.item
    return {**found, **row.data}


def instant(at: datetime | None) -> str | None:
    """RFC 3339 with zone."""
    return None if at is None else written(at)


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return None if start is None or end is None else round((end - start).total_seconds(), 6)


def run_object(row: RunRow, *, sensitive: frozenset[str] = frozenset(), is_interrupted: bool = False) -> dict[str, Any]:
    """A run as it is listed. Parameters named in `sensitive` are hidden."""
    return {
        "id": row.id,
        "flow": row.flow,
        "state": row.state,
        "interrupted": is_interrupted,
        "digest": row.digest,
        "params": {name: HIDDEN if name in sensitive else value for name, value in row.params.items()},
        "trigger": dict(row.trigger),
        "labels": dict(row.labels),
        "created_at": instant(row.created_at),
        "scheduled_at": instant(row.scheduled_at),
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
        "duration_s": _seconds(row.started_at, row.ended_at),
        "error": failure_object(row.error),
        "outputs": None if row.outputs is None else dict(row.outputs),
        "warnings": row.warnings,
        "noop": row.noop,
        "undo": row.undo,
        "parent": None if row.parent_run is None else {"run": row.parent_run, "task": row.parent_task},
    }


def failure_object(error: Mapping[str, Json] | None) -> dict[str, Json] | None:
    """An error with `kind`, `message`, and what else is known of it."""
    return None if error is None else dict(error)


def task_object(row: TaskRow) -> dict[str, Any]:
    """A task, or one item, as `show` prints it."""
    found: dict[str, Any] = {
        "state": row.state,
        "attempts": row.attempts,
        "round": row.round,
        "error": failure_object(row.error),
        "queued_at": instant(row.queued_at),
        "started_at": instant(row.started_at),
        "ended_at": instant(row.ended_at),
        "duration_s": _seconds(row.started_at, row.ended_at),
    }
    if row.cause is not None:
        found["cause"] = row.cause
    return found


class TaskRows(Protocol):
    """Where the rows of tasks come from: a store, or a run as it once was."""

    def tasks(self, run_id: str, *, items: bool = False) -> tuple[TaskRow, ...]:
        """Tasks in file order; with `items`, each fan-out's items follow it."""


def summary_object(
    rows: TaskRows, run: RunRow, *, sensitive: frozenset[str] = frozenset(), is_interrupted: bool = False
) -> dict[str, Any]:
    """The summary of a run: the last line of `run --json`, and what `show --json` prints."""
    groups: dict[str, dict[str, Any]] = {"tasks": {}, "hooks": {}, "undo": {}}
    for row in rows.tasks(run.id, items=True):
        group, name = _group_of(row.task)
        if group != "tasks" and row.state == "pending":
            continue
        if row.item == NO_ITEM:
            groups[group][name] = task_object(row)
            if row.counts is not None:
                counts = {key: row.counts.get(key, 0) for key in ("total", "succeeded", "failed")}
                groups[group][name].update(counts=counts, items=[], attempts=0)
        else:
            entry = groups[group][name]
            if row.round != entry["round"] or "items" not in entry:
                continue  # of an earlier round, which had more items
            entry["items"].append({"index": row.item, "key": row.key, **task_object(row)})
            entry["attempts"] += row.attempts
    found = {
        "schema_version": SCHEMA_VERSION,
        "type": "summary",
        "run": run_object(run, sensitive=sensitive, is_interrupted=is_interrupted),
    }
    return {**found, **{name: tasks for name, tasks in groups.items() if tasks or name == "tasks"}}


def _group_of(task: str) -> tuple[str, str]:
    """Where a task is listed: the flow's own, hooks (`failure.tell`), or undo."""
    head, dot, rest = task.partition(".")
    return (head, rest) if dot else ("tasks", task)
