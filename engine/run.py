"""A run as its events have made it: the value that `engine.evolve` folds into and `engine.decide` reads.

The objects are changed in place by `evolve` and by nothing else; a run rebuilt from its log is equal to the one that was
driven. `timers`, `dirty`, `settled`, `to_undo` and `closing` are work lists derived on the way and not part of that equality.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from msgspec import Struct, field

from engine.outcomes import Failure, Json
from engine.states import RunState, TaskState

WAITING, MET, OFF, NO, BROKEN = "waiting", "met", "off", "no", "broken"
"""The states of an edge (`LANGUAGE.md` 5)."""


class Unit(Struct):
    """What attempts are made of: a task without a fan-out, or one item.

    Attributes:
        attempt: the number of the latest attempt in this round; 0 before the first.
        used: attempts used up since the last success of a `repeat`; what `retry.attempts` bounds.
        refused: attempts in a row that were refused for their rate.
        lost: attempts in a row that were lost.
        repeats: successful attempts of a `repeat` so far.
        queue_order: the event number at which it was queued, for a stable order.
        started_at: start of the first attempt in this round.
        live: an attempt is being made and has not been reported as finished.
        stopping: why the running attempt was told to end, `None` when it was not.
        due: when the next attempt, or the end of a wait, has its time.
        child: run id of the sub-flow's run.
    """

    state: TaskState = TaskState.PENDING
    attempt: int = 0
    used: int = 0
    refused: int = 0
    lost: int = 0
    repeats: int = 0
    queue_order: int = 0
    queued_at: datetime | None = None
    started_at: datetime | None = None
    attempt_started_at: datetime | None = None
    ended_at: datetime | None = None
    live: bool = False
    stopping: str | None = None
    due: datetime | None = None
    failure: Failure | None = None
    output: Json = None
    child: str | None = None


class ItemRun(Unit):
    """One item of a fan-out."""

    key: str = ""
    value: Json = None


class TaskRun(Unit):
    """A task of a run.

    Attributes:
        round: counts from 1, one more with each reset.
        started: its first attempt in this round has begun (of a service: it was ready).
        edges: the state of each edge of the plan's task, in that order; `open` of them are `waiting`, `open_arms` of
            those are arms; `met` are `met` and no arms.
        held: how many tasks that name it in `before_complete` are not final.
        forced: edges that count as met because their time has passed.
        items: of a fan-out that has been expanded; `None` before and for other tasks.
        active, succeeded, failed: how many items are not final, have succeeded, have failed.
        chosen: the tasks of the arm that a branch or switch took.
        cause: of a blocked task, the task it was blocked by; of a skipped one, the reason.
        cleanup: it was started although the run was draining.
        requests: resets this task has asked for in this run.
    """

    round: int = 1
    started: bool = False
    edges: list[str] = field(default_factory=list)
    open: int = 0
    open_arms: int = 0
    met: int = 0
    held: int = 0
    forced: tuple[int, ...] = ()
    items: list[ItemRun] | None = None
    active: int = 0
    succeeded: int = 0
    failed: int = 0
    chosen: tuple[str, ...] = ()
    cause: str | None = None
    cleanup: bool = False
    requests: int = 0

    def unit(self, item: int | None) -> Unit:
        """The item at `item`, or the task itself for `None`."""
        if item is None:
            return self
        if self.items is None:
            raise LookupError("the task has no items")
        return self.items[item]


class Timer(Struct, frozen=True, order=True):
    """Something that is due at an instant. It counts only if the task is still in `round` and `attempt`."""

    at: datetime
    order: int
    kind: str
    task: str = ""
    item: int | None = None
    round: int = 0
    attempt: int = 0


class Run(Struct, eq=False):
    """One execution of a flow.

    Attributes:
        seq: number of the last event folded in.
        phase: `start` (start hooks), `main`, `undo`, `hooks`.
        draining: reason of the drain, `None` while the run goes on as planned.
        stops: the drain ends what runs, too.
        hurried: cleanup is over; with `hurried_everything` hooks and undo are, too.
        pending_resets: resets that wait for members to end or for their delay: (asking task, members, due).
        suspended: the members of those, each with the number of resets it waits for.
        fanned_out: items made so far, bounded by `limits.fan_out_items`.
        main_left: tasks of the flow itself that are not final.
    """

    id: str
    tasks: dict[str, TaskRun]
    seq: int = 0
    state: RunState = RunState.QUEUED
    flow: str = ""
    digest: str = ""
    params: Mapping[str, Json] = field(default_factory=dict)
    trigger: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    priority: int = 2
    submitted_at: datetime | None = None
    scheduled_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    parent_run: str | None = None
    parent_task: str | None = None
    parent_item: int | None = None
    phase: str = ""
    draining: str | None = None
    stops: bool = False
    hurried: bool = False
    hurried_everything: bool = False
    failure: Failure | None = None
    outputs: Mapping[str, Json] | None = None
    warnings: int = 0
    noop: bool = False
    undo: str | None = None
    resets: int = 0
    pending_resets: list[tuple[str, tuple[str, ...], datetime]] = field(default_factory=list)
    suspended: dict[str, int] = field(default_factory=dict)
    fanned_out: int = 0
    main_left: int = 0
    timers: list[Timer] = field(default_factory=list)
    dirty: list[str] = field(default_factory=list)
    settled: list[str] = field(default_factory=list)
    to_undo: list[str] | None = None
    closing: list[str] | None = None

    def __eq__(self, other: object) -> bool:
        """Whether both have come to the same state; the work lists are not looked at."""
        if not isinstance(other, Run):
            return NotImplemented
        return all(getattr(self, name) == getattr(other, name) for name in _STATE_FIELDS)

    __hash__ = None  # type: ignore[assignment]


_WORK_LISTS = ("timers", "dirty", "settled", "to_undo", "closing")
_STATE_FIELDS = tuple(name for name in Run.__struct_fields__ if name not in _WORK_LISTS)
