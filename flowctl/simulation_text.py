"""A simulated run for people: one line for each thing that happens, with the virtual time since the start."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from engine.events import (
    AttemptFinished,
    AttemptStarted,
    AttemptStopping,
    EdgeTimedOut,
    Event,
    FannedOut,
    ResetRequested,
    RunDraining,
    RunFinished,
    RunHurried,
    RunSubmitted,
    ServiceReady,
    TaskBlocked,
    TaskCancelled,
    TaskCompleting,
    TaskFailed,
    TaskRetrying,
    TaskSkipped,
    TasksReset,
    TaskSucceeded,
)
from engine.outcomes import Failure, Json
from engine.plan import ATTEMPT_ACTIONS, BranchAction, FlowAction, PlanTask, SwitchAction, WaitAction
from engine.simulation import Entry, Played
from flowctl.redaction import HIDDEN
from flowctl.terminal.sanitise import visible

LONGEST = 160
"""Characters of a value that are shown."""

WIDEST_LABEL = 32
"""Columns that names are set in; longer ones push what is said of them."""

_REASONS = {
    "failed": "a task has failed",
    "cancelled": "the run is cancelled",
    "timed_out": "the run has passed its `timeout`",
    "start_hook": "a start hook has failed",
}
_AGAIN = {"failed": "again", "refused": "refused for its rate, again", "repeat": "`until` is false, again"}


def trace_lines(played: Played) -> Iterator[str]:
    """The lines of a run and of those it calls, in the order in which things were decided."""
    start = played.trace.entries[0].event.at
    lines: list[tuple[str, str, str]] = []
    for entry in played.trace.entries:
        said = _said(entry, start)
        if said is not None:
            lines.append((clock_text(entry.event.at - start), visible(said[0]), visible(said[1])))
    width = min(WIDEST_LABEL, max((len(label) for _, label, _ in lines), default=0))
    return (f"{time}  {label.ljust(width)}  {words}" for time, label, words in lines)


def end_lines(played: Played) -> Iterator[str]:
    """How the run ended, and its outputs as `run` prints them."""
    run = played.first.run
    start, end = run.submitted_at, run.ended_at
    took = clock_text(end - start).strip() if start is not None and end is not None else "0"
    warnings = f", {run.warnings} {'warning' if run.warnings == 1 else 'warnings'}" if run.warnings else ""
    undo = f", undo {run.undo}" if run.undo else ""
    nothing = ", nothing but skipped tasks" if run.noop else ""
    reason = f": {visible(run.failure.message)}" if run.failure is not None else ""
    yield f"{run.state} after {took}{warnings}{undo}{nothing}{reason}"
    for name, value in (run.outputs or {}).items():
        yield f"{name}={visible(value)}" if isinstance(value, str) else f"{name}:={_json(value)}"


def clock_text(length: timedelta) -> str:
    """A length of time in a column: `00:01:30.500`, days before it where there are any."""
    seconds, milliseconds = divmod(length // timedelta(milliseconds=1), 1000)
    days, seconds = divmod(seconds, 86_400)
    text = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{milliseconds:03}"
    return f"{days}d {text}" if days else text


def _said(entry: Entry, start: datetime) -> tuple[str, str] | None:
    """What the event is about and what it says, `None` for one that says nothing to a person."""
    event, traced = entry.event, entry.run
    about = str(traced.path[-1]) if traced.path else "run"
    match event:
        case RunSubmitted() if traced.path:
            return _path(entry), f"calls `{event.flow}`"
        case RunDraining():
            return _path(entry) or about, f"starts nothing new: {_REASONS.get(event.reason, event.reason)}"
        case RunHurried():
            return _path(entry) or about, "ends what still runs"
        case RunFinished() if traced.path:
            return _path(entry), f"its run {event.state}{_why(event.failure)}"
        case ResetRequested():
            return traced.label(event.task), f"asks for another round of {_names(event.members)}"
        case TasksReset():
            return traced.label(event.task), f"another round of {_names(event.members)}"
    task = getattr(event, "task", None)
    if task is None:
        return None
    words = _of_task(entry, traced.plan.tasks[task], start)
    return None if words is None else (traced.label(task, getattr(event, "item", None)), words)


def _path(entry: Entry) -> str:
    return "/".join(str(segment) for segment in entry.run.path)


def _of_task(entry: Entry, spec: PlanTask, start: datetime) -> str | None:
    event = entry.event
    match event:
        case FannedOut(items=items):
            return f"{len(items)} {'item' if len(items) == 1 else 'items'}"
        case TaskSkipped(reason=reason):
            return f"skipped: {reason}"
        case TaskBlocked(cause=cause):
            return f"blocked by `{cause}`"
        case TaskCancelled():
            return "cancelled"
        case EdgeTimedOut(edge=edge):
            return f"waits no longer for `{spec.edges[edge].upstream}`"
        case ServiceReady():
            return "ready"
        case TaskCompleting():
            return "done, and held until the tasks before its completion have ended"
        case TaskSucceeded():
            return _succeeded(entry, spec, event)
        case TaskFailed():
            return f"failed finally{_why(event.failure)}"
    return _of_attempt(event, spec, start)


def _of_attempt(event: Event, spec: PlanTask, start: datetime) -> str | None:
    match event:
        case AttemptStarted(due=due) if isinstance(spec.action, WaitAction):
            return f"waits until {clock_text(due - start)}" if due is not None else "waits"
        case AttemptStarted(attempt=attempt, round=round_) if isinstance(spec.action, ATTEMPT_ACTIONS):
            return f"attempt {attempt} starts" + (f" (round {round_})" if round_ > 1 else "")
        case AttemptStopping(reason=reason):
            return f"told to stop: {reason}"
        case AttemptFinished(attempt=attempt, failure=failure) if failure is not None:
            return f"attempt {attempt} failed{_why(failure)}"
        case TaskRetrying(due=due, why=why):
            return f"{_AGAIN.get(why, 'lost, again')} at {clock_text(due - start)}"
    return None


def _succeeded(entry: Entry, spec: PlanTask, event: TaskSucceeded) -> str:
    output = event.output if isinstance(event.output, Mapping) else {}
    chosen = output.get("chosen")
    if isinstance(spec.action, BranchAction | SwitchAction):
        takes = _names(tuple(map(str, chosen))) if isinstance(chosen, list) and chosen else "nothing"
        if isinstance(spec.action, SwitchAction):
            return f"is {_json(entry.value)}: takes {takes}"
        arm = output.get("arm")
        return f"takes arm {arm}: {takes}" if arm is not None else "takes no arm"
    if not output or isinstance(spec.action, FlowAction):
        return "succeeded"
    shown = {n: HIDDEN if n in spec.outputs and spec.outputs[n].sensitive else v for n, v in output.items()}
    return f"succeeded: {' '.join(f'{name}={_json(value)}' for name, value in shown.items())}"


def _why(failure: Failure | None) -> str:
    return "" if failure is None else f" ({failure.kind}): {failure.message}"


def _names(names: tuple[str, ...]) -> str:
    shown = ", ".join(f"`{name}`" for name in names[:10])
    return shown if len(names) <= 10 else f"{shown} and {len(names) - 10} more"


def _json(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
