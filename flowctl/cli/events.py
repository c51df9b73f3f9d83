"""`flowctl events`: everything that has happened to a run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.following import Follower
from flowctl.history import StoredPlans, events_of, find_run, store_with_runs
from flowctl.records import event_object
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.rows import EventRow

ABANDONED = "the process that drove the run is gone, nothing more will come until `flowctl resume`"
_TYPE_COLUMNS = 16
_TASK_COLUMNS = 16


def events_command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")],
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run has ended.", show_default=False)
    ] = False,
) -> int:
    """Print everything that has happened to a run, one event a line.

    With `--json` each line is an object. `--follow` exits with 1 if the process that drove the run has died.
    """
    frame = frame_of(ctx)
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        row = find_run(store, run)
        plans = StoredPlans(workspace, store)
        put = _json_printer(frame) if frame.json else _TextPrinter(frame, row.created_at)
        if not follow:
            for event in events_of(store, row.id):
                put(plans.shown(event, row))
            return Exit.SUCCESS
        follower = Follower(store, row.id)
        for batch in follower.batches():
            for event in batch:
                put(plans.shown(event, row))
            if batch and sys.stdout is not None:
                sys.stdout.flush()
    if follower.abandoned:
        frame.warn(ABANDONED)
        return Exit.FAILED
    return Exit.SUCCESS


def _json_printer(frame: Frame) -> Callable[[EventRow], None]:
    return lambda row: frame.put(json.dumps(event_object(row), ensure_ascii=False, separators=(",", ":")))


class _TextPrinter:
    """One line for an event: number, seconds since the run was made, type, task, and what else it says."""

    def __init__(self, frame: Frame, start: datetime) -> None:
        self._frame = frame
        self._start = start

    def __call__(self, row: EventRow) -> None:
        seconds = (row.at - self._start).total_seconds()
        name = "" if row.task is None else row.task if row.item is None else f"{row.task}[{row.item}]"
        parts = [f"{row.seq:>5}", f"{seconds:9.3f}s", row.type.ljust(_TYPE_COLUMNS), visible(name).ljust(_TASK_COLUMNS)]
        self._frame.put("  ".join([*parts, visible(details(row.type, row.data))]).rstrip())


def details(type_name: str, data: Mapping[str, Any]) -> str:
    """What an event says besides its type and task, on one line."""
    describe = _DETAILS.get(type_name)
    told = [describe(data)] if describe is not None else []
    failure = data.get("failure")
    if failure:
        told.append(str(failure["message"]))
    return ", ".join(part for part in told if part)


def _attempt(data: Mapping[str, Any]) -> str:
    number = f"attempt {data['attempt']}" + (f" of round {data['round']}" if data["round"] > 1 else "")
    return f"{number}, run {data['child']}" if data.get("child") else number


def _finished(data: Mapping[str, Any]) -> str:
    code = data.get("exit_code")
    told = code is not None and not data.get("failure")
    return f"{_attempt(data)} {data['ending']}" + (f", exit {code}" if told else "")


def _draining(data: Mapping[str, Any]) -> str:
    """`cancelled by ada: not needed`."""
    by, note = data.get("by"), data.get("note")
    return str(data["reason"]) + (f" by {by}" if by else "") + (f": {note}" if note else "")


_DETAILS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "run_submitted": lambda data: str(data["flow"]),
    "run_draining": _draining,
    "run_hurried": lambda data: "everything" if data["everything"] else "cleanup",
    "phase_entered": lambda data: str(data["phase"]),
    "run_finished": lambda data: str(data["state"]),
    "fanned_out": lambda data: f"{len(data['items'])} items",
    "task_skipped": lambda data: str(data["reason"]),
    "task_blocked": lambda data: f"needs {data['cause']}",
    "edge_timed_out": lambda data: f"edge {data['edge']}",
    "attempt_started": _attempt,
    "attempt_stopping": lambda data: str(data["reason"]),
    "attempt_finished": _finished,
    "task_retrying": lambda data: f"{data['why']}, due {data['due']}",
    "reset_requested": lambda data: f"{len(data['members'])} tasks, due {data['due']}",
    "tasks_reset": lambda data: f"{len(data['members'])} tasks",
}
