"""`flowctl cancel`: end a run, whoever drives it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from engine.states import RunState
from flowctl.cancelling import Outcome, cancel_run
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.options import RunArgument
from flowctl.following import Follower
from flowctl.history import StoredPlans, find_run, store_with_runs
from flowctl.records import summary_object
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.port import Store
    from engine.store.rows import RunRow


def cancel_command(
    ctx: typer.Context,
    run: RunArgument,
    force: Annotated[
        bool, typer.Option("--force", help="End cleanup, hooks and undo, too, and every process at once.")
    ] = False,
    reason: Annotated[str | None, typer.Option("--reason", metavar="TEXT", help="Kept with the run.")] = None,
    wait: Annotated[bool, typer.Option("-w", "--wait", help="Return when the run has ended.")] = False,
) -> int:
    """End a run, whoever drives it: this machine, another process, or nobody any more.

    Exits with 0 if it is being cancelled or was before, 5 if it had ended otherwise.
    """
    frame = frame_of(ctx)
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        row = find_run(store, run)
        if RunState(row.state).is_final:
            return _tell_end(frame, workspace, store, row)
        outcome = cancel_run(workspace, store, row, note=reason, force=force)
        if wait:
            for _ in Follower(store, row.id).batches(after=row.seq):
                pass
        row = store.run(row.id) or row
        if RunState(row.state).is_final:
            return _tell_end(frame, workspace, store, row)
        words = "is being cancelled already" if outcome is Outcome.ALREADY else "is being cancelled"
        frame.say(f"run {row.id} {words}")
        _put(frame, workspace, store, row)
    return Exit.SUCCESS


def _tell_end(frame: Frame, workspace: Workspace, store: Store, row: RunRow) -> int:
    is_cancelled = row.state == RunState.CANCELLED
    frame.say(f"run {row.id} {'is cancelled' if is_cancelled else f'has ended: it {row.state}'}")
    _put(frame, workspace, store, row)
    return Exit.SUCCESS if is_cancelled else Exit.CONFLICT


def _put(frame: Frame, workspace: Workspace, store: Store, row: RunRow) -> None:
    if frame.json:
        summary = summary_object(store, row, sensitive=StoredPlans(workspace, store).sensitive(row))
        frame.put(json.dumps(summary, ensure_ascii=False, separators=(",", ":")))
