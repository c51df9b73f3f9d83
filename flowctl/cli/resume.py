"""`flowctl resume`: take up runs that nobody drives any more, and drive them to their end here."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.errors import RunHeld
from engine.states import RunState
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.options import EnvFileOption, EnvOption
from flowctl.cli.params import given_environment
from flowctl.cli.run import BY_SIGNAL, put_json
from flowctl.cli.run_end import show_end
from flowctl.findings.text import count_of
from flowctl.following import interrupted_runs
from flowctl.history import StoredPlans, existing_store, find_run
from flowctl.records import event_object, summary_object
from flowctl.running import resume_in_foreground
from flowctl.terminal.progress import PlainView, SilentView
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.run import Run
    from engine.store.port import Store
    from engine.store.rows import RunRow
    from flowctl.running import Resumed

NOTHING = "nothing to resume: no run is interrupted"


def resume_command(
    ctx: typer.Context,
    run: Annotated[
        str | None,
        typer.Argument(
            metavar="RUN", help="The run's id, an end or start of it, or `latest`; without it, every interrupted run."
        ),
    ] = None,
    env: EnvOption = None,
    env_file: EnvFileOption = None,
) -> int:
    """Take up interrupted runs where they stopped, and wait for them.

    What had succeeded is not done again; what was running when its engine died goes on if it still runs. Exits with 0 if
    all succeeded or there was nothing to do, 1 if one did not, 5 if another process drives the run.
    """
    frame = frame_of(ctx)
    files = [*frame.settings.env_files, *(env_file or [])]
    variables = given_environment(env or [], files=files, environ=frame.environ)
    workspace = Workspace(frame.settings, {**variables, **frame.environ})
    with existing_store(workspace) as store:
        if store is None:
            frame.say(NOTHING)
            return Exit.SUCCESS
        row = None if run is None else find_run(store, run)
        if row is not None and RunState(row.state).is_final:
            frame.say(f"nothing to resume: run {row.id} has {row.state}" + (" already" if row.ended_at else ""))
            return Exit.SUCCESS if row.state == RunState.SUCCEEDED else Exit.FAILED
        waiting = interrupted_runs(store) if row is None else [row]
        if not waiting:
            frame.say(NOTHING)
            return Exit.SUCCESS
        return _resume(frame, workspace, store, waiting, only=row)


def _resume(frame: Frame, workspace: Workspace, store: Store, waiting: list[RunRow], *, only: RunRow | None) -> int:
    above = {row.id for row in waiting}
    tops = [row.id for row in waiting if row.parent_run not in above]
    watching = _Watching(frame, store)
    resumed = resume_in_foreground(
        workspace,
        store,
        only=None if only is None else only.id,
        view=watching.view(only),
        on_resumed=lambda run: watching.taken_up(run) if run.id in tops else None,
        on_event=(lambda row: put_json(frame, event_object(row))) if frame.json else None,
    )
    ended = [row for row in (store.run(run_id) for run_id in tops) if row is not None]
    if only is not None and not resumed.runs and not RunState(ended[0].state).is_final:
        raise RunHeld(only.id, ended[0].owner or "")
    return _tell_ends(frame, workspace, store, ended, resumed)


def _tell_ends(frame: Frame, workspace: Workspace, store: Store, ended: list[RunRow], resumed: Resumed) -> int:
    plans = StoredPlans(workspace, store)
    states = set()
    for row in ended:
        if not RunState(row.state).is_final:
            continue  # another process was first
        states.add(row.state)
        summary: dict[str, Any] = summary_object(store, row, sensitive=plans.sensitive(row))
        if frame.json:
            put_json(frame, summary)
        else:
            show_end(frame, workspace, summary)
    if states <= {RunState.SUCCEEDED}:
        return Exit.SUCCESS
    return Exit.FAILED if resumed.signal is None else BY_SIGNAL[resumed.signal]


class _Watching:
    """What a person is told on the way: of one run as `run` tells it, of several only which there are."""

    def __init__(self, frame: Frame, store: Store) -> None:
        self._frame = frame
        self._store = store
        self._is_past = False

    def view(self, only: RunRow | None) -> PlainView | SilentView:
        """A view of one run that knows what has happened so far."""
        if only is None or self._frame.quiet or sys.stderr is None:
            return SilentView()
        view = PlainView(self._say)
        self._is_past = True
        for row in self._store.events(only.id, limit=10_000):
            view.on_event(row.run_id, event_object(row))
        self._is_past = False
        return view

    def taken_up(self, run: Run) -> None:
        """One more run goes on."""
        done = sum(task.state.is_final for task in run.tasks.values())
        self._frame.say(
            f"run {run.id} of {visible(run.flow)} goes on: {done} of {count_of(len(run.tasks), 'task')} done"
        )

    def _say(self, line: str) -> None:
        if not self._is_past:
            self._frame.say(line)
