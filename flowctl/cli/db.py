"""`flowctl db`: look after the store as a whole."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from engine.clock import SystemClock
from engine.errors import StoreConflict
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.findings.text import count_of
from flowctl.problems import UsageProblem
from flowctl.records import SCHEMA_VERSION
from flowctl.terminal.colour import is_terminal
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.reading import StoredRows
    from engine.store.upkeep import Upkeep
    from flowctl.checking_store import Checked

_LARGE = 256 << 20
"""Writing a file of this size anew takes about as long as others wait for the lock."""


def db_check_command(ctx: typer.Context) -> int:
    """Look whether the store is whole: its pages, its tables, and that the log of every run makes the state stored beside it.

    Nothing is changed, and engines may go on. Exits with 1 if something is damaged, and names it.
    """
    from flowctl.checking_store import check_store

    frame, workspace, upkeep = _open(ctx)
    checked = check_store(upkeep, workspace, tell=lambda count: frame.say(f"{count_of(count, 'run')} looked at"))
    if frame.json:
        _put_json(frame, _check_object(upkeep, checked))
    else:
        _put_check(frame, upkeep, checked)
    return Exit.FAILED if checked.damages else Exit.SUCCESS


def db_version_command(ctx: typer.Context) -> int:
    """Print the version of the store's schema, and of that which this flowctl writes."""
    from engine.store import ddl

    frame, _, upkeep = _open(ctx)
    version = upkeep.version()
    if frame.json:
        _put_json(frame, {"store": upkeep.name, "version": version, "current": ddl.VERSION})
    else:
        frame.put(f"version {version}; this flowctl writes version {ddl.VERSION}")
    return Exit.SUCCESS


def db_migrate_command(
    ctx: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the statements, and change nothing.")] = False,
) -> int:
    """Bring the store of an earlier flowctl up to date, as opening it does; a store in a file is copied first.

    It is done as a whole or not at all. A store of a later flowctl is refused and left as it is.
    """
    from engine.store import ddl

    frame, _, upkeep = _open(ctx)
    version = upkeep.version()
    statements = upkeep.migration() if dry_run else ()
    backup = None if dry_run else upkeep.migrate(now=SystemClock().now())
    if frame.json:
        shape = {
            "store": upkeep.name,
            "from": version,
            "to": ddl.VERSION,
            "dry_run": dry_run,
            "statements": list(statements),
            "backup": None if backup is None else str(backup),
        }
        _put_json(frame, shape)
        return Exit.SUCCESS
    for statement in statements:
        frame.put(f"{statement};")
    if version == ddl.VERSION:
        frame.say(f"the store `{visible(upkeep.name)}` has version {version} already")
    else:
        done = "would be brought" if dry_run else "was brought"
        frame.say(f"the store `{visible(upkeep.name)}` {done} from version {version} to {ddl.VERSION}")
    if backup is not None:
        frame.say(f"a backup from before is `{visible(str(backup))}`")
    return Exit.SUCCESS


def db_backup_command(
    ctx: typer.Context,
    file: Annotated[
        Path | None, typer.Argument(metavar="FILE", help="Where to; without it a name beside the store.")
    ] = None,
) -> int:
    """Copy the store while engines go on, and prove that the copy is whole. The files of runs are not in it."""
    frame, workspace, upkeep = _open(ctx)
    target = upkeep.back_up(file, now=SystemClock().now())
    if frame.json:
        _put_json(frame, {"store": upkeep.name, "backup": str(target), "size_bytes": target.stat().st_size})
    else:
        frame.put(str(target))
    frame.detail(f"the files of runs are in `{visible(workspace.run_files.root)}`")
    return Exit.SUCCESS


def db_vacuum_command(ctx: typer.Context) -> int:
    """Write the store anew without the room that removed runs have left; nobody can write to it meanwhile.

    A large store is left alone while engines drive runs; the exit code is 5 then.
    """
    frame, _, upkeep = _open(ctx)
    if upkeep.size() > _LARGE:
        _refuse_driven(upkeep, "is large, and nobody could write to it for long")
    room = upkeep.vacuum()
    if frame.json:
        _put_json(frame, {"store": upkeep.name, "before_bytes": room.before, "after_bytes": room.after})
    else:
        frame.put(f"{room.before:,} bytes before, {room.after:,} after")
    return Exit.SUCCESS


def db_drop_command(
    ctx: typer.Context,
    yes: Annotated[bool, typer.Option("-y", "--yes", help="Do not ask.", show_default=False)] = False,
) -> int:
    """Delete the store and the files of its runs. Backups stay.

    Refused with exit code 5 while an engine drives runs in it.
    """
    frame, workspace, upkeep = _open(ctx)
    upkeep.version()
    _refuse_driven(upkeep, "is in use")
    if not yes:
        _confirm(frame, upkeep)
    upkeep.drop()
    left = _remove_files(workspace)
    if frame.json:
        _put_json(frame, {"store": upkeep.name, "backups": [str(path) for path in upkeep.backups()], "left": left})
    frame.say(f"the store `{visible(upkeep.name)}` was deleted")
    for path in upkeep.backups():
        frame.say(f"a backup of it stays: `{visible(str(path))}`")
    for name in left:
        frame.warn(f"cannot remove `{visible(name)}`")
    return Exit.FAILED if left else Exit.SUCCESS


def _open(ctx: typer.Context) -> tuple[Frame, Workspace, Upkeep]:
    from engine.store.upkeep import upkeep_of

    frame = frame_of(ctx)
    return frame, Workspace(frame.settings, frame.environ), upkeep_of(frame.settings.store)


def _put_json(frame: Frame, shape: dict[str, Any]) -> None:
    whole = {"schema_version": SCHEMA_VERSION, **shape}
    frame.put(json.dumps(whole, ensure_ascii=False, separators=(",", ":")))


# --- check --------------------------------------------------------------------------------------------------------------


def _check_object(upkeep: Upkeep, checked: Checked) -> dict[str, Any]:
    return {
        "store": upkeep.name,
        "version": checked.version,
        "whole": not checked.damages,
        "runs": checked.runs,
        "damages": [{"run": damage.run, "text": damage.text} for damage in checked.damages],
        "notes": checked.notes,
        "backups": [str(path) for path in upkeep.backups()],
    }


def _put_check(frame: Frame, upkeep: Upkeep, checked: Checked) -> None:
    for damage in checked.damages:
        frame.put(visible(damage.text if damage.run is None else f"run {damage.run}: {damage.text}"))
    if checked.damages:
        frame.say(f"the store `{visible(upkeep.name)}` is damaged; it was left as it is")
        for path in upkeep.backups()[:1]:
            frame.say(f"  = help: the newest backup is `{visible(str(path))}`")
    else:
        frame.put(
            f"the store `{visible(upkeep.name)}` is whole: version {checked.version}, {count_of(checked.runs, 'run')}"
        )
    for note in checked.notes:
        frame.warn(visible(note))


# --- who is in the way --------------------------------------------------------------------------------------------------


def _refuse_driven(upkeep: Upkeep, why: str) -> None:
    """Raise `StoreConflict` if an engine that may be alive drives runs in the store."""
    from engine.store import ddl

    if upkeep.version() != ddl.VERSION:
        return  # nothing of this version drives runs in it
    with upkeep.look() as rows:
        holders = _holders(rows)
    if holders:
        said = " and ".join(holders)
        hint = "wait for its end, or end it with `flowctl cancel RUN`"
        raise StoreConflict(f"the store `{upkeep.name}` {why}: {said}", hint=hint)


def _holders(rows: StoredRows) -> Sequence[str]:
    from engine.identity import short_name
    from engine.ownership import why_free

    return [
        f"{short_name(holding.owner)} drives {holding.runs} run{'s' if holding.runs > 1 else ''}"
        for holding in rows.holdings()
        if holding.owner is not None and why_free(holding) is None
    ]


# --- drop ---------------------------------------------------------------------------------------------------------------


def _confirm(frame: Frame, upkeep: Upkeep) -> None:
    """Have the user say yes. Raises `UsageProblem` where nobody can be asked, or says no."""
    if frame.no_input or not is_terminal(sys.stdin):
        raise UsageProblem("deleting a store asks for a yes, and there is nobody to ask", hint="give `--yes`")
    if not typer.confirm(f"delete the store `{visible(upkeep.name)}` and the files of all its runs?", err=True):
        raise UsageProblem("nothing was deleted")


def _remove_files(workspace: Workspace) -> list[str]:
    """Remove the files of runs and the journals beside them; what could not be removed. Those of stores in databases are in
    one folder for all of them, and stay."""
    if not isinstance(workspace.settings.store, Path):
        return []
    left: list[str] = []
    for folder in (workspace.run_files.root, workspace.run_files.journals):
        shutil.rmtree(folder, onerror=lambda _function, path, _error: left.append(str(path)))
    return [path for path in left if Path(path).exists()]
