"""`flowctl show`: a run, its tasks, errors and outputs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.clock import SystemClock
from engine.errors import TaskNotFound
from engine.outcomes import Json
from engine.states import RunState, TaskState
from flowctl.cli.columns import Cell, Column, in_columns
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.moments import NONE, length_of, moment
from flowctl.cli.runs import RUN_STYLES, parse_since, trigger_text
from flowctl.findings.text import Look
from flowctl.following import abandoned_owners, is_abandoned
from flowctl.history import Moment, PlanLost, StoredPlans, find_run, store_with_runs
from flowctl.problems import UsageProblem
from flowctl.records import summary_object
from flowctl.redaction import HIDDEN
from flowctl.terminal.board import instant
from flowctl.terminal.colour import is_terminal
from flowctl.terminal.progress import STATE_STYLES
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace
from specs.suggest import did_you_mean

if TYPE_CHECKING:
    from engine.operations.replaying import Replay
    from engine.store.rows import AttemptRow, RunRow

LISTED_ITEMS = 20
_MOST_DIGITS = 18

_TASK_COLUMNS = (
    Column("TASK", may_be_cut=True),
    Column("STATE"),
    Column("ATTEMPTS", right=True),
    Column("DURATION", right=True),
    Column("DETAILS", may_be_cut=True),
)
_ATTEMPT_COLUMNS = (
    Column("ATTEMPT"),
    Column("STATE"),
    Column("STARTED"),
    Column("DURATION", right=True),
    Column("EXIT", right=True),
    Column("DETAILS", may_be_cut=True),
)


def show_command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")],
    task: Annotated[
        str | None, typer.Option("--task", metavar="TASK", help="Only this task: its items, attempts and outputs.")
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            "--at", metavar="SEQ|TIME", help="As it was after this event, or at this time: `2h` ago, or RFC 3339."
        ),
    ] = None,
) -> int:
    """Show a run: its tasks, errors and outputs."""
    frame = frame_of(ctx)
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        row = find_run(store, run)
        plans = StoredPlans(workspace, store)
        past = None if at is None else plans.past(row, chosen_moment(at, SystemClock().now()))
        if past is not None:
            row = past.stands()
        is_interrupted = past is None and is_abandoned(row, abandoned_owners(store))
        summary = summary_object(past or store, row, sensitive=plans.sensitive(row), is_interrupted=is_interrupted)
        if task is not None:
            summary = only_task(summary, task)
        if frame.json:
            frame.put(json.dumps(summary, ensure_ascii=False, separators=(",", ":")))
            return Exit.SUCCESS
        page = _Page(frame, past.at if past is not None else SystemClock().now())
        page.put_head(row, summary["run"], folder=workspace.run_files.run_folder(row.id), is_interrupted=is_interrupted)
        page.put_tasks(summary, every_item=task is not None)
        if task is not None:
            page.put_attempts((past or store).attempts(row.id, task=task))
            page.put_output(_output_of(plans, row, task, past))
    return Exit.SUCCESS


def only_task(summary: Mapping[str, Any], task: str) -> dict[str, Any]:
    """The summary with one task of it: by its id, of a hook or an undo task with `hooks.` or `undo.` before it.

    Raises:
        TaskNotFound: the run has none of that id.
    """
    group, name = task.split(".", 1) if task.startswith(("hooks.", "undo.")) else ("tasks", task)
    found = summary.get(group, {}).get(name)
    if found is None:
        names = [other if kind == "tasks" else f"{kind}.{other}" for kind, other, _ in _every_task(summary)]
        raise TaskNotFound(f"run `{summary['run']['id']}` has no task `{task}`", hint=did_you_mean(task, names))
    rest = {key: value for key, value in summary.items() if key not in ("tasks", "hooks", "undo")}
    return {**rest, "tasks": {}, group: {name: found}}


def _every_task(summary: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    for group in ("tasks", "hooks", "undo"):
        for name, entry in summary.get(group, {}).items():
            yield group, name, entry


def chosen_moment(text: str, now: datetime) -> Moment:
    """The event or the instant that `--at` names. Raises `UsageProblem`."""
    if text.isascii() and text.isdigit():
        if len(text) > _MOST_DIGITS or int(text) == 0:
            raise UsageProblem(f"`{text}` is the number of no event", hint="the first is 1")
        return int(text)
    return parse_since(text, now)


def _output_of(plans: StoredPlans, row: RunRow, task: str, past: Replay | None) -> Json:
    """What expressions read of a task that has succeeded; `None` where it is not known any more."""
    try:
        plan, run = plans.plan(row.digest), plans.fold(row) if past is None else past.run
    except PlanLost:
        return None
    output = run.tasks[task].output if task in run.tasks else None
    if not isinstance(output, dict):
        return output
    hidden = {name for name, spec in plan.tasks[task].outputs.items() if spec.sensitive}
    return {name: HIDDEN if name in hidden else value for name, value in output.items()}


class _Page:
    """What is printed for a person, part by part."""

    def __init__(self, frame: Frame, now: datetime) -> None:
        self._frame = frame
        self._now = now
        self._look: Look = frame.look(sys.stdout)
        self._width = self._look.columns if is_terminal(sys.stdout) else None

    def put_head(self, row: RunRow, run: Mapping[str, Any], *, folder: str, is_interrupted: bool) -> None:
        """The run itself: one fact a line, those that there are."""
        style = RUN_STYLES.get(RunState(row.state))
        state = self._look.paint(row.state, style) if style else row.state
        took = f" in {length_of(row.started_at, row.ended_at)}" if row.ended_at and row.started_at else ""
        rest = ", interrupted: nobody drives it; `flowctl resume` does" if is_interrupted else ""
        self._frame.put(f"run {row.id} of {visible(row.flow)}: {state}{took}{rest}")
        facts = {
            "error": run["error"] and run["error"]["message"],
            "started": moment(row.started_at) if row.started_at else None,
            "ended": moment(row.ended_at) if row.ended_at else None,
            "trigger": trigger_text(row),
            "params": ", ".join(assignments(run["params"])),
            "outputs": ", ".join(assignments(run["outputs"] or {})),
            "warnings": run["warnings"] or None,
            "undo": run["undo"],
            "part of": f"{row.parent_run} ({row.parent_task})" if row.parent_run else None,
            "files": folder,
        }
        for name, value in facts.items():
            if value:
                self._frame.put(f"  {name.ljust(8)}  {visible(str(value))}")

    def put_tasks(self, summary: Mapping[str, Any], *, every_item: bool) -> None:
        """A table of the tasks; of a fan-out the items that failed, or all of them."""
        rows: list[Sequence[Cell]] = []
        for group, name, entry in _every_task(summary):
            rows.append(self._task(name if group == "tasks" else f"{group}.{name}", entry))
            rows.extend(self._items(entry.get("items", ()), every_item=every_item))
        self._put_table(_TASK_COLUMNS, rows)

    def put_attempts(self, attempts: Sequence[AttemptRow]) -> None:
        """A table of the attempts of one task."""
        if attempts:
            self._put_table(_ATTEMPT_COLUMNS, [self._attempt(attempt) for attempt in attempts])

    def put_output(self, output: Json) -> None:
        """The outputs of one task."""
        if output in (None, {}, []):
            return
        self._frame.put("\noutput")
        lines = assignments(output) if isinstance(output, dict) else [_json(output)]
        for line in lines:
            self._frame.put(f"  {visible(line)}")

    def _put_table(self, columns: Sequence[Column], rows: Sequence[Sequence[Cell]]) -> None:
        self._frame.put("")
        for line in in_columns(columns, rows, self._look, width=self._width):
            self._frame.put(line)

    def _task(self, name: str, entry: Mapping[str, Any]) -> Sequence[Cell]:
        state = TaskState(entry["state"])
        start, end = instant(entry["started_at"]), instant(entry["ended_at"])
        return (
            Cell(name),
            Cell(state.value, STATE_STYLES[state]),
            Cell(str(entry["attempts"]) if entry["attempts"] else NONE),
            Cell(length_of(start, end or (None if state.is_final else self._now))),
            Cell(_details(entry)),
        )

    def _items(self, items: Sequence[Mapping[str, Any]], *, every_item: bool) -> Iterator[Sequence[Cell]]:
        chosen = [item for item in items if every_item or item["state"] == TaskState.FAILED]
        shown = chosen if every_item else chosen[:LISTED_ITEMS]
        for item in shown:
            key = f" {item['key']}" if item["key"] not in (None, str(item["index"])) else ""
            yield self._task(f"  [{item['index']}]{key}", item)
        if len(chosen) > len(shown):
            more = f"  {len(chosen) - len(shown)} more failed items"
            yield Cell(more), Cell(""), Cell(""), Cell(""), Cell("")

    def _attempt(self, attempt: AttemptRow) -> Sequence[Cell]:
        item = f"[{attempt.item}] " if attempt.item >= 0 else ""
        number = f"{attempt.attempt}" if attempt.round == 1 else f"{attempt.attempt} of round {attempt.round}"
        ended = attempt.signal or ("" if attempt.exit_code is None else str(attempt.exit_code))
        message = attempt.error["message"] if attempt.error else ""
        child = f"run {attempt.child_run}" if attempt.child_run else ""
        return (
            Cell(item + number),
            Cell(attempt.state),
            Cell(moment(attempt.started_at)),
            Cell(length_of(attempt.started_at, attempt.ended_at or self._now)),
            Cell(ended or NONE),
            Cell("; ".join(str(part) for part in (message, child) if part)),
        )


def _details(entry: Mapping[str, Any]) -> str:
    """Why a task stands where it does."""
    parts = []
    if "counts" in entry:
        counts = entry["counts"]
        failed = f", {counts['failed']} failed" if counts["failed"] else ""
        parts.append(f"{counts['succeeded']} of {counts['total']} items{failed}")
    if entry["error"]:
        parts.append(entry["error"]["message"])
    if "cause" in entry:
        parts.append(f"needs {entry['cause']}" if entry["state"] == TaskState.BLOCKED else entry["cause"])
    if entry["round"] > 1:
        parts.append(f"round {entry['round']}")
    return "; ".join(parts)


def assignments(values: Mapping[str, Json]) -> list[str]:
    """Values as a script would write them: `name=text`, `name:=json`."""
    return [f"{key}={value}" if isinstance(value, str) else f"{key}:={_json(value)}" for key, value in values.items()]


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False)
