"""`flowctl export`: write a run that can be taken into another store."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, BinaryIO

import typer

from engine.clock import SystemClock
from engine.states import RunState
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.history import StoredPlans, find_run, store_with_runs
from flowctl.problems import UsageProblem
from flowctl.reading import reason_of
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace


def export_command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")],
    out: Annotated[
        Path | None, typer.Option("-O", "--out", metavar="FILE", help="Write to a file instead of stdout.")
    ] = None,
    logs: Annotated[bool, typer.Option("--logs", help="With what the tasks have written.")] = False,
) -> int:
    """Write a run with its sub-flows' runs to one file, which `flowctl import` takes into another store.

    Sensitive values are hidden wherever they turn up, and of the environment only the names are kept. What the files of the
    flow say is written as it is.
    """
    from flowctl.exporting import Exporter

    frame = frame_of(ctx)
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        row = find_run(store, run)
        exporter = Exporter(store, StoredPlans(workspace, store), workspace.run_files)
        with _target(out) as stream:
            count = exporter.write(row, stream, now=SystemClock().now(), logs=logs)
    if not RunState(row.state).is_final:
        frame.warn(f"run {row.id} has not ended: this shows it as it stands, and cannot be imported")
    _tell(frame, row.id, row.flow, count, out)
    return Exit.SUCCESS


def _tell(frame: Frame, run_id: str, flow: str, count: int, out: Path | None) -> None:
    if out is not None:
        more = f" and {count - 1} of sub-flows" if count > 1 else ""
        frame.say(f"run {run_id} of {visible(flow)}{more} exported to {visible(str(out))}")


@contextmanager
def _target(out: Path | None) -> Iterator[BinaryIO]:
    """Stdout, or a file that gets its name when it is whole."""
    if out is None:
        if sys.stdout is None:
            raise UsageProblem("there is no stdout to write to", hint="name a file with `-O`")
        sys.stdout.flush()
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    partial = out.with_name(f".{out.name}.partial-{os.getpid()}")
    try:
        with open(os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(out)
    except BaseException as error:
        with suppress(OSError, ValueError):
            partial.unlink()
        if isinstance(error, (OSError, ValueError)):
            why = reason_of(error) if isinstance(error, OSError) else "that is not a file name"
            raise UsageProblem(f"cannot write `{out}`: {why}", hint="name a file in a folder that exists") from error
        raise
