"""Runs that no engine holds any more: found, claimed with one guarded commit, and made again from their logs.

A run is claimed together with the runs it has called. The claim is an event in its log and a new token, so the engine before
can write nothing any more. A run that was claimed is folded from its log, by the plan of the files that were stored with it;
nothing else of the engine before is looked at but what it started.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from engine.attempts import AttemptKey, CommandWork, Launch
from engine.driven import NO_ITEM, Driven, child_outcome
from engine.errors import FlowctlError
from engine.events import Event, RunFinished, RunTakenOver, decode
from engine.evolve import evolve, new_run
from engine.identity import Standing, standing
from engine.launching import Surroundings
from engine.outcomes import Failure, Outcome
from engine.ownership import LEFT_BEHIND, why_free
from engine.plan import Plan
from engine.projection import event_row
from engine.run_files import RunFiles
from engine.states import IllegalTransition, RunState
from engine.store.port import Store
from engine.store.rows import EventRow, RunBatch, RunRow

BATCH = 200
"""Runs that are claimed in one transaction, with what they have called."""

_EVENTS = 1000
"""Events that are read at a time."""

MOST_DEATHS = 10
"""So many engines may die one after the other before anything happens to the run they have taken over; then it has failed,
lest it takes every engine with it."""

WITHIN = timedelta(minutes=10)
"""That many deaths count if they come so close together: a long task may outlive any number of engines."""

Origins = Mapping[tuple[str, int], str | None]
"""For a task and item, -1 for none: the engine that has started the latest attempt."""


class Plans(Protocol):
    """Plans of stored runs."""

    def plan(self, digest: str, *, base: str) -> Plan:
        """The plan of the files with this digest, whose names start from the folder `base`.

        Raises:
            FlowctlError: it cannot be made any more.
        """


class Family(Struct, frozen=True):
    """A free run and the unfinished runs it has called, at any depth; the first is above the others."""

    rows: tuple[RunRow, ...]
    reason: str

    @property
    def root(self) -> RunRow:
        """The run above the others."""
        return self.rows[0]


class Restored(Struct, frozen=True):
    """A run that has been claimed, as its log tells it; `taken` is the last event of that."""

    driven: Driven
    origins: Origins
    taken: Event


class Unreadable(Struct, frozen=True):
    """A run that was claimed and cannot be driven. `leftovers` may still run, each with the engine that started it."""

    row: RunRow
    failure: Failure
    leftovers: tuple[tuple[AttemptKey, str | None], ...]


# --- finding ------------------------------------------------------------------------------------------------------------


def free_families(
    store: Store, *, but: str, only: str | None = None, look: Callable[[str], Standing] = standing
) -> Iterator[Family]:
    """Families of runs that may be taken over, owner by owner, the oldest first; those that `but` holds are not. With `only`
    at most the one with the run of this id."""
    row = None if only is None else store.run(only)
    for holding in store.holdings():
        reason = None if holding.owner == but else why_free(holding, look)
        if reason is None:
            continue
        if only is None:
            yield from _families_of(store, holding.owner, reason)
        elif row is not None and row.owner == holding.owner and not RunState(row.state).is_final:
            yield family_of(store, row, reason)


def _families_of(store: Store, owner: str | None, reason: str) -> Iterator[Family]:
    seen: set[str] = set()
    last = ""
    while rows := store.held(owner, after=last, limit=BATCH):
        last = rows[-1].id
        for row in rows:
            if row.id not in seen:
                family = family_of(store, row, reason)
                seen.update(member.id for member in family.rows)
                yield family


def family_of(store: Store, row: RunRow, reason: str) -> Family:
    """The unfinished runs that hang together with an unfinished one."""
    root = row
    while root.parent_run is not None:
        above = store.run(root.parent_run)
        if above is None or RunState(above.state).is_final or above.owner != row.owner:
            break  # what called it has ended, or is not to be had: it stands for itself
        root = above
    rows = [root]
    for member in rows:
        rows += [child for child in store.children(member.id) if not RunState(child.state).is_final]
    return Family(tuple(rows), reason)


# --- claiming -----------------------------------------------------------------------------------------------------------


def not_before(store: Store, row: RunRow, now: datetime) -> datetime:
    """`now`, or when the last event of a run was if that is later: its engine's clock was ahead of ours."""
    return max([now, *(event.at for event in store.events(row.id, after=row.seq - 1, limit=1))])


def claim(row: RunRow, *, owner: str, reason: str, now: datetime) -> RunBatch:
    """What takes a run over, if it is still as it was read."""
    event = RunTakenOver(now, row.owner, owner, reason)
    taken = replace(row, owner=owner, token=row.token + 1, seq=row.seq + 1)
    return RunBatch(taken, (event_row(row.id, taken.seq, event),), expected_seq=row.seq, expected_token=row.token)


def give_up(row: RunRow, failure: Failure, *, now: datetime) -> RunBatch:
    """What ends a run that was claimed and cannot be driven."""
    event = RunFinished(now, str(RunState.FAILED), failure=failure)
    ended = replace(
        row,
        state=event.state,
        ended_at=now,
        error={"kind": failure.kind, "message": failure.message},
        owner=None,
        seq=row.seq + 1,
    )
    return RunBatch(ended, (event_row(row.id, ended.seq, event),), expected_seq=row.seq)


class Taker(Struct, frozen=True):
    """Who has taken a run over. `owner` is `None` when nobody holds it any more; `is_here` says whether it was an engine on
    this machine."""

    owner: str | None
    is_here: bool


def taker_of(store: Store, run_id: str) -> Taker:
    """Who has taken over a run last."""
    row = store.run(run_id)
    owner = None if row is None else row.owner
    latest = owner or ""
    if owner is None:
        for event in events_of(store, run_id):
            if event.type == "run_taken_over":
                latest = str(event.data["owner"])
    return Taker(owner, standing(latest) is not Standing.UNKNOWN)


# --- making again -------------------------------------------------------------------------------------------------------


def restore(store: Store, row: RunRow, plans: Plans) -> Restored | Unreadable:
    """A run that has been claimed, as `row` says, made again from its log."""
    story = _Story()
    try:
        driven, last = _fold(row, plans, map(story.note, events_of(store, row.id)))
    except FlowctlError as problem:
        return Unreadable(row, Failure("unreadable", str(problem)), _leftovers(store, row.id))
    except (AssertionError, AttributeError, IllegalTransition, LookupError, TypeError, ValueError):
        problem_text = f"the events of run `{row.id}` were not written by this flowctl"
        return Unreadable(row, Failure("unreadable", problem_text), _leftovers(store, row.id))
    if story.is_deadly:
        problem_text = f"{MOST_DEATHS} engines in a row have died as soon as they had taken it over"
        return Unreadable(row, Failure("interrupted", problem_text), _leftovers(store, row.id))
    return Restored(driven, story.origins, last)


def events_of(store: Store, run_id: str) -> Iterator[EventRow]:
    """The log of a run, read in parts."""
    after = 0
    while rows := store.events(run_id, after=after, limit=_EVENTS):
        yield from rows
        after = rows[-1].seq


def outcome_of(row: RunRow) -> Outcome:
    """How a called run that has ended, ended, for the task that called it."""
    problem = row.error["message"] if row.error else None
    state = RunState(row.state)
    return child_outcome(row.id, row.flow, state, outputs=row.outputs, problem=str(problem) if problem else None)


def can_serve(family: Family, store: Store, plans: Plans, around: Surroundings) -> bool:
    """Whether this engine has what it takes to drive runs: their plans can be made here, and their secrets be had."""
    for row in family.rows:
        first = next(iter(store.events(row.id, limit=1)), None)
        if first is None:
            return False
        try:
            plan = plans.plan(row.digest, base=_base(first))
            for name, source in plan.secrets.items():
                around.secrets.get(name, source)
        except FlowctlError:
            return False
    return True


def _fold(row: RunRow, plans: Plans, rows: Iterator[EventRow]) -> tuple[Driven, Event]:
    first = next(rows, None)
    if first is None:
        raise LookupError(row.id)
    plan = plans.plan(row.digest, base=_base(first))
    run = new_run(plan, row.id)
    for each in itertools.chain((first,), rows):
        event = decode(each.type, each.at, each.task, each.item, each.data)
        evolve(plan, run, event)
    return Driven(plan, run, token=row.token, taken_at=event.at), event


def _base(first: EventRow) -> str:
    return str(first.data.get("base", ""))


class _Story:
    """What a log tells of the engines that drove its run.

    Attributes:
        origins: who has started the latest attempt of each unit: whoever drove the run until it was taken over next.
    """

    def __init__(self) -> None:
        self.origins: dict[tuple[str, int], str | None] = {}
        self._since: dict[tuple[str, int], None] = {}
        self._deaths: list[datetime] = []

    @property
    def is_deadly(self) -> bool:
        """Whether one engine after the other has died of the run, or so it seems."""
        return len(self._deaths) > MOST_DEATHS and self._deaths[-1] - self._deaths[-1 - MOST_DEATHS] <= WITHIN

    def note(self, row: EventRow) -> EventRow:
        """Take in the next event of the log; returns it."""
        if row.type != "run_taken_over":
            self._deaths.clear()
            if row.type == "attempt_started" and row.task is not None:
                self._since[(row.task, NO_ITEM if row.item is None else row.item)] = None
            return row
        if str(row.data.get("reason")).endswith(LEFT_BEHIND):
            self._deaths.clear()
        self._deaths.append(row.at)
        previous = row.data.get("previous")
        self.origins.update(dict.fromkeys(self._since, previous if isinstance(previous, str) else None))
        self._since.clear()
        return row


def _leftovers(store: Store, run_id: str) -> tuple[tuple[AttemptKey, str | None], ...]:
    """The attempts that the store says are being made, with who started each."""
    story = _Story()
    for row in events_of(store, run_id):
        story.note(row)
    return tuple(
        (
            AttemptKey(run_id, row.task, None if row.item == NO_ITEM else row.item, row.round, row.attempt),
            story.origins.get((row.task, row.item)),
        )
        for row in store.attempts(run_id)
        if row.ended_at is None
    )


def bare_launch(key: AttemptKey, files: RunFiles) -> Launch:
    """An attempt whose launch cannot be made again, as far as it takes to end what is left of it."""
    own = files.attempt(key)
    return Launch(key, CommandWork(("false",)), own, {}, own.work)


def by_origin(
    launches: Iterable[tuple[Launch, str | None]],
) -> Mapping[str | None, Sequence[Launch]]:
    """Launches under the engines that started them."""
    found: dict[str | None, list[Launch]] = {}
    for launch, origin in launches:
        found.setdefault(origin, []).append(launch)
    return found
