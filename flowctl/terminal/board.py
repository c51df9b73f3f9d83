"""What a view of running flows shows: the events of a run folded into tasks, counts and times.

Events come as dictionaries: `type`, `run`, `task`, `item`, `at` (RFC 3339) and the fields of `engine.events`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import Struct, field

from engine.states import RunState, TaskState

EventData: TypeAlias = Mapping[str, Any]

_STATES: Mapping[str, TaskState] = {
    "task_queued": TaskState.QUEUED,
    "fanned_out": TaskState.QUEUED,
    "task_skipped": TaskState.SKIPPED,
    "task_blocked": TaskState.BLOCKED,
    "attempt_started": TaskState.RUNNING,
    "task_retrying": TaskState.RETRYING,
    "task_completing": TaskState.COMPLETING,
    "task_succeeded": TaskState.SUCCEEDED,
    "task_failed": TaskState.FAILED,
    "task_cancelled": TaskState.CANCELLED,
}


class Row(Struct):
    """A task as shown. `counts` has the items of a fan-out by state, `total` their number, `None` without one."""

    task: str
    state: TaskState = TaskState.PENDING
    started_at: datetime | None = None
    ended_at: datetime | None = None
    note: str = ""
    total: int | None = None
    items: dict[int, TaskState] = field(default_factory=dict)
    counts: Counter[TaskState] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """How many items are final."""
        return sum(number for state, number in self.counts.items() if state.is_final)

    def seconds(self, now: datetime | None) -> float | None:
        """How long the task has taken, or took; `None` before it started."""
        end = self.ended_at or now
        return None if self.started_at is None or end is None else max((end - self.started_at).total_seconds(), 0.0)


class Change(Struct):
    """A move that an event made: of a task, or with `item` of one item of it."""

    row: Row
    state: TaskState
    item: int | None = None


class Board(Struct):
    """One run. `latest` is the time of the newest event, the only clock there is here."""

    run: str
    flow: str = ""
    state: RunState = RunState.QUEUED
    started_at: datetime | None = None
    ended_at: datetime | None = None
    latest: datetime | None = None
    rows: dict[str, Row] = field(default_factory=dict)
    note: str = ""

    def apply(self, event: EventData) -> Change | None:
        """Take in an event; the move of a task or item that it made, if it made one. Unknown types change nothing."""
        at = instant(event["at"])
        self.latest = at if at is not None else self.latest
        kind = str(event["type"])
        if kind.startswith("run_"):
            self._run(kind, event)
            return None
        if kind == "tasks_reset":
            for member in event.get("members", ()):
                self.rows[member] = Row(member)
            return None
        return self._task(kind, event)

    def seconds(self, now: datetime | None = None) -> float:
        """How long the run has gone on."""
        end = self.ended_at or now or self.latest
        return 0.0 if self.started_at is None or end is None else max((end - self.started_at).total_seconds(), 0.0)

    def tally(self) -> Counter[TaskState]:
        """How many tasks are in each state."""
        return Counter(row.state for row in self.rows.values())

    def _run(self, kind: str, event: EventData) -> None:
        match kind:
            case "run_submitted":
                self.flow = str(event.get("flow", ""))
            case "run_started":
                self.state, self.started_at, self.ended_at = RunState.RUNNING, self.latest, None
            case "run_draining":
                self.note = f"draining: {event.get('reason', '')}"
            case "run_finished":
                self.state, self.ended_at = RunState(event["state"]), self.latest
                self.note = failure_text(event)

    def _task(self, kind: str, event: EventData) -> Change | None:
        state = _STATES.get(kind)
        task = event.get("task")
        if state is None or not isinstance(task, str):
            return None
        row = self.rows.setdefault(task, Row(task))
        if kind == "attempt_started" and (event.get("child") or event.get("due")):
            state = TaskState.WAITING  # no process of its own: a sub-flow or a wait
        if kind == "attempt_started" and row.started_at is None:
            row.started_at = self.latest
        item = event.get("item")
        if isinstance(item, int):
            return self._item(row, item, state)
        if kind == "fanned_out":
            row.total = len(event.get("keys", ()))
            row.items = dict.fromkeys(range(row.total), TaskState.QUEUED)
            row.counts = Counter({TaskState.QUEUED: row.total})
        row.state, row.note = state, note_of(event)
        row.ended_at = self.latest if state.is_final else None
        return Change(row, state)

    def _item(self, row: Row, item: int, state: TaskState) -> Change:
        old = row.items.get(item)
        if old is not None:
            row.counts[old] -= 1
        row.items[item] = state
        row.counts[state] += 1
        if not row.state.is_final:
            row.state = TaskState.RUNNING if row.counts[TaskState.RUNNING] or row.done else row.state
        return Change(row, state, item)


def instant(value: object) -> datetime | None:
    """The instant written as RFC 3339, or given as one; `None` for anything else."""
    if isinstance(value, datetime):
        return value
    try:
        return datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        return None


def failure_text(event: EventData) -> str:
    """One line about the failure an event carries: `exit: the process ended with code 2`."""
    failure = event.get("failure")
    if not isinstance(failure, Mapping):
        return ""
    return ": ".join(str(part) for part in (failure.get("kind"), failure.get("message")) if part)


def note_of(event: EventData) -> str:
    """What an event says besides the new state: why, because of whom, how often."""
    match event["type"]:
        case "task_blocked":
            return f"needs {event.get('cause', 'a task that failed')}"
        case "task_skipped":
            return str(event.get("reason", ""))
        case "task_retrying":
            return f"{event.get('why', '')}, next at {_time_of_day(event.get('due'))}"
        case "attempt_started" if int(event.get("attempt", 1)) > 1:
            return f"attempt {event['attempt']}"
        case _:
            return failure_text(event)


def human_seconds(seconds: float) -> str:
    """A length of time in few characters: `0.4s`, `12s`, `3m05s`, `2h07m`."""
    if seconds < 9.95:
        return f"{seconds:.1f}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m"


def _time_of_day(value: object) -> str:
    at = instant(value)
    return at.strftime("%H:%M:%S") if at is not None else "once more"
