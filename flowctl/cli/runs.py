"""`flowctl runs`: list runs, the newest first."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from engine.clock import SystemClock
from engine.states import RunState
from flowctl.cli.columns import Cell, Column, in_columns
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.moments import length_of, moment
from flowctl.following import abandoned_owners, is_abandoned
from flowctl.history import StoredPlans, existing_store
from flowctl.problems import UsageProblem
from flowctl.records import SCHEMA_VERSION, run_object
from flowctl.terminal.colour import Style, is_terminal
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.rows import Page, RunRow

LISTED = 20

RUN_STYLES = {
    RunState.SUCCEEDED: Style.SUCCESS,
    RunState.FAILED: Style.ERROR,
    RunState.CANCELLED: Style.WARNING,
    RunState.RUNNING: Style.INFO,
}

_COLUMNS = (
    Column("RUN"),
    Column("FLOW", may_be_cut=True),
    Column("STATE"),
    Column("STARTED"),
    Column("DURATION", right=True),
    Column("TRIGGER", may_be_cut=True),
)


def runs_command(
    ctx: typer.Context,
    flow: Annotated[str | None, typer.Option("--flow", metavar="NAME", help="Only runs of this flow.")] = None,
    state: Annotated[
        list[RunState] | None, typer.Option("--state", help="Only runs in this state; may be repeated.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="Only runs made since: `2h` ago, or 2026-01-31T08:00:00Z."),
    ] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=10_000, help="How many at most.")] = LISTED,
    cursor: Annotated[
        str | None, typer.Option("--cursor", metavar="CURSOR", help="Go on where an earlier list ended.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Runs of sub-flows, too.")] = False,
) -> int:
    """List runs, the newest first.

    `interrupted` is a run that has not ended and that nobody drives: `flowctl resume` does.
    """
    from engine.store.rows import Page, RunFilter

    frame = frame_of(ctx)
    now = SystemClock().now()
    where = RunFilter(
        flow=flow,
        states=tuple(one.value for one in state) if state else None,
        since=None if since is None else parse_since(since, now),
        top_level_only=not every,
    )
    workspace = Workspace(frame.settings, frame.environ)
    with existing_store(workspace) as store:
        page = Page((), None) if store is None else store.runs(where, limit=limit, cursor=cursor)
        gone = frozenset[str | None]() if store is None else abandoned_owners(store)
        if frame.json:
            plans = None if store is None else StoredPlans(workspace, store)
            _put_json(frame, page, plans, gone)
            return Exit.SUCCESS
    _put_table(frame, page, now, gone)
    return Exit.SUCCESS


def parse_since(text: str, now: datetime) -> datetime:
    """The instant meant: so long before `now`, or RFC 3339 with a zone. Raises `UsageProblem`."""
    from specs.quantities import parse_duration

    ago = parse_duration(text)
    try:
        at = now - ago if isinstance(ago, timedelta) else datetime.fromisoformat(text)
        if at.tzinfo is not None:
            return at.astimezone(now.tzinfo)
    except (OverflowError, ValueError):
        pass
    hint = "write a duration such as `2h` or `3d`, or a time with a zone such as `2026-01-31T08:00:00Z`"
    raise UsageProblem(f"`{text}` is no time", hint=hint)


def _put_json(frame: Frame, page: Page, plans: StoredPlans | None, gone: Collection[str | None]) -> None:
    items = [
        run_object(
            row,
            sensitive=plans.sensitive(row) if plans else frozenset(),
            is_interrupted=is_abandoned(row, gone),
        )
        for row in page.items
    ]
    shape = {"schema_version": SCHEMA_VERSION, "items": items, "next": page.next}
    frame.put(json.dumps(shape, ensure_ascii=False, separators=(",", ":")))


def _put_table(frame: Frame, page: Page, now: datetime, gone: Collection[str | None]) -> None:
    if not page.items:
        frame.say("no runs")
        return
    look = frame.look(sys.stdout)
    width = look.columns if is_terminal(sys.stdout) else None
    for line in in_columns(_COLUMNS, [_row(row, now, gone) for row in page.items], look, width=width):
        frame.put(line)
    if page.next is not None:
        frame.say(f"there are more: `--cursor {page.next}`")


def _row(row: RunRow, now: datetime, gone: Collection[str | None]) -> Sequence[Cell]:
    return (
        Cell(row.id),
        Cell(row.flow),
        Cell(
            f"{row.state}, interrupted" if is_abandoned(row, gone) else row.state, RUN_STYLES.get(RunState(row.state))
        ),
        Cell(moment(row.started_at)),
        Cell(length_of(row.started_at, row.ended_at or now)),
        Cell(trigger_text(row)),
    )


def trigger_text(row: RunRow) -> str:
    """What started the run: its kind, and its name or the run it is part of."""
    kind = str(row.trigger.get("kind", "manual"))
    more = row.trigger.get("name") or row.parent_run
    return f"{kind} {more}" if more else kind
