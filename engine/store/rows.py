"""What is stored, as plain rows: the shapes shared by every store and everybody who reads one.

Instants are aware and in UTC; `Json` fields are values, never encoded text.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from engine.outcomes import Json


class SpecRow(Struct, frozen=True):
    """What a run was compiled from.

    `files` maps each file's name to its text: the flow, its libraries and sub-flows.
    """

    digest: str
    flow: str
    files: Mapping[str, str]
    created_at: datetime


class RunRow(Struct, frozen=True):
    """One run. `seq` is the number of its last event; `token` changes with each owner (fencing).

    `owner` names the engine that holds it (`engine.identity`), `None` when nobody does.
    """

    id: str
    flow: str
    digest: str
    state: str
    params: Mapping[str, Json]
    trigger: Mapping[str, Json]
    created_at: datetime
    labels: Mapping[str, Json] = field(default_factory=dict)
    priority: int = 2
    parent_run: str | None = None
    parent_task: str | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Json] | None = None
    outputs: Mapping[str, Json] | None = None
    warnings: int = 0
    noop: bool = False
    undo: str | None = None
    seq: int = 0
    token: int = 0
    owner: str | None = None


class TaskRow(Struct, frozen=True):
    """One task of a run, or one item of a fan-out (`item` >= 0; -1 is the task itself).

    `position` is the task's place in the plan; its items have the same.
    """

    run_id: str
    task: str
    item: int
    key: str | None
    state: str
    round: int
    attempts: int
    position: int
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    error: Mapping[str, Json] | None = None
    cause: str | None = None
    counts: Mapping[str, Json] | None = None


class AttemptRow(Struct, frozen=True):
    """One attempt of a task run or item."""

    run_id: str
    task: str
    item: int
    round: int
    attempt: int
    state: str
    started_at: datetime
    ended_at: datetime | None = None
    exit_code: int | None = None
    signal: str | None = None
    error: Mapping[str, Json] | None = None
    child_run: str | None = None


class EventRow(Struct, frozen=True):
    """One event of a run's log. `type` and `data` are what `engine.events.encode` makes; `task` is for queries."""

    run_id: str
    seq: int
    at: datetime
    type: str
    task: str | None
    item: int | None
    data: Mapping[str, Json]


class Flaw(Struct, frozen=True):
    """Something that does not hold of a run as it is stored."""

    run_id: str
    text: str


class Snapshot(Struct, frozen=True):
    """A run and its tasks, items and attempts, all of one instant, in the order in which a store returns them."""

    run: RunRow
    tasks: tuple[TaskRow, ...]
    attempts: tuple[AttemptRow, ...]


class RunBatch(Struct, frozen=True):
    """Everything one decision changes about one run, written in one transaction or not at all.

    `events` continue the log without a gap: the first has `run.seq - len(events) + 1`. `run` is the row as it is after
    them; `new` says that it is inserted, otherwise the stored row must have `expected_seq` and `run.token`. Whoever
    takes a run over writes a new token and names the old one in `expected_token`.

    What a run was submitted with (`flow`, `params`, `trigger`, `labels`, `created_at`, `parent_run`, `parent_task`) is
    written when it is inserted and never again.
    """

    run: RunRow
    events: tuple[EventRow, ...]
    tasks: tuple[TaskRow, ...] = ()
    attempts: tuple[AttemptRow, ...] = ()
    new: bool = False
    expected_seq: int = 0
    spec: SpecRow | None = None
    expected_token: int | None = None


class Lease(Struct, frozen=True):
    """The right of an engine to all it holds, as a commit takes or renews it: for so long from now, by the store's clock.

    With `lasts` zero it is given back: the engine holds nothing after this commit.
    """

    engine: str
    started_at: datetime
    lasts: timedelta


class EngineRow(Struct, frozen=True):
    """An engine that holds something.

    Attributes:
        id: what `RunRow.owner` says of the runs it holds.
        beats: how often it has taken or renewed its lease.
        retired: it has left its runs behind, or was proven dead: what it holds is free.
        lapsed: how long ago its lease has run out by the store's clock; negative while it runs.
    """

    id: str
    started_at: datetime
    beats: int
    retired: bool
    lapsed: timedelta


class Holding(Struct, frozen=True):
    """How many unfinished runs have one owner; `engine` is `None` where the store knows no lease of that name."""

    owner: str | None
    runs: int
    engine: EngineRow | None


class Message(Struct, frozen=True):
    """What somebody asks of a run that an engine holds, and what it answered; `done_at` is `None` until then."""

    id: str
    run_id: str
    command: str
    data: Mapping[str, Json]
    asked_by: str
    asked_at: datetime
    done_at: datetime | None = None
    answer: Mapping[str, Json] | None = None


class Answer(Struct, frozen=True):
    """What follows from a message; a message is answered once."""

    message: str
    at: datetime
    data: Mapping[str, Json] = field(default_factory=dict)


class RunFilter(Struct, frozen=True):
    """Which runs a list holds; `None` does not restrict. `states` are values of `RunState`.

    `since` and `until` are about `created_at`: the first is included, the second is not.
    """

    flow: str | None = None
    states: tuple[str, ...] | None = None
    since: datetime | None = None
    until: datetime | None = None
    top_level_only: bool = True


class Page(Struct, frozen=True):
    """Newest first. `next` is the cursor of the page after this one, `None` at the end."""

    items: tuple[RunRow, ...]
    next: str | None
