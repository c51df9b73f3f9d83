"""`flowctl graph`: draw a flow, or a run by the states of its tasks."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, assert_never

import typer

from engine.states import TaskState
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.options import FileOption, FlowArgument
from flowctl.cli.raw_output import put_bytes
from flowctl.cli.run import named_flow
from flowctl.history import StoredPlans, find_run, store_with_runs
from flowctl.problems import UsageProblem
from flowctl.reading import reason_of
from flowctl.terminal.colour import is_terminal
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.drawing.model import Drawing, NodeState
    from engine.plan import FlowAction, Plan
    from engine.store.port import Store
    from engine.store.rows import TaskRow


_COUNTS = ("total", "succeeded", "failed")


class GraphForm(StrEnum):
    """How a picture is written."""

    TEXT = "text"
    DOT = "dot"
    MERMAID = "mermaid"
    JSON = "json"
    SVG = "svg"
    PNG = "png"


def graph_command(
    ctx: typer.Context,
    flow: FlowArgument = None,
    file: FileOption = None,
    run: Annotated[
        str | None, typer.Option("--run", metavar="RUN", help="Draw this run instead, by the states of its tasks.")
    ] = None,
    form: Annotated[
        GraphForm | None,
        typer.Option(
            "--format", help="How the picture is written; svg and png need the program `dot`.", show_default="text"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option("-O", "--out", metavar="FILE", help="Write to a file instead of stdout.")
    ] = None,
    expand: Annotated[bool, typer.Option("--expand", help="Draw what is inside of sub-flows, too.")] = False,
) -> int:
    """Draw a flow, or a run by the states of its tasks."""
    frame = frame_of(ctx).about(flow, file)
    chosen = _chosen_form(frame, form)
    if chosen is GraphForm.PNG and out is None and is_terminal(sys.stdout):
        raise UsageProblem(
            "a PNG is no text for a terminal", hint="name a file with `-O graph.png`, or use `--format text`"
        )
    workspace = Workspace(frame.settings, frame.environ)
    if run is None:
        from engine.drawing.model import draw

        plan = workspace.compile(named_flow(flow, file, command="graph")).plan
        drawing = draw(plan, expand_children=expand)
    elif flow is None and file is None:
        drawing = _drawing_of_run(workspace, run, expand=expand)
    else:
        raise UsageProblem(
            "a flow and `--run` exclude each other", hint="a run is drawn with the flow it was started with"
        )
    data = _written(frame, drawing, chosen, to_file=out is not None)
    if out is None:
        put_bytes(data)
    else:
        _write_file(out, data)
    return Exit.SUCCESS


def _chosen_form(frame: Frame, form: GraphForm | None) -> GraphForm:
    if frame.json and form not in (None, GraphForm.JSON):
        raise UsageProblem(f"`--json` and `--format {form}` exclude each other", hint="give one of them")
    return GraphForm.JSON if frame.json else form or GraphForm.TEXT


def _written(frame: Frame, drawing: Drawing, form: GraphForm, *, to_file: bool) -> bytes:
    match form:
        case GraphForm.TEXT:
            from engine.drawing.text import Screen, to_text

            if to_file:
                return to_text(drawing).encode()
            look = frame.look(sys.stdout)
            text = to_text(drawing, Screen(look.columns, unicode=look.unicode, colour=look.colour))
            return text.encode(getattr(sys.stdout, "encoding", None) or "utf-8", "backslashreplace")
        case GraphForm.DOT:
            from engine.drawing.dot import to_dot

            return to_dot(drawing).encode()
        case GraphForm.MERMAID:
            from engine.drawing.mermaid import to_mermaid

            return to_mermaid(drawing).encode()
        case GraphForm.JSON:
            from engine.drawing.json import to_json

            return to_json(drawing).encode()
        case GraphForm.SVG:
            from engine.drawing.render import render

            return render(drawing, "svg")
        case GraphForm.PNG:
            from engine.drawing.render import render

            return render(drawing, "png")
        case _:
            assert_never(form)


def _write_file(path: Path, data: bytes) -> None:
    try:
        path.write_bytes(data)
    except (OSError, ValueError) as error:
        why = reason_of(error) if isinstance(error, OSError) else "that is not a file name"
        raise UsageProblem(f"cannot write `{path}`: {why}", hint="name a file in a folder that exists") from error


# --- a run --------------------------------------------------------------------------------------------------------------


def _drawing_of_run(workspace: Workspace, text: str, *, expand: bool) -> Drawing:
    from engine.drawing.model import draw

    with store_with_runs(workspace) as store:
        run = find_run(store, text)
        plan = StoredPlans(workspace, store).plan(run.digest)
        states = dict(_states(store, plan, run.id, expand=expand))
    return draw(plan, states, expand_children=expand)


def _states(store: Store, plan: Plan, run_id: str, *, expand: bool) -> Iterator[tuple[str, NodeState]]:
    """States by the ids of the drawing: those in a sub-flow are `TASK/CHILD`, of its latest run.

    A fan-out of sub-flows has many runs for one frame, so what is in the frame has no state.
    """
    waiting = [(plan, run_id, "")]
    while waiting:
        one, its_id, prefix = waiting.pop()
        for row in store.tasks(its_id):
            yield prefix + row.task, _state(row)
        if expand:
            latest = {child.parent_task: child.id for child in store.children(its_id)}
            waiting += [
                (one.children[action.flow], latest[id_], f"{prefix}{id_}/")
                for id_, action in _calls(one)
                if id_ in latest
            ]


def _calls(plan: Plan) -> Iterator[tuple[str, FlowAction]]:
    """The plan's calls of sub-flows that have one run each."""
    from engine.plan import FlowAction

    for id_ in plan.main:
        task = plan.tasks[id_]
        if isinstance(task.action, FlowAction) and task.fan_out is None:
            yield id_, task.action


def _state(row: TaskRow) -> NodeState:
    from engine.drawing.model import NodeState

    counts = None if row.counts is None else {key: int(str(row.counts.get(key, 0))) for key in _COUNTS}
    return NodeState(
        state=TaskState(row.state),
        counts=counts,
        duration_s=(row.ended_at - row.started_at).total_seconds() if row.started_at and row.ended_at else None,
        attempts=row.attempts,
        round=row.round,
    )
