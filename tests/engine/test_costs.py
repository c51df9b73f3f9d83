"""What a task costs, counted and not timed: calls of functions, statements, commits. Twice the tasks cost twice as much."""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from engine.attempts import AttemptEnded, AttemptKey
from engine.commands import Admit, Command, Start
from engine.events import FannedOut, TaskQueued
from engine.plan import Plan
from tests.engine.driving import OK, Driving
from tests.engine.looping import Loop, plan_of

SLOTS = 16


def flat(count: int) -> str:
    """Tasks that do not wait for each other."""
    return "tasks: {" + ", ".join(f"t{number}: {{exec: [x]}}" for number in range(count)) + "}"


def layered(count: int) -> str:
    """Layers of ten; each task waits for three of the layer before."""
    tasks = []
    for number in range(count):
        layer, place = divmod(number, 10)
        needs = ", ".join(f"t{(layer - 1) * 10 + (place + step) % 10}" for step in range(3)) if layer else ""
        tasks.append(f"t{number}: {{exec: [x], after: [{needs}]}}")
    return "tasks: {" + ", ".join(tasks) + "}"


def chain(count: int) -> str:
    """Each task waits for the one before."""
    tasks = (f"t{number}: {{exec: [x], after: [{f't{number - 1}' if number else ''}]}}" for number in range(count))
    return "tasks: {" + ", ".join(tasks) + "}"


def fan_out(count: int) -> str:
    """Items of one task."""
    return f"tasks: {{t: {{exec: [x], fan_out: {{items: {list(range(count))}, max_parallel: {SLOTS}}}}}}}"


SHAPES = [flat, layered, chain, fan_out]


class QuickLoop(Loop):
    """A loop whose runner takes the store's word for it: looking through the log would cost more than what is counted."""

    def _is_committed(self, key: AttemptKey) -> bool:
        return True


def calls_of(work: Callable[[], object]) -> int:
    """How many functions of Python were called."""
    calls = 0

    def count(frame: FrameType, event: str, argument: Any) -> None:
        nonlocal calls
        calls += event == "call"

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(before)
    return calls


def loop_calls(plan: Plan) -> int:
    """The calls of the whole engine for a run: deciding, rows, statements, launches; without the runner's own."""
    loop = QuickLoop()
    return calls_of(lambda: loop.run(plan))


def decide_calls(plan: Plan) -> int:
    """The calls of deciding and folding alone."""
    driving = Driving(plan)
    return calls_of(lambda: drive(driving))


def drive(driving: Driving) -> None:
    """Start whatever is queued, one after the other, and have it succeed."""
    waiting = deque[tuple[str, int | None]]()

    def tell(command: Command) -> None:
        for event in driving.tell(command):
            if isinstance(event, TaskQueued):
                waiting.append((event.task, event.item))
            elif isinstance(event, FannedOut):
                waiting.extend((event.task, item) for item in range(len(event.items)))

    tell(Start())
    while waiting:
        task, item = waiting.popleft()
        tell(Admit(task, item))
        tell(AttemptEnded(AttemptKey("run", task, item, 1, 1), OK))
    assert driving.run.state.is_final


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("calls", "most"), [(decide_calls, 80), (loop_calls, 240)])
def test_calls_grow_with_the_number_of_tasks_and_stay_few(
    shape: Callable[[int], str], calls: Callable[[Plan], int], most: int
) -> None:
    few, many = calls(plan_of(shape(100))), calls(plan_of(shape(200)))
    assert many - few <= few * 1.05
    assert (many - few) / 100 <= most


@pytest.mark.parametrize("shape", SHAPES)
def test_what_an_event_leaves_in_memory_is_small(shape: Callable[[int], str]) -> None:
    driving = Driving(plan_of(shape(200)))
    gc.collect()
    before = sys.getallocatedblocks()
    drive(driving)
    gc.collect()
    blocks = sys.getallocatedblocks() - before
    assert blocks <= 3 * len(driving.log)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_task_costs_few_rows(shape: Callable[[int], str]) -> None:
    loop, rows = QuickLoop(), []
    loop.memory._writer.set_trace_callback(lambda sql: rows.append(sql.split()[0]))
    loop.run(plan_of(shape(100)))
    written = [word for word in rows if word in ("INSERT", "UPDATE", "DELETE")]
    assert len(written) <= 1200


@pytest.mark.parametrize("shape", SHAPES)
def test_a_turn_commits_at_most_once(shape: Callable[[int], str]) -> None:
    loop, commits = QuickLoop(), []
    loop.memory._writer.set_trace_callback(lambda sql: commits.append(sql) if sql == "COMMIT" else None)
    run_id = loop.submit(plan_of(shape(50)))
    driven = loop.engine._hand.driven[run_id].run
    while not driven.state.is_final:
        commits.clear()
        loop.engine.turn()
        assert len(commits) <= 1
