"""`flowctl plan`: show what a run would do, and start nothing."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of
from flowctl.cli.options import FileOption, FlowArgument, ParamOption, ParamsFileOption
from flowctl.cli.params import given_parameters
from flowctl.cli.run import named_flow, show_warnings
from flowctl.foreseeing import foresee
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace
from specs.collection import without_collection
from specs.suggest import listed


def plan_command(
    ctx: typer.Context,
    flow: FlowArgument = None,
    file: FileOption = None,
    param: ParamOption = None,
    params_file: ParamsFileOption = None,
) -> int:
    """Show what a run would do, how long it may take and when it would start by itself.

    Nothing is started. Required parameters may be missing: what depends on them is left open.
    """
    frame = frame_of(ctx).about(flow, file)
    workspace = Workspace(frame.settings, frame.environ)
    given = given_parameters(param or [], file=params_file)
    with without_collection():
        checked = workspace.check(named_flow(flow, file, command="plan"))
        forecast = foresee(workspace, checked, folder=Path.cwd(), texts=given.texts, values=given.values)
        gc.freeze()  # it is held to the end, and one look through a large flow takes as long as compiling it
    show_warnings(frame, checked.diagnostics)
    missing = [one.name for one in forecast.parameters if one.source == "missing"]
    if missing:
        frame.warn(f"a run needs {listed(map(visible, missing))}; give them with `-p NAME=VALUE`")
    if frame.json:
        from engine.forecast import json_parts

        frame.put_parts(json_parts(forecast))
        return Exit.SUCCESS
    from engine.forecast import to_text

    look = frame.look(sys.stdout)
    frame.put(to_text(forecast, width=look.columns, unicode=look.unicode).rstrip("\n"))
    return Exit.SUCCESS
