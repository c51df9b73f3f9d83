"""The run as a whole: its phases, drain and cancel, and its end (`LANGUAGE.md` 10).

The phases are `start` (start hooks), `main` (the flow's own tasks), `undo` and `hooks`. Undo comes before the hooks, so that
a hook can tell what was taken back.
"""

from __future__ import annotations

from collections.abc import Iterator

from engine.commands import Cancel
from engine.deciding.decision import Decision
from engine.deciding.ending import after_item, cancel_unit, conclude, fail_finally, is_held, release
from engine.deciding.starting import consider, may_start
from engine.deciding.undoing import begin_next_undo
from engine.edges import Answers, recovered_by, recovery
from engine.events import (
    AttemptStopping,
    PhaseEntered,
    RunDraining,
    RunFinished,
    RunHurried,
    RunStarted,
    TaskCancelled,
    TaskFailed,
)
from engine.outcomes import Failure, Json
from engine.plan import EdgeKind
from engine.result import outcome_of
from engine.run import Unit
from engine.scope import flow_scope
from engine.states import RunState, TaskState
from specs.expressions import EvaluationError, resolve

S = TaskState


# --- beginning ----------------------------------------------------------------------------------------------------------


def start(d: Decision) -> None:
    """Begin to drive the run: start hooks first, when there are any."""
    d.emit(RunStarted(d.now))
    if d.plan.hooks.get("start"):
        _enter(d, "start", d.plan.hooks["start"])
    else:
        _enter(d, "main", d.plan.main)


def _enter(d: Decision, phase: str, tasks: tuple[str, ...]) -> None:
    d.emit(PhaseEntered(d.now, phase))
    for name in tasks:
        if not d.plan.tasks[name].edges:
            consider(d, name)


# --- going on -----------------------------------------------------------------------------------------------------------


def propagate(d: Decision) -> None:
    """Follow every consequence until nothing more follows from what has happened."""
    run = d.run
    while not run.state.is_final:
        if run.settled:  # first: what has failed may drain the run, and then less is to be started
            names, run.settled = run.settled, []
            for name in names:
                _after_end_of(d, name)
        elif run.dirty:
            names, run.dirty = run.dirty, []
            for name in dict.fromkeys(names):
                consider(d, name)
        elif not _advance(d):
            return


def _after_end_of(d: Decision, name: str) -> None:
    """A task has become final: release what it held back, stop what nobody needs, see whether the run drains."""
    spec, task = d.task(name)
    for held in spec.before_complete:
        if d.run.tasks[held].state is S.COMPLETING and not is_held(d, held):
            release(d, held)
    if d.plan.service_users:
        _stop_unneeded_services(d, name)
    may_be_lost = task.state is S.FAILED or spec.recovers
    if may_be_lost and d.run.draining is None and d.plan.when_failed != "continue" and "." not in name:
        _drain_if_lost(d, name)


def _drain_if_lost(d: Decision, name: str) -> None:
    """Drain when `name`, or a task it was to recover through any number of handlers, has failed for good."""
    answers: Answers = {}
    seen, stack = {name}, [name]
    while stack:
        task = stack.pop()
        if d.run.tasks[task].state is S.FAILED:
            found = recovery(d.plan, d.run.tasks, task, answers)
            if found == "lost" and not d.plan.tasks[task].allow_failure:
                drain(d, "failed", stops=d.plan.when_failed == "cancel")
                return
            if found == "waiting":
                continue  # and so is all that it recovers
        above = [failed for failed in recovered_by(d.plan, task) if failed not in seen]
        seen.update(above)
        stack.extend(above)


def _stop_unneeded_services(d: Decision, name: str) -> None:
    spec = d.plan.tasks[name]
    services = [e.upstream for e in spec.edges if e.kind is EdgeKind.AFTER_START and d.plan.tasks[e.upstream].service]
    services += [held for held in spec.before_complete if d.plan.tasks[held].service]
    for service in dict.fromkeys(services):
        if not is_needed(d, service):
            _end_service(d, service)
    lone = d.plan.lone_services
    if lone and d.run.main_left <= len(d.plan.service_users):  # services may wait for services
        for service in lone:
            if not is_needed(d, service):
                _end_service(d, service)


def is_needed(d: Decision, service: str) -> bool:
    """Whether a task that waits on the service's start, or names it in `before_complete`, is not final. A service that
    nobody waits for is needed as long as any other task of the flow is not final."""
    users = d.plan.service_users.get(service)
    if not users:
        return any(not d.run.tasks[name].state.is_final for name in d.plan.main if not d.plan.tasks[name].service)
    return any(not d.run.tasks[user].state.is_final for user in users)


def _end_service(d: Decision, service: str) -> None:
    task = d.run.tasks[service]
    if task.live and task.stopping is None:
        d.emit(AttemptStopping(d.now, service, None, "unneeded"))
    elif not task.live and not task.state.is_final and task.state in (S.QUEUED, S.RETRYING):
        if task.started:
            conclude(d, service, None)
        else:
            d.emit(TaskFailed(d.now, service, task.failure or Failure("unhealthy", "it was never ready")))


def _advance(d: Decision) -> bool:
    """Enter the next phase when the present one is over; whether anything happened."""
    run, plan = d.run, d.plan
    if run.phase == "start":
        return _leave_start(d)
    if run.phase == "main" and run.main_left == 0:
        wants_undo = outcome_of(plan, run).state in (RunState.FAILED, RunState.CANCELLED)
        d.emit(PhaseEntered(d.now, "undo" if wants_undo else "hooks"))
        if not wants_undo:
            _begin_hooks(d)
        return True
    if run.phase == "undo":
        return _advance_undo(d)
    if run.phase == "hooks" and _hooks_are_over(d):
        _finish(d)
        return True
    return False


def _hooks_are_over(d: Decision) -> bool:
    """Whether every hook of the end is final; each is looked at until it is, and not again."""
    if d.run.closing is None:
        d.run.closing = list(end_hooks(d))
    left = d.run.closing
    while left and d.run.tasks[left[-1]].state.is_final:
        left.pop()
    return not left


def _leave_start(d: Decision) -> bool:
    hooks = d.plan.hooks["start"]
    if not all(d.run.tasks[name].state.is_final for name in hooks):
        return False
    if any(d.run.tasks[name].state in (S.FAILED, S.BLOCKED) for name in hooks) and d.run.draining is None:
        d.emit(RunDraining(d.now, "start_hook", stops=False))
    _enter(d, "main", d.plan.main)
    return True


def _advance_undo(d: Decision) -> bool:
    step = begin_next_undo(d)
    if step == "done":
        d.emit(PhaseEntered(d.now, "hooks"))
        _begin_hooks(d)
    return step != "busy"


def end_hooks(d: Decision) -> tuple[str, ...]:
    """The hooks that run at the end of this run: those of its result, then `complete`."""
    kind = {RunState.SUCCEEDED: "success", RunState.FAILED: "failure", RunState.CANCELLED: "cancelled"}
    result = kind[outcome_of(d.plan, d.run).state]
    return d.plan.hooks.get(result, ()) + d.plan.hooks.get("complete", ())


def _begin_hooks(d: Decision) -> None:
    for name in end_hooks(d):
        if not d.plan.tasks[name].edges:
            consider(d, name)


def _finish(d: Decision) -> None:
    outcome = outcome_of(d.plan, d.run)
    outputs: dict[str, Json] | None = None
    state, failure = outcome.state, outcome.failure
    if state is RunState.SUCCEEDED and d.plan.outputs is not None:
        try:
            resolved = resolve(d.plan.outputs, flow_scope(d.plan, d.run))
            outputs = resolved if isinstance(resolved, dict) else {}
        except EvaluationError as problem:
            state, failure = RunState.FAILED, Failure("expression", f"`outputs`: {problem}")
    d.emit(
        RunFinished(
            d.now,
            str(state),
            failure=failure,
            outputs=outputs,
            warnings=outcome.warnings,
            noop=outcome.noop,
            undo=_undo_result(d),
        )
    )


def _undo_result(d: Decision) -> str | None:
    states = [d.run.tasks[name].state for name in d.plan.tasks if name.startswith("undo.")]
    tried = [state for state in states if state is not S.PENDING]
    if not tried:
        return None
    return "complete" if all(state is S.SUCCEEDED for state in tried) else "partial"


# --- ending early -------------------------------------------------------------------------------------------------------


def cancel(d: Decision, command: Cancel) -> None:
    """End the run; a second cancel, or `force`, ends cleanup, undo and hooks, too."""
    run = d.run
    if run.draining in ("cancelled", "timed_out") or run.phase in ("undo", "hooks"):
        hurry(d, everything=True)
        return
    if run.state in (RunState.QUEUED, RunState.SCHEDULED):
        d.emit(RunStarted(d.now))
    drain(d, "cancelled", stops=True, by=command.by, note=command.note)
    if not run.phase:
        _enter(d, "main", d.plan.main)
    if command.force:
        hurry(d, everything=True)


def drain(d: Decision, reason: str, *, stops: bool, by: str | None = None, note: str | None = None) -> None:
    """Let nothing new start but cleanup; with `stops`, end what runs, too."""
    waiting = list(d.run.pending_resets)
    d.emit(RunDraining(d.now, reason, stops=stops, by=by, note=note))
    for asking, members, _ in waiting:
        _abandon_reset(d, asking, members)
    units = list(_units(d))
    startable = {name for name in dict.fromkeys(name for name, _, _ in units) if may_start(d, name)}
    for name, item, unit in units:
        if unit.state is S.QUEUED and unit.attempt == 0:
            if name not in startable:
                d.emit(TaskCancelled(d.now, name, item))
        elif stops and not d.run.tasks[name].cleanup:
            cancel_unit(d, name, item, reason="cancelled")
    for name in (*d.plan.main, *d.plan.hooks.get("start", ())):
        after_item(d, name)
        if d.run.tasks[name].state is S.COMPLETING and not is_held(d, name):
            release(d, name)


def _units(d: Decision) -> Iterator[tuple[str, int | None, Unit]]:
    """The units of the flow's own tasks, and of start hooks, that have been queued and are not final."""
    for name in (*d.plan.main, *d.plan.hooks.get("start", ())):
        task = d.run.tasks[name]
        if task.state.is_final or task.state in (S.PENDING, S.COMPLETING):
            continue
        if task.items is None:
            yield name, None, task
        else:
            yield from ((name, i, unit) for i, unit in enumerate(task.items) if not unit.state.is_final)


def _abandon_reset(d: Decision, asking: str, members: tuple[str, ...]) -> None:
    """The run drains before a reset was made: the asking task has failed after all, members go on or are cancelled."""
    for member in members:
        task = d.run.tasks[member]
        if task.state is S.PENDING:
            d.run.dirty.append(member)
        units: list[tuple[int | None, Unit]] = [(None, task)] if task.items is None else [*enumerate(task.items)]
        for item, unit in units:
            if member == asking and item is None and not unit.state.is_final:
                fail_finally(d, asking, None, unit.failure or _NOT_AGAIN)
            elif not _is_over(unit):
                continue
            elif member == asking:
                fail_finally(d, asking, item, unit.failure or _NOT_AGAIN)
            else:
                d.emit(TaskCancelled(d.now, member, item))
        is_done = task.state.is_final or task.state is S.COMPLETING
        if member == asking and task.items is not None and not task.active and not is_done:
            conclude(d, asking, task.failure or _NOT_AGAIN)


_NOT_AGAIN = Failure("exit", "it failed and its ancestors do not run again")


def _is_over(unit: Unit) -> bool:
    """Whether the unit's attempt has ended and nothing has followed from that."""
    return unit.state in (S.RUNNING, S.WAITING) and not unit.live and unit.due is None


def hurry(d: Decision, *, everything: bool) -> None:
    """End cleanup, and with `everything` undo and hooks: what still runs is stopped, what would start is cancelled."""
    if not d.run.hurried_everything:
        d.emit(RunHurried(d.now, everything=everything))
    for name, task in d.run.tasks.items():
        if task.state.is_final or task.state in (S.PENDING, S.COMPLETING):
            continue
        for item in range(len(task.items)) if task.items is not None else (None,):
            cancel_unit(d, name, item, reason="cancelled")
        after_item(d, name)
    for name in _pending_side_tasks(d):
        d.emit(TaskCancelled(d.now, name))


def _pending_side_tasks(d: Decision) -> list[str]:
    """Hooks of the phase at hand that have not been decided."""
    if d.run.phase != "hooks":
        return []
    return [name for name in end_hooks(d) if d.run.tasks[name].state is S.PENDING]
