"""`flowctl gc`: remove finished runs by age and number, their files, and what is left of others."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from msgspec.structs import asdict

from engine.clock import SystemClock
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.findings.text import count_of
from flowctl.history import existing_store
from flowctl.problems import UsageProblem
from flowctl.records import SCHEMA_VERSION
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.operations.collecting import Collected
    from engine.operations.retention import Retention

_PROBLEMS = 10


def gc_command(
    ctx: typer.Context,
    older_than: Annotated[
        str | None, typer.Option("--older-than", metavar="TIME", help="Runs that ended longer ago, such as `30d`.")
    ] = None,
    keep: Annotated[
        int | None,
        typer.Option("--keep", metavar="N", min=0, help="So many of the latest finished runs of each flow stay."),
    ] = None,
    logs_older_than: Annotated[
        str | None,
        typer.Option("--logs-older-than", metavar="TIME", help="Logs and work folders of runs that ended longer ago."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would be removed, and remove nothing.")] = False,
) -> int:
    """Remove runs that ended long ago with all they have: rows, files, the runs of their sub-flows.

    What is not said here is taken from the settings `retention`. What nothing refers to goes as well: folders of runs that
    are not in the store, and files of flows that no run was compiled from. Runs that have not ended are never touched.
    """
    from engine.operations.collecting import Collected, Collector

    frame = frame_of(ctx)
    retention = _retention(frame, older_than=older_than, keep=keep, logs_older_than=logs_older_than)
    workspace = Workspace(frame.settings, frame.environ)
    with existing_store(workspace) as store:
        if store is None:
            collected = Collected()
        else:
            address = frame.settings.store
            collector = Collector(
                store,
                workspace.run_files,
                name=f"{address} {getattr(address, 'schema', '')} {getattr(address, 'prefix', '')}",
                owns_files=isinstance(address, Path),
                now=SystemClock().now(),
                dry_run=dry_run,
            )
            collected = collector.collect(retention)
    if frame.json:
        frame.put(json.dumps(_object(collected, dry_run=dry_run), ensure_ascii=False, separators=(",", ":")))
    else:
        frame.put(_text(collected, dry_run=dry_run))
    for problem in collected.problems[:_PROBLEMS]:
        frame.warn(f"cannot remove {visible(problem)}")
    return Exit.FAILED if collected.problems else Exit.SUCCESS


def _retention(frame: Frame, *, older_than: str | None, keep: int | None, logs_older_than: str | None) -> Retention:
    """What the flags say, and where they say nothing the settings. Raises `UsageProblem` if both are silent."""
    from engine.operations.retention import Retention

    own = frame.settings.retention
    runs = own.runs if older_than is None else _age(older_than, "--older-than")
    logs = own.logs if logs_older_than is None else _age(logs_older_than, "--logs-older-than")
    chosen = Retention(runs=runs, keep=own.keep if keep is None else keep, logs=logs)
    if not chosen.removes_runs and chosen.logs is None:
        hint = "for example `flowctl gc --older-than 30d`, or set `retention.runs` in flowctl.yaml"
        raise UsageProblem("nothing says how long runs stay", hint=hint)
    return chosen


def _age(text: str, flag: str) -> timedelta:
    from specs.quantities import parse_duration

    age = parse_duration(text)
    if age is None:
        raise UsageProblem(f"`{flag}`: `{text}` is no duration", hint="write for example `30d`, `12h` or `1h30m`")
    return age


def _object(collected: Collected, *, dry_run: bool) -> dict[str, Any]:
    return {"schema_version": SCHEMA_VERSION, "dry_run": dry_run, **asdict(collected)}


def _text(collected: Collected, *, dry_run: bool) -> str:
    """One line: what was removed, in words."""
    parts = [
        _count(collected.runs, "run"),
        _count(collected.children, "run of a sub-flow", "runs of sub-flows"),
        _count(collected.logs, "run's logs", "runs' logs"),
        _count(collected.orphans, "folder without a run", "folders without a run"),
        _count(collected.journals, "journal"),
        _count(collected.specs, "unused flow", "unused flows"),
    ]
    said = ", ".join(part for part in parts if part) or "nothing"
    kept = f"; {_count(collected.busy, 'run')} in use stayed" if collected.busy else ""
    return f"{'would remove' if dry_run else 'removed'} {said}{kept}"


def _count(number: int, one: str, many: str | None = None) -> str:
    return count_of(number, one, many) if number else ""
