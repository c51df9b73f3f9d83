"""The events of a run: everything that has happened to it, in the words the log keeps.

An event is a fact, never a wish, and carries all that folding it needs (`engine.evolve`). Names and fields are stored:
a released one keeps its meaning.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeAlias

from msgspec import NODEFAULT, Struct, field

from engine.instants import written
from engine.outcomes import Ending, Failure, Json


class RunSubmitted(Struct, frozen=True):
    """The run exists. `scheduled_at` is when it may start, `None` for at once; a child run names its parent's attempt.

    `env` holds the host's variables let through and those given on the command line; `directory` is the run's own; names
    of the flow's files start from `base`.
    """

    at: datetime
    flow: str
    digest: str
    params: Mapping[str, Json]
    trigger: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    directory: str = ""
    priority: int = 2
    scheduled_at: datetime | None = None
    parent_run: str | None = None
    parent_task: str | None = None
    parent_item: int | None = None
    base: str = ""


class RunTakenOver(Struct, frozen=True):
    """Another engine drives the run from here on, `None` before it if nobody did. Attempts that were being made belong to
    the engine before; what became of them, the next events say. `reason` is one line."""

    at: datetime
    previous: str | None
    owner: str
    reason: str


class RunStarted(Struct, frozen=True):
    """An engine has begun to drive the run; `timeout` counts from here."""

    at: datetime


class RunDraining(Struct, frozen=True):
    """Nothing new starts but cleanup. `reason` is `failed`, `cancelled`, `timed_out` or `start_hook`; with `stops`, what
    runs is ended, too."""

    at: datetime
    reason: str
    stops: bool
    by: str | None = None
    note: str | None = None


class RunHurried(Struct, frozen=True):
    """Cleanup is over: by a second cancel, `--force`, or because its time is up (`everything` false: hooks still run)."""

    at: datetime
    everything: bool


class PhaseEntered(Struct, frozen=True):
    """The run is in a new phase: `start`, `main`, `undo`, `hooks`."""

    at: datetime
    phase: str


class RunFinished(Struct, frozen=True):
    """The run has ended. `state` is a final `RunState`; `undo` is `complete`, `partial` or `None`."""

    at: datetime
    state: str
    failure: Failure | None = None
    outputs: Mapping[str, Json] | None = None
    warnings: int = 0
    noop: bool = False
    undo: str | None = None


class TaskQueued(Struct, frozen=True):
    """A task, or an item, may start as soon as admission lets it."""

    at: datetime
    task: str
    item: int | None = None


class FannedOut(Struct, frozen=True):
    """A task has become items, which are queued. `keys` and `items` are in item order."""

    at: datetime
    task: str
    keys: tuple[str, ...]
    items: tuple[Json, ...]


class TaskSkipped(Struct, frozen=True):
    """The task is not part of this run. `reason` is one line."""

    at: datetime
    task: str
    reason: str


class TaskBlocked(Struct, frozen=True):
    """The task could not be started; `cause` is the task that failed, was blocked or was cancelled."""

    at: datetime
    task: str
    cause: str


class EdgeTimedOut(Struct, frozen=True):
    """An edge has waited for its time; it counts as met from now on (`on_timeout: run`)."""

    at: datetime
    task: str
    edge: int


class AttemptStarted(Struct, frozen=True):
    """An attempt begins. `due` is set for a wait, `child` for a sub-flow."""

    at: datetime
    task: str
    item: int | None
    round: int
    attempt: int
    child: str | None = None
    due: datetime | None = None


class ServiceReady(Struct, frozen=True):
    """A service has answered its probe."""

    at: datetime
    task: str


class AttemptStopping(Struct, frozen=True):
    """A running attempt was told to end. `reason` is `timeout`, `deadline`, `cancelled`, `fail_fast`, `unneeded`, `reset`."""

    at: datetime
    task: str
    item: int | None
    reason: str


class AttemptFinished(Struct, frozen=True):
    """An attempt is over. What follows from it is the next event."""

    at: datetime
    task: str
    item: int | None
    round: int
    attempt: int
    started_at: datetime
    ending: Ending
    child: str | None = None
    failure: Failure | None = None
    exit_code: int | None = None
    output: Mapping[str, Json] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


class TaskRetrying(Struct, frozen=True):
    """The next attempt has its time. `why` is `failed`, `refused` (rate limit), `repeat` or `lost`."""

    at: datetime
    task: str
    item: int | None
    due: datetime
    why: str


class TaskCompleting(Struct, frozen=True):
    """The task's own work is done; it waits for the tasks that name it in `before_complete`."""

    at: datetime
    task: str
    output: Json = None
    failure: Failure | None = None


class TaskSucceeded(Struct, frozen=True):
    """Final. `output` is what expressions read."""

    at: datetime
    task: str
    item: int | None = None
    output: Json = None


class TaskFailed(Struct, frozen=True):
    """Final. No attempt is left, or none would help."""

    at: datetime
    task: str
    failure: Failure
    item: int | None = None


class TaskCancelled(Struct, frozen=True):
    """Final. Stopped or never started because the run drains, was cancelled, or its siblings failed."""

    at: datetime
    task: str
    item: int | None = None


class ResetRequested(Struct, frozen=True):
    """A task asks its ancestors to run again; `members` is the whole set. Members that run are stopped first.

    `failure` is what the task fails with if the reset is not made after all.
    """

    at: datetime
    task: str
    members: tuple[str, ...]
    due: datetime
    failure: Failure | None = None


class TasksReset(Struct, frozen=True):
    """All members are `pending` again, one round later."""

    at: datetime
    task: str
    members: tuple[str, ...]


Event: TypeAlias = (
    RunSubmitted
    | RunTakenOver
    | RunStarted
    | RunDraining
    | RunHurried
    | PhaseEntered
    | RunFinished
    | TaskQueued
    | FannedOut
    | TaskSkipped
    | TaskBlocked
    | EdgeTimedOut
    | AttemptStarted
    | ServiceReady
    | AttemptStopping
    | AttemptFinished
    | TaskRetrying
    | TaskCompleting
    | TaskSucceeded
    | TaskFailed
    | TaskCancelled
    | ResetRequested
    | TasksReset
)

EVENT_TYPES: tuple[type[Event], ...] = Event.__args__


def _snake(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()


TYPE_NAMES: Mapping[type[Event], str] = {kind: _snake(kind.__name__) for kind in EVENT_TYPES}
_BY_NAME = {name: kind for kind, name in TYPE_NAMES.items()}
_OUTSIDE = ("at", "task", "item")
"""Fields kept in columns of their own, not in `data`."""


def _defaults(kind: type[Struct]) -> tuple[tuple[str, Any], ...]:
    """The fields with what each is when nothing is given; `NODEFAULT` for one that is always given."""
    given = kind.__struct_defaults__
    names = kind.__struct_fields__
    defaults = (NODEFAULT,) * (len(names) - len(given)) + given
    return tuple(
        (name, default.factory() if hasattr(default, "factory") else default)
        for name, default in zip(names, defaults, strict=True)
    )


_FAILURE_DEFAULTS = _defaults(Failure)[2:]


def encode_failure(failure: Failure) -> dict[str, Json]:
    """A failure as JSON, without what is at its default."""
    found: dict[str, Json] = {"kind": failure.kind, "message": failure.message}
    for name, default in _FAILURE_DEFAULTS:
        value = getattr(failure, name)
        if value != default:
            found[name] = list(value) if isinstance(value, tuple) else value
    return found


def decode_failure(data: Mapping[str, Any]) -> Failure:
    """The failure that `encode_failure` wrote."""
    fields: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in data.items()}
    return Failure(**fields)


_ENCODERS: Mapping[str, Callable[[Any], Json]] = {
    "failure": encode_failure,
    "scheduled_at": written,
    "started_at": written,
    "due": written,
    "params": dict,
    "trigger": dict,
    "env": dict,
    "outputs": dict,
    "keys": list,
    "items": list,
    "members": list,
    "notes": list,
}
"""Of the fields that are no JSON, what makes them so. The `output` of an attempt is a map, of a task any JSON."""

_DECODERS: Mapping[str, Callable[[Any], Any]] = {
    "failure": decode_failure,
    "scheduled_at": datetime.fromisoformat,
    "started_at": datetime.fromisoformat,
    "due": datetime.fromisoformat,
    "ending": Ending,
    "keys": tuple,
    "items": tuple,
    "members": tuple,
    "notes": tuple,
}

_ENCODED_FIELDS: Mapping[type[Event], tuple[tuple[str, Any, Callable[[Any], Json] | None], ...]] = {
    kind: tuple((name, default, _ENCODERS.get(name)) for name, default in _defaults(kind) if name not in _OUTSIDE)
    for kind in EVENT_TYPES
}


def encode(event: Event) -> dict[str, Json]:
    """The event's own fields as JSON; `at`, `task` and `item` are not among them, nor is what is at its default."""
    data: dict[str, Json] = {}
    for name, default, encoder in _ENCODED_FIELDS[type(event)]:
        value = getattr(event, name)
        if value is not default and value != default:
            data[name] = value if encoder is None or value is None else encoder(value)
    return data


def decode(type_name: str, at: datetime, task: str | None, item: int | None, data: Mapping[str, Json]) -> Event:
    """The event that `encode` wrote under `type_name`; an unknown name raises `KeyError`."""
    kind = _BY_NAME[type_name]
    known = kind.__struct_fields__
    values: dict[str, Any] = {"at": at}
    if "task" in known:
        values["task"] = task
    if "item" in known:
        values["item"] = item
    for name, value in data.items():
        decoder = _DECODERS.get(name)
        values[name] = decoder(value) if decoder and value is not None else value
    return kind(**values)
