"""`flowctl logs`: what the tasks of a run have written."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.attempts import AttemptKey
from flowctl.attempt_logs import GrowingLog, Selection, chosen_attempts, key_of, select
from flowctl.cli.events import ABANDONED
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.log_lines import LineWriter, LogWriter, RawWriter
from flowctl.following import Follower
from flowctl.history import BATCH, find_run, store_with_runs
from flowctl.problems import UsageProblem
from flowctl.terminal.colour import is_terminal
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.run_files import RunFiles
    from engine.store.port import Store
    from engine.store.rows import AttemptRow, EventRow, RunRow


def logs_command(
    ctx: typer.Context,
    run: Annotated[str, typer.Argument(metavar="RUN", help="The run's id, an end or start of it, or `latest`.")],
    task: Annotated[
        str | None,
        typer.Argument(metavar="TASK[.ITEM]", help="One task, or one item of a fan-out; by default every task."),
    ] = None,
    item: Annotated[
        int | None, typer.Option("--item", metavar="N", min=0, help="One item of a fan-out, counted from 0.")
    ] = None,
    attempt: Annotated[
        int | None, typer.Option("--attempt", metavar="N", min=1, help="This attempt instead of the latest.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("-f", "--follow", help="Go on until the run has ended.", show_default=False)
    ] = False,
    tail: Annotated[
        int | None, typer.Option("--tail", metavar="N", min=0, help="Only the last lines of each log.")
    ] = None,
) -> int:
    """Print what the tasks of a run have written.

    The log of one task comes as it is; of several, each line says whose it is. `--follow` exits with 1 if the process
    that drove the run has died.
    """
    frame = frame_of(ctx)
    if item is not None and task is None:
        raise UsageProblem("`--item` needs a task", hint="for example `flowctl logs latest load --item 3`")
    workspace = Workspace(frame.settings, frame.environ)
    with store_with_runs(workspace) as store:
        row = find_run(store, run)
        selection = select(store, row, task, item=item, attempt=attempt)
        printer = _Printer(frame, workspace.run_files, selection, tail=tail)
        if not follow:
            return _print(frame, store, row, selection, printer)
        follower, following = Follower(store, row.id), _Following(printer, selection)
        for events in follower.batches():
            following.take(events)
            if len(events) < BATCH:
                following.show()
        following.finish()
    if follower.abandoned:
        frame.warn(ABANDONED)
        return Exit.FAILED
    return Exit.SUCCESS


class _Printer:
    """Prints logs in the form that suits the selection and stdout."""

    def __init__(self, frame: Frame, files: RunFiles, selection: Selection, *, tail: int | None) -> None:
        self._files = files
        self._tail = tail
        self._prefixed = not selection.is_one_log
        self._safe = is_terminal(sys.stdout)
        self._json = frame.json

    def open(self, key: AttemptKey) -> tuple[GrowingLog, LogWriter]:
        """A log and where it goes."""
        log = GrowingLog(Path(self._files.attempt(key).log), tail=self._tail)
        if not (self._prefixed or self._safe or self._json):
            return log, RawWriter()
        return log, LineWriter(key, prefixed=self._prefixed, safe=self._safe, as_json=self._json)

    def is_written(self, key: AttemptKey) -> bool:
        """Whether there is a log at all; a `set` or a sub-flow writes none."""
        return Path(self._files.attempt(key).log).is_file()


def _print(frame: Frame, store: Store, run: RunRow, selection: Selection, printer: _Printer) -> int:
    attempts = chosen_attempts(store.attempts(run.id, task=selection.task, item=selection.item), selection)
    written = [key for key in map(key_of, attempts) if printer.is_written(key)]
    for key in written:
        log, writer = printer.open(key)
        for piece in log.read():
            writer.feed(piece)
        writer.finish()
    if not written:
        _tell_why_nothing(frame, selection, attempts)
    return Exit.SUCCESS


def _tell_why_nothing(frame: Frame, selection: Selection, attempts: list[AttemptRow]) -> None:
    child = next((row.child_run for row in attempts if row.child_run is not None), None)
    if selection.task_row is None:
        frame.say("no task has written a log")
    elif child is not None:
        frame.say(f"`{selection.task}` is a sub-flow; see `flowctl logs {child}`")
    else:
        frame.say(f"`{selection.task}` is {selection.task_row.state} and has written no log")


# --- following ----------------------------------------------------------------------------------------------------------


class _Following:
    """The logs that are growing, as the run's events tell of them.

    Of what was before the first `show`, only the latest attempt of each task or item is printed; after it every one.
    """

    def __init__(self, printer: _Printer, selection: Selection) -> None:
        self._printer = printer
        self._selection = selection
        self._logs: dict[AttemptKey, tuple[GrowingLog, LogWriter]] = {}
        self._ended: set[AttemptKey] = set()
        self._latest: dict[tuple[str, int | None], AttemptKey] = {}
        self._is_past = True

    def take(self, events: Iterable[EventRow]) -> None:
        """Note which attempts have started and ended."""
        for event in events:
            if event.type not in ("attempt_started", "attempt_finished") or event.task is None:
                continue
            round_, attempt = int(str(event.data["round"])), int(str(event.data["attempt"]))
            if not self._selection.covers(event.task, event.item, attempt):
                continue
            key = AttemptKey(event.run_id, event.task, event.item, round_, attempt)
            if event.type == "attempt_finished":
                self._ended.add(key)
                continue
            if self._is_past:
                earlier = self._latest.get((event.task, event.item))
                self._latest[(event.task, event.item)] = key
                if earlier is not None:
                    del self._logs[earlier]
                    self._ended.discard(earlier)
            self._logs[key] = self._printer.open(key)

    def show(self) -> None:
        """Print what has been written since; let go of logs that have ended."""
        self._is_past = False
        self._latest.clear()
        for key, (log, writer) in list(self._logs.items()):
            for piece in log.read():
                writer.feed(piece)
            if key in self._ended:
                self._ended.remove(key)
                self._close(key)

    def finish(self) -> None:
        """Nothing will be written any more."""
        self.show()
        for key in list(self._logs):
            self._close(key)

    def _close(self, key: AttemptKey) -> None:
        self._logs.pop(key)[1].finish()
