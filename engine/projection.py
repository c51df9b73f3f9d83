"""From events to rows: what the tables beside the log hold after a decision. Pure.

Only tasks and attempts that the events touch are written again; each row is whole, so writing it twice changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from engine.events import (
    TYPE_NAMES,
    AttemptFinished,
    AttemptStarted,
    Event,
    FannedOut,
    TasksReset,
    encode,
    encode_failure,
)
from engine.outcomes import Json
from engine.plan import Plan
from engine.run import ItemRun, Run, TaskRun, Unit
from engine.store.rows import AttemptRow, EventRow, RunBatch, RunRow, SpecRow, TaskRow

NO_ITEM = -1


def make_batch(
    plan: Plan, run: Run, events: Sequence[Event], *, owner: str | None, token: int, spec: SpecRow | None = None
) -> RunBatch:
    """The rows that `events`, already folded into `run`, write. `spec` is given with the first batch of a run."""
    first = run.seq - len(events) + 1
    return RunBatch(
        run=run_row(plan, run, owner=owner, token=token),
        events=tuple([event_row(run.id, seq, event) for seq, event in enumerate(events, first)]),
        tasks=tuple(_task_rows(plan, run, events, everything=first == 1)),
        attempts=tuple(_attempt_rows(run, events)),
        new=first == 1,
        expected_seq=first - 1,
        spec=spec,
    )


def event_row(run_id: str, seq: int, event: Event) -> EventRow:
    """One event as it is stored."""
    return EventRow(
        run_id,
        seq,
        event.at,
        TYPE_NAMES[type(event)],
        getattr(event, "task", None),
        getattr(event, "item", None),
        encode(event),
    )


def run_row(plan: Plan, run: Run, *, owner: str | None, token: int) -> RunRow:
    """The run as it is listed."""
    if run.submitted_at is None:
        raise AssertionError(run.id)
    return RunRow(
        id=run.id,
        flow=run.flow,
        digest=run.digest,
        state=str(run.state),
        params=run.params,
        trigger=run.trigger,
        created_at=run.submitted_at,
        labels=plan.labels,
        priority=run.priority,
        parent_run=run.parent_run,
        parent_task=run.parent_task,
        scheduled_at=run.scheduled_at,
        started_at=run.started_at,
        ended_at=run.ended_at,
        error=encode_failure(run.failure) if run.failure else None,
        outputs=run.outputs,
        warnings=run.warnings,
        noop=run.noop,
        undo=run.undo,
        seq=run.seq,
        token=token,
        owner=owner,
    )


def _task_rows(plan: Plan, run: Run, events: Iterable[Event], *, everything: bool) -> list[TaskRow]:
    rows: list[TaskRow] = []
    for name, item in _touched(plan, events, everything=everything):
        task = run.tasks[name]
        if item is None:
            rows.append(task_row(plan, run.id, name, task))
        elif task.items is not None and item < len(task.items):
            rows.append(item_row(plan, run.id, name, item, task.items[item], round_=task.round))
    return rows


def _touched(plan: Plan, events: Iterable[Event], *, everything: bool) -> dict[tuple[str, int | None], None]:
    found: dict[tuple[str, int | None], None] = {}
    if everything:
        found.update({(name, None): None for name in plan.tasks})
    for event in events:
        task, item = getattr(event, "task", None), getattr(event, "item", None)
        if task is None:
            continue
        found[(task, None)] = None
        if item is not None:
            found[(task, item)] = None
        elif isinstance(event, FannedOut):
            found.update({(task, index): None for index in range(len(event.items))})
        elif isinstance(event, TasksReset):
            found.update({(name, None): None for name in event.members})
    return found


def task_row(plan: Plan, run_id: str, name: str, task: TaskRun) -> TaskRow:
    """A task as it is listed."""
    counts: dict[str, Json] | None = None
    if task.items is not None:
        counts = {"total": len(task.items), "succeeded": task.succeeded, "failed": task.failed, "active": task.active}
    return _row(plan, run_id, name, NO_ITEM, None, task, task.round, cause=task.cause, counts=counts)


def item_row(plan: Plan, run_id: str, name: str, index: int, item: ItemRun, *, round_: int) -> TaskRow:
    """An item as it is listed."""
    return _row(plan, run_id, name, index, item.key, item, round_)


def _row(
    plan: Plan,
    run_id: str,
    name: str,
    index: int,
    key: str | None,
    unit: Unit,
    round_: int,
    *,
    cause: str | None = None,
    counts: Mapping[str, Json] | None = None,
) -> TaskRow:
    return TaskRow(
        run_id=run_id,
        task=name,
        item=index,
        key=key,
        state=str(unit.state),
        round=round_,
        attempts=unit.attempt,
        position=plan.tasks[name].position,
        queued_at=unit.queued_at,
        started_at=unit.started_at,
        ended_at=unit.ended_at,
        error=encode_failure(unit.failure) if unit.failure else None,
        cause=cause,
        counts=counts,
    )


def _attempt_rows(run: Run, events: Iterable[Event]) -> Iterable[AttemptRow]:
    rows: dict[tuple[str, int, int, int], AttemptRow] = {}
    for event in events:
        if isinstance(event, AttemptStarted | AttemptFinished):
            item = NO_ITEM if event.item is None else event.item
            row = _started(run, item, event) if isinstance(event, AttemptStarted) else _finished(run, item, event)
            rows[(event.task, item, event.round, event.attempt)] = row
    return rows.values()


def _started(run: Run, item: int, event: AttemptStarted) -> AttemptRow:
    return AttemptRow(
        run_id=run.id,
        task=event.task,
        item=item,
        round=event.round,
        attempt=event.attempt,
        state="running",
        started_at=event.at,
        child_run=event.child,
    )


def _finished(run: Run, item: int, event: AttemptFinished) -> AttemptRow:
    failure = event.failure
    return AttemptRow(
        run_id=run.id,
        task=event.task,
        item=item,
        round=event.round,
        attempt=event.attempt,
        state=str(event.ending),
        started_at=event.started_at,
        ended_at=event.at,
        exit_code=event.exit_code if event.exit_code is not None else (failure.exit_code if failure else None),
        signal=failure.signal if failure else None,
        error=encode_failure(failure) if failure else None,
        child_run=event.child,
    )
