"""Watching runs: what is printed for events."""

from __future__ import annotations

import io
from datetime import UTC, datetime, timedelta
from typing import Any

from engine import events as e
from engine.outcomes import Ending, Failure
from engine.states import RunState, TaskState
from flowctl.terminal.board import Board, Row, human_seconds
from flowctl.terminal.colour import ColourChoice
from flowctl.terminal.live import LiveView, most_urgent
from flowctl.terminal.progress import GLYPHS, STATE_STYLES, PlainView, SilentView, open_view

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def as_data(event: e.Event, run: str = "r1") -> dict[str, Any]:
    """An event in the shape that views are given."""
    outside = {name: getattr(event, name) for name in ("task", "item") if hasattr(event, name)}
    kind = e.TYPE_NAMES[type(event)]
    return {"type": kind, "run": run, "at": event.at.isoformat(), **outside, **e.encode(event)}


def lines(*happened: e.Event, verbose: bool = False) -> list[str]:
    found: list[str] = []
    view = PlainView(found.append, verbose=verbose)
    for event in happened:
        view.on_event("r1", as_data(event))
    return found


EXIT = Failure("exit", "the process ended with code 2", exit_code=2)
BEGIN = (e.RunSubmitted(at(0), "etl", "d", {}), e.RunStarted(at(0)))


def attempt(seconds: float, task: str, *, item: int | None = None, number: int = 1, **others: Any) -> e.AttemptStarted:
    return e.AttemptStarted(at(seconds), task, item, 1, number, **others)


def test_each_change_of_state_is_a_line_with_the_time_since_the_start() -> None:
    assert lines(
        *BEGIN,
        e.TaskQueued(at(0), "load"),
        attempt(0.5, "load"),
        e.AttemptFinished(at(2), "load", None, 1, 1, at(0.5), Ending.SUCCEEDED),
        e.TaskSucceeded(at(2.1), "load"),
        e.TaskSkipped(at(2.1), "report", "its condition is false"),
    ) == [
        "   0.5s  load: running",
        "   2.1s  load: succeeded in 1.6s",
        "   2.1s  report: skipped (its condition is false)",
    ]


def test_a_retry_says_when_and_a_failure_says_why() -> None:
    assert lines(
        *BEGIN,
        attempt(0, "load"),
        e.TaskRetrying(at(1), "load", None, at(61), "failed"),
        attempt(61, "load", number=2),
        e.TaskFailed(at(62), "load", EXIT),
        e.TaskBlocked(at(62), "publish", "load"),
    ) == [
        "   0.0s  load: running",
        "   1.0s  load: retrying (failed, next at 03:05:06)",
        "  1m01s  load: running (attempt 2)",
        "  1m02s  load: failed in 1m02s (exit: the process ended with code 2)",
        "  1m02s  publish: blocked (needs load)",
    ]


def fan_out(count: int) -> list[e.Event]:
    return [
        *BEGIN,
        e.FannedOut(at(0), "part", tuple(map(str, range(count))), tuple(range(count))),
        *(attempt(1, "part", item=n) for n in range(count)),
        e.TaskFailed(at(2), "part", EXIT, item=0),
        *(e.TaskSucceeded(at(3), "part", n) for n in range(1, count)),
        e.TaskSucceeded(at(3), "part"),
    ]


def test_of_a_fan_out_only_troubles_and_the_end_are_told() -> None:
    found = lines(*fan_out(100))
    assert found == ["   2.0s  part[0]: failed", "   3.0s  part: succeeded 99 of 100 items, 1 failed, in 2.0s"]


def test_with_verbose_every_item_and_every_queued_task_is_told() -> None:
    found = lines(*fan_out(3), verbose=True)
    assert "   0.0s  part: queued" in found
    assert "   3.0s  part[2]: succeeded" in found


def test_tasks_of_a_sub_flow_carry_the_name_of_their_caller() -> None:
    found: list[str] = []
    view = PlainView(found.append)
    for event in (*BEGIN, e.FannedOut(at(0), "each", ("0",), (1,)), attempt(1, "each", item=0, child="r2")):
        view.on_event("r1", as_data(event))
    for event in (*BEGIN, attempt(1, "probe")):
        view.on_event("r2", as_data(event, "r2"))
    assert found[-1].endswith("each[0]/probe: running")


def test_a_name_cannot_write_to_the_terminal() -> None:
    found = lines(*BEGIN, e.TaskSkipped(at(0), "a", "\x1b[2J\nforged line"))
    assert "\x1b" not in found[0]
    assert "\n" not in found[0]


def test_a_reset_puts_its_members_back() -> None:
    board = Board("r1")
    for event in (*BEGIN, attempt(0, "a"), e.TaskSucceeded(at(1), "a"), e.TasksReset(at(2), "b", ("a", "b"))):
        board.apply(as_data(event))
    assert board.rows["a"].state is TaskState.PENDING
    assert board.rows["a"].started_at is None


def test_every_type_of_event_is_taken_in() -> None:
    """Types a view has nothing to show for, and types of a later version, are no error."""
    board = Board("r1")
    for event in (
        *fan_out(2),
        e.RunDraining(at(4), "failed", False),
        e.RunHurried(at(4), True),
        e.PhaseEntered(at(4), "hooks"),
        e.EdgeTimedOut(at(4), "a", 0),
        e.ServiceReady(at(4), "a"),
        e.AttemptStopping(at(4), "a", None, "timeout"),
        e.TaskCompleting(at(4), "a"),
        e.TaskCancelled(at(4), "a"),
        e.ResetRequested(at(4), "a", ("a",), at(5)),
        e.RunFinished(at(6), "failed", EXIT),
    ):
        board.apply(as_data(event))
    board.apply({"type": "of_tomorrow", "run": "r1", "at": at(7).isoformat(), "task": "a"})
    assert (board.state, board.note) == (RunState.FAILED, "exit: the process ended with code 2")
    assert board.seconds(at(100)) == 6.0


def test_after_a_minute_of_silence_a_line_says_that_it_goes_on() -> None:
    found: list[str] = []
    view = PlainView(found.append)
    for event in (*BEGIN, attempt(0, "load")):
        view.on_event("r1", as_data(event))
    view.on_tick(at(59))
    assert len(found) == 1
    view.on_tick(at(60))
    view.on_tick(at(61))
    assert found[1:] == ["  1m00s  still going: 1 running"]


def test_every_state_has_a_mark_and_a_colour() -> None:
    assert set(GLYPHS) == set(STATE_STYLES) == set(TaskState)
    assert all(plain.isascii() for _, plain in GLYPHS.values())
    assert len({plain for _, plain in GLYPHS.values()}) == len({mark for mark, _ in GLYPHS.values()}) == len(TaskState)


def test_a_pipe_gets_lines_and_quiet_gets_nothing() -> None:
    pipe = io.StringIO()
    plain = open_view(pipe, environ={}, choice=ColourChoice.AUTO, quiet=False, verbose=False)
    for event in (*BEGIN, attempt(0, "load")):
        plain.on_event("r1", as_data(event))
    assert pipe.getvalue() == "   0.0s  load: running\n"
    silent = open_view(pipe, environ={}, choice=ColourChoice.AUTO, quiet=True, verbose=True)
    assert isinstance(silent, SilentView)


class Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_a_terminal_gets_a_display_with_tasks_and_counts() -> None:
    screen = Terminal()
    view = open_view(screen, environ={"COLUMNS": "100"}, choice=ColourChoice.AUTO, quiet=False, verbose=False)
    assert isinstance(view, LiveView)
    for event in fan_out(4):
        view.on_event("r1", as_data(event))
    view.on_tick(at(4))
    view.on_event("r1", as_data(e.RunFinished(at(4), "succeeded")))
    view.close()
    view.close()
    last = screen.getvalue().rpartition("etl")[2]
    assert "succeeded" in last
    assert "3 of 4 items, 1 failed" in last


def test_what_failed_and_what_runs_is_shown_before_what_is_done() -> None:
    rows = [Row(f"done_{n}", TaskState.SUCCEEDED, ended_at=at(n)) for n in range(50)]
    rows[10:10] = [Row("bad", TaskState.FAILED, ended_at=at(0)), Row("now", TaskState.RUNNING)]
    chosen = [row.task for row in most_urgent(rows, 4)]
    assert chosen == ["bad", "now", "done_48", "done_49"]


def test_lengths_of_time_are_short() -> None:
    assert [human_seconds(s) for s in (0, 9.94, 9.96, 59.4, 60, 3599.4, 3600, 7620)] == [
        "0.0s", "9.9s", "10s", "59s", "1m00s", "59m59s", "1h00m", "2h07m",
    ]  # fmt: skip
