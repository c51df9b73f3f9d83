"""A display of one run that redraws itself: the tasks that matter, a bar for each fan-out, the time. Imports rich."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import TextIO

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from engine.states import TaskState
from flowctl.terminal.board import Board, EventData, Row, human_seconds
from flowctl.terminal.progress import GLYPHS, items_text
from flowctl.terminal.sanitise import visible

REDRAWS_PER_S = 10
CHROME = 4
"""Lines of the terminal that are not rows of tasks."""

_LOOKS = {
    TaskState.RUNNING: "blue",
    TaskState.WAITING: "blue",
    TaskState.COMPLETING: "blue",
    TaskState.RETRYING: "yellow",
    TaskState.BLOCKED: "yellow",
    TaskState.CANCELLED: "yellow",
    TaskState.SUCCEEDED: "green",
    TaskState.FAILED: "bold red",
}

_URGENCY = (
    TaskState.FAILED,
    TaskState.RUNNING,
    TaskState.RETRYING,
    TaskState.WAITING,
    TaskState.COMPLETING,
    TaskState.BLOCKED,
    TaskState.CANCELLED,
    TaskState.QUEUED,
    TaskState.SUCCEEDED,
    TaskState.SKIPPED,
    TaskState.PENDING,
)


class LiveView:
    """Draws the first run it hears of; sub-flows are part of the row of the task that called them."""

    def __init__(self, stream: TextIO, *, colour: bool, unicode: bool) -> None:
        self._console = Console(file=stream, no_color=not colour, force_terminal=True, highlight=False, emoji=False)
        self._unicode = unicode
        self._board: Board | None = None
        self._now: datetime | None = None
        self._drawn_at: datetime | None = None
        self._live = Live(console=self._console, auto_refresh=False, redirect_stdout=False, redirect_stderr=False)
        self._open = False

    def on_event(self, run_id: str, event: EventData) -> None:
        """Take in the event; draw if the last drawing is old enough, or the run has ended."""
        if self._board is None:
            self._board = Board(run_id)
        if run_id != self._board.run:
            return
        self._board.apply(event)
        self._draw(at=self._board.latest, now=event["type"] in ("run_started", "run_finished"))

    def on_tick(self, now: datetime) -> None:
        """Draw again: bars and times go on."""
        self._draw(at=now, now=True)

    def say(self, text: str) -> None:
        """Print the line above the drawing."""
        self._console.print(visible(text), markup=False)

    def close(self) -> None:
        """Draw the last state and leave it standing."""
        if self._open:
            self._draw(at=self._now, now=True)
            self._live.stop()
            self._open = False

    def _draw(self, *, at: datetime | None, now: bool) -> None:
        self._now = at or self._now
        if self._board is None or not (now or self._is_time()):
            return
        if not self._open:
            self._live.start()
            self._open = True
        self._drawn_at = self._now
        self._live.update(drawing(self._board, now=self._now, rows=self._room(), unicode=self._unicode), refresh=True)

    def _is_time(self) -> bool:
        if self._drawn_at is None or self._now is None:
            return True
        return (self._now - self._drawn_at).total_seconds() * REDRAWS_PER_S >= 1

    def _room(self) -> int:
        return max(self._console.size.height - CHROME, 3)


def drawing(board: Board, *, now: datetime | None, rows: int, unicode: bool) -> RenderableType:
    """The run as it stands: a line about all of it, then at most `rows` tasks, those that matter most first."""
    chosen = most_urgent(board.rows.values(), rows)
    table = Table.grid(padding=(0, 1))
    for row in chosen:
        table.add_row(*_cells(row, now=now, unicode=unicode))
    left = len(board.rows) - len(chosen)
    more = [Text(f"  and {left} more", style="dim")] if left else []
    return Group(_headline(board, now), table, *more)


def most_urgent(rows: Iterable[Row], most: int) -> list[Row]:
    """At most `most` rows, what failed or runs before what waits or is done, in the order they came up."""
    everything = list(rows)
    rank = {state: number for number, state in enumerate(_URGENCY)}
    newest_first = sorted(everything, key=lambda row: (rank[row.state], -(row.ended_at or _LONG_AGO).timestamp()))
    chosen = {id(row) for row in newest_first[:most]}
    return [row for row in everything if id(row) in chosen]


_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


def _headline(board: Board, now: datetime | None) -> Text:
    tally = board.tally()
    done = sum(number for state, number in tally.items() if state.is_final)
    line = Text(no_wrap=True, overflow="ellipsis")
    line.append(visible(board.flow or board.run), style="bold")
    line.append(f"  {board.state.value}  {done} of {len(board.rows)} tasks seen  {human_seconds(board.seconds(now))}")
    if board.note:
        line.append(f"  {visible(board.note)}", style="yellow")
    return line


def _cells(row: Row, *, now: datetime | None, unicode: bool) -> list[RenderableType]:
    look = _LOOKS.get(row.state, "dim")
    glyph = GLYPHS[row.state][0 if unicode else 1]
    taken = row.seconds(now)
    middle: RenderableType = Text(visible(row.note), style="dim", no_wrap=True, overflow="ellipsis")
    if row.total:
        middle = _bar(row)
    return [
        Text(glyph, style=look),
        Text(visible(row.task), no_wrap=True, overflow="ellipsis"),
        Text(row.state.value, style=look),
        Text("" if taken is None else human_seconds(taken), justify="right"),
        middle,
    ]


def _bar(row: Row) -> RenderableType:
    bar = Table.grid(padding=(0, 1))
    bar.add_row(ProgressBar(total=row.total or 1, completed=row.done, width=24), Text(items_text(row), style="dim"))
    return bar
