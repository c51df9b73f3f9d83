"""Fold events into a run: `evolve` is the only place where a run changes. Pure, total over the logs `decide` writes.

Beside the state proper it keeps three work lists up to date: `run.timers`, what is due when; `run.dirty`, pending tasks
one of whose edges has just been decided; `run.settled`, tasks that have just become final.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from engine.edges import Answers, edge_state, recovered_by, recovery
from engine.events import (
    AttemptFinished,
    AttemptStarted,
    AttemptStopping,
    EdgeTimedOut,
    Event,
    FannedOut,
    PhaseEntered,
    ResetRequested,
    RunDraining,
    RunFinished,
    RunHurried,
    RunStarted,
    RunSubmitted,
    RunTakenOver,
    ServiceReady,
    TaskBlocked,
    TaskCancelled,
    TaskCompleting,
    TaskFailed,
    TaskQueued,
    TaskRetrying,
    TaskSkipped,
    TasksReset,
    TaskSucceeded,
)
from engine.outcomes import Ending
from engine.plan import LIVE_ACTIONS, EdgeKind, FlowAction, Plan, PlanTask, WaitAction
from engine.run import MET, OFF, WAITING, ItemRun, Run, TaskRun, Timer, Unit
from engine.states import RunState, TaskState, advance, advance_run

S = TaskState


def new_run(plan: Plan, run_id: str) -> Run:
    """A run to which nothing has happened yet: every task `pending`, every edge `waiting`."""
    tasks = {name: _fresh(plan, name, held=len(plan.holders.get(name, ()))) for name in plan.tasks}
    return Run(id=run_id, tasks=tasks, main_left=len(plan.main))


def _fresh(plan: Plan, name: str, *, held: int, round_: int = 1, requests: int = 0) -> TaskRun:
    """A task at the beginning of a round, none of whose edges is decided."""
    edges = plan.tasks[name].edges
    arms = sum(edge.kind is EdgeKind.ARM for edge in edges)
    return TaskRun(
        round=round_, edges=[WAITING] * len(edges), open=len(edges), open_arms=arms, held=held, requests=requests
    )


def fold(plan: Plan, run_id: str, events: Iterable[Event]) -> Run:
    """The run that `events` make, from the first one on."""
    run = new_run(plan, run_id)
    for event in events:
        evolve(plan, run, event)
    return run


def evolve(plan: Plan, run: Run, event: Event) -> None:
    """Fold one event into `run`, in place.

    Raises:
        IllegalTransition: the event does not follow from the run's state; the log or the engine is broken.
    """
    run.seq += 1
    _FOLDS[type(event)](plan, run, event)


# --- the run ------------------------------------------------------------------------------------------------------------


def _submitted(plan: Plan, run: Run, event: RunSubmitted) -> None:
    run.flow, run.digest = event.flow, event.digest
    run.params, run.trigger, run.priority = event.params, event.trigger, event.priority
    run.env, run.directory = event.env, event.directory
    run.submitted_at, run.scheduled_at = event.at, event.scheduled_at
    run.parent_run, run.parent_task, run.parent_item = event.parent_run, event.parent_task, event.parent_item
    if event.scheduled_at is not None:
        run.state = RunState.SCHEDULED
        _set_timer(run, event.scheduled_at, "run_start")


def _taken_over(plan: Plan, run: Run, event: RunTakenOver) -> None:
    """Who drives a run is no part of its state."""


def _started(plan: Plan, run: Run, event: RunStarted) -> None:
    run.state = advance_run(run.state, RunState.RUNNING)
    run.started_at = event.at
    if plan.timeout is not None:
        _set_timer(run, event.at + plan.timeout, "run_timeout")


def _draining(plan: Plan, run: Run, event: RunDraining) -> None:
    run.draining = event.reason
    run.stops = run.stops or event.stops
    run.pending_resets.clear()
    for name in run.suspended:
        _wind_up(plan, run, name)
    run.suspended.clear()
    _set_timer(run, event.at + plan.cleanup, "cleanup")


def _wind_up(plan: Plan, run: Run, name: str) -> None:
    """Set the timers of a task again: those that came up while it was suspended meant nothing then."""
    spec, task = plan.tasks[name], run.tasks[name]
    units: list[tuple[int | None, Unit]] = [(None, task)] if task.items is None else [*enumerate(task.items)]
    for item, unit in units:
        if unit.state in (S.RETRYING, S.WAITING) and unit.due is not None:
            kind = "retry" if unit.state is S.RETRYING else "wait"
            _set_timer(run, unit.due, kind, name, item, task.round, unit.attempt)
        elif unit.state is S.QUEUED and unit.queued_at is not None:
            _limit_queueing(plan, run, name, item, unit.queued_at)
    if spec.deadline is not None and task.started_at is not None:
        _set_timer(run, task.started_at + spec.deadline, "deadline", name, round_=task.round)


def _hurried(plan: Plan, run: Run, event: RunHurried) -> None:
    run.hurried = True
    run.hurried_everything = run.hurried_everything or event.everything


def _phase(plan: Plan, run: Run, event: PhaseEntered) -> None:
    run.phase = event.phase
    if event.phase == "main":
        for name in plan.main:
            task = run.tasks[name]
            if task.open == 1:
                _await_last_edge(run, name, plan.tasks[name].edges, task, event.at)


def _finished(plan: Plan, run: Run, event: RunFinished) -> None:
    run.state = advance_run(run.state, RunState(event.state))
    run.ended_at = event.at
    run.failure, run.outputs = event.failure, event.outputs
    run.warnings, run.noop, run.undo = event.warnings, event.noop, event.undo
    run.timers.clear()


# --- tasks --------------------------------------------------------------------------------------------------------------


def _queued(plan: Plan, run: Run, event: TaskQueued) -> None:
    task = run.tasks[event.task]
    unit = task.unit(event.item)
    _note_cleanup(run, task)
    unit.state = advance(unit.state, S.QUEUED)
    unit.queued_at, unit.queue_order, unit.due = event.at, run.seq, None
    if plan.tasks[event.task].queue_timeout is not None:
        _limit_queueing(plan, run, event.task, event.item, event.at)


def _fanned_out(plan: Plan, run: Run, event: FannedOut) -> None:
    task = run.tasks[event.task]
    _note_cleanup(run, task)
    task.state = advance(task.state, S.QUEUED)
    task.queued_at, task.queue_order = event.at, run.seq
    task.items = [
        ItemRun(state=S.QUEUED, queued_at=event.at, queue_order=run.seq, key=key, value=value)
        for key, value in zip(event.keys, event.items, strict=True)
    ]
    task.active = len(task.items)
    run.fanned_out += len(task.items)
    if not task.items:  # `on_empty: succeed` counts as started
        task.state, task.started, task.started_at = advance(task.state, S.RUNNING), True, event.at
        _tell_own(plan, run, event.task, event.at)
    if plan.tasks[event.task].queue_timeout is not None:
        for index in range(len(task.items)):
            _limit_queueing(plan, run, event.task, index, event.at)


def _note_cleanup(run: Run, task: TaskRun) -> None:
    if task.state is S.PENDING and run.draining is not None:
        task.cleanup = True


def _limit_queueing(plan: Plan, run: Run, task: str, item: int | None, at: datetime) -> None:
    limit = plan.tasks[task].queue_timeout
    if limit is not None:
        unit = run.tasks[task].unit(item)
        _set_timer(run, at + limit, "queue_timeout", task, item, run.tasks[task].round, unit.attempt)


def _skipped(plan: Plan, run: Run, event: TaskSkipped) -> None:
    run.tasks[event.task].cause = event.reason
    _settle(plan, run, event.task, S.SKIPPED, event.at)


def _blocked(plan: Plan, run: Run, event: TaskBlocked) -> None:
    run.tasks[event.task].cause = event.cause
    _settle(plan, run, event.task, S.BLOCKED, event.at)


def _edge_timed_out(plan: Plan, run: Run, event: EdgeTimedOut) -> None:
    task = run.tasks[event.task]
    task.forced = (*task.forced, event.edge)
    _decide_edge(plan, run, event.task, event.edge, MET, event.at)


def _attempt_started(plan: Plan, run: Run, event: AttemptStarted) -> None:
    spec, task = plan.tasks[event.task], run.tasks[event.task]
    unit = task.unit(event.item)
    is_first = task.started_at is None
    if unit.state is S.PENDING:  # actions without a process are not queued first
        _note_cleanup(run, task)
        unit.state = advance(unit.state, S.QUEUED)
        unit.queued_at = event.at
    unit.state = advance(unit.state, S.RUNNING)
    if event.item is not None and task.state is S.QUEUED:
        task.state = advance(task.state, S.RUNNING)
        task.attempt = 1
    if isinstance(spec.action, FlowAction | WaitAction):
        unit.state = advance(unit.state, S.WAITING)
    unit.attempt, unit.child, unit.stopping = event.attempt, event.child, None
    unit.live = isinstance(spec.action, LIVE_ACTIONS)
    unit.attempt_started_at = event.at
    unit.started_at = unit.started_at or event.at
    unit.due = event.due
    _start_clocks(run, spec.timeout, event)
    if is_first:
        task.started_at = event.at
        if spec.deadline is not None:
            _set_timer(run, event.at + spec.deadline, "deadline", event.task, round_=task.round)
    if not task.started and not spec.service:
        task.started = True
        _tell_own(plan, run, event.task, event.at)


def _start_clocks(run: Run, timeout: timedelta | None, event: AttemptStarted) -> None:
    if timeout is not None:
        _set_timer(run, event.at + timeout, "timeout", event.task, event.item, event.round, event.attempt)
    if event.due is not None:
        _set_timer(run, event.due, "wait", event.task, event.item, event.round, event.attempt)


def _service_ready(plan: Plan, run: Run, event: ServiceReady) -> None:
    task = run.tasks[event.task]
    if not task.started:
        task.started = True
        _tell_own(plan, run, event.task, event.at)


def _stopping(plan: Plan, run: Run, event: AttemptStopping) -> None:
    run.tasks[event.task].unit(event.item).stopping = event.reason


def _attempt_finished(plan: Plan, run: Run, event: AttemptFinished) -> None:
    unit = run.tasks[event.task].unit(event.item)
    unit.failure, unit.child, unit.due, unit.live = event.failure, None, None, False
    unit.output = dict(event.output) if event.ending is Ending.SUCCEEDED else None


def _retrying(plan: Plan, run: Run, event: TaskRetrying) -> None:
    task = run.tasks[event.task]
    unit = task.unit(event.item)
    unit.state = advance(unit.state, S.RETRYING)
    unit.due, unit.stopping = event.due, None
    unit.lost = unit.lost + 1 if event.why == "lost" else 0
    unit.refused = unit.refused + 1 if event.why == "refused" else 0
    if event.why == "failed":
        unit.used += 1
    elif event.why == "repeat":
        unit.repeats += 1
        unit.used = 0
    _set_timer(run, event.due, "retry", event.task, event.item, task.round, unit.attempt)


def _completing(plan: Plan, run: Run, event: TaskCompleting) -> None:
    task = run.tasks[event.task]
    task.state = advance(task.state, S.COMPLETING)
    task.output, task.failure = event.output, event.failure


def _succeeded(plan: Plan, run: Run, event: TaskSucceeded) -> None:
    task = run.tasks[event.task]
    if event.item is None:
        task.output, task.failure = event.output, None
        _choose(plan, task, event.task)
        _settle(plan, run, event.task, S.SUCCEEDED, event.at)
        return
    item = task.unit(event.item)
    item.output, item.failure = event.output, None
    task.succeeded += 1
    _end_item(task, item, S.SUCCEEDED, event.at)


def _choose(plan: Plan, task: TaskRun, name: str) -> None:
    """Of a branch or a switch, note which tasks its output has chosen."""
    if isinstance(task.output, dict) and plan.tasks[name].kind in ("branch", "switch"):
        chosen = task.output.get("chosen")
        task.chosen = tuple(str(one) for one in chosen) if isinstance(chosen, list) else ()
        task.output = {key: value for key, value in task.output.items() if key != "chosen"}


def _failed(plan: Plan, run: Run, event: TaskFailed) -> None:
    task = run.tasks[event.task]
    unit = task.unit(event.item)
    unit.failure, unit.output = event.failure, None
    if event.item is None:
        _settle(plan, run, event.task, S.FAILED, event.at)
    else:
        task.failed += 1
        _end_item(task, unit, S.FAILED, event.at)


def _cancelled(plan: Plan, run: Run, event: TaskCancelled) -> None:
    task = run.tasks[event.task]
    if event.item is None:
        _settle(plan, run, event.task, S.CANCELLED, event.at)
    else:
        _end_item(task, task.unit(event.item), S.CANCELLED, event.at)


def _end_item(task: TaskRun, item: Unit, state: TaskState, at: datetime) -> None:
    item.state = advance(item.state, state)
    item.ended_at, item.due, item.stopping, item.live = at, None, None, False
    task.active -= 1


def _reset_requested(plan: Plan, run: Run, event: ResetRequested) -> None:
    run.pending_resets.append((event.task, event.members, event.due))
    for name in event.members:
        run.suspended[name] = run.suspended.get(name, 0) + 1
    run.tasks[event.task].requests += 1
    run.tasks[event.task].failure = event.failure or run.tasks[event.task].failure
    run.resets += 1
    _set_timer(run, event.due, "reset", event.task)


def _reset(plan: Plan, run: Run, event: TasksReset) -> None:
    _resume(run, event.task)
    for name in event.members:
        old = run.tasks[name]
        if old.state is not S.PENDING:
            advance(old.state, S.PENDING)
        if old.state.is_final:
            run.main_left += "." not in name
            for held in plan.tasks[name].before_complete:
                run.tasks[held].held += 1
        run.tasks[name] = _fresh(plan, name, held=old.held, round_=old.round + 1, requests=old.requests)
    for name in event.members:  # edges from tasks outside the set are decided as they were
        for index, edge in enumerate(plan.tasks[name].edges):
            _decide_edge(plan, run, name, index, edge_state(plan, run.tasks, name, edge), event.at)
        if not run.tasks[name].open:
            run.dirty.append(name)
    told: set[str] = set()
    for name in event.members:
        _tell_own(plan, run, name, event.at)
        _tell_recovered(plan, run, name, event.at, told=told)


def _resume(run: Run, asking: str) -> None:
    """The resets that `asking` waits for are made: their members wait for one less."""
    for name in [name for task, members, _ in run.pending_resets if task == asking for name in members]:
        run.suspended[name] -= 1
        if not run.suspended[name]:
            del run.suspended[name]
    run.pending_resets = [entry for entry in run.pending_resets if entry[0] != asking]


# --- what follows from a change of state --------------------------------------------------------------------------------


def _settle(plan: Plan, run: Run, name: str, state: TaskState, at: datetime) -> None:
    """Make a task final and tell everybody whose edges that decides."""
    task = run.tasks[name]
    task.state = advance(task.state, state)
    task.ended_at, task.due, task.stopping, task.live = at, None, None, False
    run.settled.append(name)
    run.main_left -= "." not in name
    for held in plan.tasks[name].before_complete:
        run.tasks[held].held -= 1
    _tell_own(plan, run, name, at)
    if plan.tasks[name].recovers:
        _tell_recovered(plan, run, name, at)


def _tell_own(plan: Plan, run: Run, name: str, at: datetime, answers: Answers | None = None) -> None:
    """Decide the edges from a task."""
    tasks = run.tasks
    for task, index in plan.affected.get(name, ()):
        if index not in tasks[task].forced:
            state = edge_state(plan, tasks, task, plan.tasks[task].edges[index], answers)
            _decide_edge(plan, run, task, index, state, at)


def _tell_recovered(plan: Plan, run: Run, handler: str, at: datetime, told: set[str] | None = None) -> None:
    """Decide the edges from the failed tasks that `handler` recovers, through any number of handlers.

    Above a failure that still waits for a handler nothing has changed by the end of one; a reset, which makes what was
    decided undecided, hands in `told`, and all above is told of, each once.
    """
    answers: Answers = {}
    seen = set() if told is None else told
    stack = [handler]
    while stack:
        for failed in recovered_by(plan, stack.pop()):
            if failed in seen or run.tasks[failed].state is not S.FAILED:
                continue
            seen.add(failed)
            _tell_own(plan, run, failed, at, answers)
            if told is not None or recovery(plan, run.tasks, failed, answers) != "waiting":
                stack.append(failed)


def _decide_edge(plan: Plan, run: Run, name: str, index: int, state: str, at: datetime) -> None:
    task, spec = run.tasks[name], plan.tasks[name]
    old = task.edges[index]
    if old == state:
        return
    joins_by_number = spec.join not in ("all", "strict")
    was_enough = joins_by_number and _has_enough(spec, task)
    opened = (state == WAITING) - (old == WAITING)
    task.edges[index] = state
    task.open += opened
    if spec.edges[index].kind is EdgeKind.ARM:
        task.open_arms += opened
    else:
        task.met += (state == MET) - (old == MET)
    if task.state is not S.PENDING:
        return
    if not task.open or (joins_by_number and not was_enough and _has_enough(spec, task)):
        run.dirty.append(name)
    elif task.open == 1:
        _await_last_edge(run, name, spec.edges, task, at)


def _has_enough(spec: PlanTask, task: TaskRun) -> bool:
    """Whether a task that joins by a number need not wait for the rest of its edges. Once it has, it is looked at; looking
    at each edge that is met would cost the square of their number."""
    return not task.open_arms and task.met >= (1 if spec.join == "any" else int(spec.join))


def _await_last_edge(run: Run, name: str, edges: tuple[Any, ...], task: TaskRun, at: datetime) -> None:
    """Start the clock of the one edge that is still waiting, if it has a limit."""
    index = task.edges.index(WAITING)
    limit = edges[index].timeout
    if limit is not None and all(state in (MET, OFF) for at_, state in enumerate(task.edges) if at_ != index):
        _set_timer(run, at + limit, "edge", name, item=index, round_=task.round)


def _set_timer(
    run: Run, at: datetime, kind: str, task: str = "", item: int | None = None, round_: int = 0, attempt: int = 0
) -> None:
    heapq.heappush(run.timers, Timer(at, run.seq, kind, task, item, round_, attempt))


Fold: TypeAlias = Callable[[Plan, Run, Any], None]
_FOLDS: dict[type[Event], Fold] = {
    RunSubmitted: _submitted,
    RunTakenOver: _taken_over,
    RunStarted: _started,
    RunDraining: _draining,
    RunHurried: _hurried,
    PhaseEntered: _phase,
    RunFinished: _finished,
    TaskQueued: _queued,
    FannedOut: _fanned_out,
    TaskSkipped: _skipped,
    TaskBlocked: _blocked,
    EdgeTimedOut: _edge_timed_out,
    AttemptStarted: _attempt_started,
    ServiceReady: _service_ready,
    AttemptStopping: _stopping,
    AttemptFinished: _attempt_finished,
    TaskRetrying: _retrying,
    TaskCompleting: _completing,
    TaskSucceeded: _succeeded,
    TaskFailed: _failed,
    TaskCancelled: _cancelled,
    ResetRequested: _reset_requested,
    TasksReset: _reset,
}
