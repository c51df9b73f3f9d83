"""Watching a run: lines for logs and pipes here, a display that redraws itself in `flowctl.terminal.live`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Protocol, TextIO

from engine.states import TaskState
from flowctl.terminal.board import Board, Change, EventData, Row, human_seconds
from flowctl.terminal.colour import ColourChoice, Style, is_watched, paint, speaks_unicode, wants_colour
from flowctl.terminal.sanitise import visible

HEARTBEAT = timedelta(minutes=1)

STATE_STYLES: Mapping[TaskState, Style] = {
    TaskState.PENDING: Style.FAINT,
    TaskState.QUEUED: Style.FAINT,
    TaskState.RUNNING: Style.INFO,
    TaskState.RETRYING: Style.WARNING,
    TaskState.WAITING: Style.INFO,
    TaskState.COMPLETING: Style.INFO,
    TaskState.SUCCEEDED: Style.SUCCESS,
    TaskState.FAILED: Style.ERROR,
    TaskState.SKIPPED: Style.FAINT,
    TaskState.BLOCKED: Style.WARNING,
    TaskState.CANCELLED: Style.WARNING,
}

GLYPHS: Mapping[TaskState, tuple[str, str]] = {
    TaskState.PENDING: ("·", "."),
    TaskState.QUEUED: ("○", "o"),
    TaskState.RUNNING: ("●", "*"),
    TaskState.RETRYING: ("↻", "r"),
    TaskState.WAITING: ("◌", "w"),
    TaskState.COMPLETING: ("◍", "c"),
    TaskState.SUCCEEDED: ("✓", "+"),
    TaskState.FAILED: ("✗", "x"),
    TaskState.SKIPPED: ("↷", "-"),
    TaskState.BLOCKED: ("⊘", "b"),
    TaskState.CANCELLED: ("■", "k"),
}
"""A mark for each state, and the same in ASCII."""


class RunView(Protocol):
    """Shows what happens. All calls come from one thread."""

    def on_event(self, run_id: str, event: EventData) -> None:
        """Something has happened in the run; runs of sub-flows come with ids of their own."""

    def on_tick(self, now: datetime) -> None:
        """Time has passed; called about once a second or more rarely."""

    def say(self, text: str) -> None:
        """Something that is no event: one line."""

    def close(self) -> None:
        """Leave the terminal as it should stay. Repeatable."""


class SilentView:
    """Shows nothing: for `-q`."""

    def on_event(self, run_id: str, event: EventData) -> None:
        """Nothing to do."""

    def on_tick(self, now: datetime) -> None:
        """Nothing to do."""

    def say(self, text: str) -> None:
        """Nothing to do."""

    def close(self) -> None:
        """Nothing to do."""


class PlainView:
    """One line for each change of state, and one each minute in which nothing changes.

    Of a fan-out's items only failures and retries get a line, and no task gets one for being queued, unless `verbose`.
    Tasks of sub-flows carry the name of the task that called them: `transcode[3]/probe`.
    """

    def __init__(self, write: Callable[[str], None], *, colour: bool = False, verbose: bool = False) -> None:
        self._write = write
        self._colour = colour
        self._verbose = verbose
        self._boards: dict[str, Board] = {}
        self._prefixes: dict[str, str] = {}
        self._spoke_at: datetime | None = None

    def on_event(self, run_id: str, event: EventData) -> None:
        """Print the line of this event, if it has one."""
        board = self._boards.setdefault(run_id, Board(run_id))
        child = event.get("child")
        if isinstance(child, str) and event["type"] == "attempt_started":
            self._prefixes[child] = f"{self._prefixes.get(run_id, '')}{_name(event['task'], event.get('item'))}/"
        change = board.apply(event)
        if change is not None and self._matters(change):
            self._print(run_id, board, change)
        if event["type"] == "run_finished":
            del self._boards[run_id]  # a fan-out of sub-flows must not keep ten thousand of them

    def on_tick(self, now: datetime) -> None:
        """Print that the runs go on, if nothing was printed for a minute."""
        if self._spoke_at is None:
            self._spoke_at = now
        if not self._boards or now - self._spoke_at < HEARTBEAT:
            return
        board = next(iter(self._boards.values()))
        counts = ", ".join(f"{number} {state.value}" for state, number in sorted(board.tally().items()))
        self._spoke_at = now
        self._write(f"{human_seconds(board.seconds(now)):>7}  still going: {counts or 'nothing started yet'}")

    def say(self, text: str) -> None:
        """Print the line."""
        self._write(visible(text))

    def close(self) -> None:
        """Nothing is held."""

    def _matters(self, change: Change) -> bool:
        if self._verbose:
            return True
        if change.item is not None:
            return change.state in (TaskState.FAILED, TaskState.RETRYING)
        return change.state is not TaskState.QUEUED

    def _print(self, run_id: str, board: Board, change: Change) -> None:
        name = visible(self._prefixes.get(run_id, "") + _name(change.row.task, change.item))
        word = paint(change.state.value, STATE_STYLES[change.state], colour=self._colour)
        self._spoke_at = board.latest
        details = _details(change, board)
        self._write(f"{human_seconds(board.seconds()):>7}  {name}: {word}{visible(details)}")


def _name(task: str, item: object) -> str:
    return task if item is None else f"{task}[{item}]"


def _details(change: Change, board: Board) -> str:
    """What follows the state on a line: time taken, items, why."""
    row = change.row
    parts = []
    if change.item is None and change.state.is_final:
        taken = row.seconds(board.latest)
        if row.total is not None:
            parts.append(items_text(row))
        if taken is not None:
            parts.append(f"in {human_seconds(taken)}")
    text = f" {', '.join(parts)}" if parts else ""
    return f"{text} ({row.note})" if row.note and change.item is None else text


def items_text(row: Row) -> str:
    """The items of a fan-out in words: `98 of 100 items, 2 failed`."""
    failed = row.counts[TaskState.FAILED]
    return f"{row.counts[TaskState.SUCCEEDED]} of {row.total} items" + (f", {failed} failed" if failed else "")


def open_view(
    stream: TextIO, *, environ: Mapping[str, str], choice: ColourChoice, quiet: bool, verbose: bool
) -> RunView:
    """The view that suits `stream`: nothing with `quiet`, live on a terminal somebody watches, else lines."""
    if quiet:
        return SilentView()
    colour = wants_colour(stream, choice, environ)
    if is_watched(stream, environ):
        from flowctl.terminal.live import LiveView

        return LiveView(stream, colour=colour, unicode=speaks_unicode(stream))

    def write(line: str) -> None:
        stream.write(line + "\n")
        stream.flush()  # somebody may be following the log

    return PlainView(write, colour=colour, verbose=verbose)
