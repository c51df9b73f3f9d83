"""`flowctl import`: take in a run that was exported from another store."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, open_regular
from flowctl.records import SCHEMA_VERSION
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from flowctl.importing import Imported


def import_command(
    ctx: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `flowctl export` has written.")],
) -> int:
    """Take in a run that was exported from another store, with its id; nothing that is here is changed.

    Importing the same run again changes nothing. Exits with 5 if there is another run of that id, with 1 if the file is no
    exported run, or not whole.
    """
    from engine.operations.archive import BadArchive
    from flowctl.history import StoredPlans
    from flowctl.importing import Importer

    frame = frame_of(ctx)
    workspace = Workspace(frame.settings, frame.environ)
    try:
        descriptor = open_regular(file, follow=True)
    except Unreadable as error:
        raise UsageProblem(f"cannot read `{file}`: {error}") from error
    with os.fdopen(descriptor, "rb") as stream, workspace.store(create=True) as store:
        try:
            imported = Importer(store, StoredPlans(workspace, store), workspace.run_files).take(stream)
        except BadArchive as error:
            error.file = str(file)
            raise
    _tell(frame, imported)
    return Exit.SUCCESS


def _tell(frame: Frame, imported: Imported) -> None:
    if frame.json:
        shape = {
            "schema_version": SCHEMA_VERSION,
            "run": imported.run,
            "flow": imported.flow,
            "runs": imported.runs,
            "was_there": imported.was_there,
            "unproven": list(imported.unproven),
        }
        frame.put(json.dumps(shape, ensure_ascii=False, separators=(",", ":")))
    if imported.unproven:
        frame.warn(
            f"the flow of {len(imported.unproven)} of the runs cannot be compiled here, so nobody could tell whether the"
            " log makes the state that the file says"
        )
    more = f" and {imported.runs - 1} of sub-flows" if imported.runs > 1 else ""
    said = "was here already, the same" if imported.was_there else "imported"
    frame.say(f"run {imported.run} of {visible(imported.flow)}{more} {said}")
