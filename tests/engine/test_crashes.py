"""An engine dies at each commit of each reference flow, before or after it is written; another goes on, and nothing is lost,
repeated, or left behind."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import pytest

from engine.attempts import AttemptKey, Launch
from engine.outcomes import Ending, Failure, Outcome
from engine.plan import Plan
from tests.checker import check_all
from tests.engine.crashing import Crash, Living, World, finish
from tests.engine.looping import OK, Script, plan_of

FAILED = Outcome(Ending.FAILED, Failure("exit", "exited with 1", exit_code=1))


def failing_once(launch: Launch) -> tuple[float, Outcome]:
    return 1.0, FAILED if launch.key.attempt == 1 else OK


def failing(launch: Launch) -> tuple[float, Outcome]:
    return 1.0, FAILED


def counting(launch: Launch) -> tuple[float, Outcome]:
    return 1.0, Outcome(Ending.SUCCEEDED, output={"n": min(launch.key.attempt, 3)})


FLOWS: dict[str, tuple[Callable[[], Plan], dict[str, Script], dict[str, int], str]] = {
    "diamond": (
        lambda: plan_of("""
        tasks:
          a: {run: x}
          b: {after: [a], run: x}
          c: {after: [a], run: x, retry: {attempts: 3, delay: 7s, jitter: none}}
          d: {after: [b, c], run: x}
        """),
        {"c": failing_once},
        {},
        "succeeded",
    ),
    "fan_out": (
        lambda: plan_of("""
        tasks:
          list: {run: x}
          each:
            after: [list]
            fan_out: {items: [1, 2, 3, 4, 5], max_parallel: 2}
            run: x
            retry: {attempts: 2, delay: 1s, jitter: none}
          sum: {after: [each], run: x}
        """),
        {"each": failing_once},
        {"each": 2},
        "succeeded",
    ),
    "calling": (
        lambda: plan_of(
            """
            tasks:
              first: {run: x}
              below: {after: [first], flow: below.yaml, with: {n: 3}}
              many: {after: [below], fan_out: {items: [1, 2, 3], max_parallel: 2}, flow: below.yaml, with: {n: "${{ item }}"}}
              last: {after: [many], run: x}
            """,
            below="name: below\nparams: {n: {type: int}}\ntasks: {x: {run: x}, y: {after: [x], run: x}}",
        ),
        {},
        {"many": 2},
        "succeeded",
    ),
    "cleaning_up": (
        lambda: plan_of("""
        when_failed: cancel
        tasks:
          make: {run: x, undo: {run: x}}
          use: {after: [make], run: x}
          long: {after: [make], run: x}
          mend: {after_failure: [use], run: x, if: 1 > 2}
        hooks:
          start: {hello: {run: x}}
          failure: {tell: {run: x}}
          complete: {sweep: {run: x}}
        """),
        {"use": failing, "long": lambda launch: (50.0, OK)},
        {},
        "failed",
    ),
    "timing_out": (
        lambda: plan_of("""
        timeout: 20s
        tasks:
          slow: {run: x, timeout: 5s, retry: {attempts: 2, delay: 1s, jitter: none, errors: [timeout]}}
          never: {fan_out: {items: [1, 2]}, run: x, deadline: 8s, timeout: none}
          pause: {wait: {for: 3s}}
          after: {after_end: [slow, never, pause], run: x}
          hang: {after: [pause], run: x, timeout: none}
        """),
        {name: lambda launch: (100.0, OK) for name in ("slow", "never", "hang")},
        {},
        "failed",
    ),
    "looking_again": (
        lambda: plan_of("""
        tasks:
          poll: {run: x, outputs: {n: {type: int}}, repeat: {until: "task.output.n > 2", every: 2s, max: 5}}
          choose: {after: [poll], switch: {value: "tasks.poll.output.n", cases: {1: [one], 3: [two]}}}
          one: {run: x}
          two: {run: x}
        """),
        {"poll": counting},
        {},
        "succeeded",
    ),
    "going_back": (
        lambda: plan_of("""
        tasks:
          build: {run: x}
          check:
            after: [build]
            run: x
            retry_upstream: {tasks: [build], rounds: 1, errors: [exit], delay: 2s}
          ship: {after: [check], run: x}
        """),
        {"check": lambda launch: (1.0, FAILED if launch.key.round == 1 else OK)},
        {},
        "succeeded",
    ),
}

KEPT: dict[str, Callable[[AttemptKey], bool]] = {
    "processes live on": lambda key: True,
    "processes are gone": lambda key: False,
    "some live on": lambda key: (key.attempt + (key.item or 0)) % 2 == 0,
}


@pytest.mark.parametrize("written", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("kept", KEPT)
@pytest.mark.parametrize("flow", FLOWS)
def test_a_crash_at_any_commit_changes_nothing_but_how_long_it_takes(flow: str, kept: str, *, written: bool) -> None:
    make, scripts, limits, state = FLOWS[flow]
    plan = make()
    for number in itertools.count(1):
        world = World(scripts, KEPT[kept])
        first = Living(world, crash_at=number, written=written)
        try:
            first.drive(first.submit(plan))
        except Crash:
            finish(world)
        check_all(world.store, world.plans.of, acknowledged=world.acknowledged, ledger=world.ledger, limits=limits)
        for run_id in world.acknowledged:
            row = world.store.run(run_id)
            assert row is not None
            assert row.state == state, (number, row.error)
        if not first.store.crashed:
            assert number > 3
            return


@pytest.mark.parametrize("flow", FLOWS)
def test_engines_that_all_die_at_their_third_commit_get_there_together(flow: str) -> None:
    make, scripts, limits, _ = FLOWS[flow]
    world = World(scripts)
    plan = make()
    alive = Living(world, crash_at=4)
    try:
        alive.drive(alive.submit(plan))
    except Crash:
        for _ in range(200):
            alive = Living(world, crash_at=3)
            try:
                taken = [run.id for run, _ in alive.engine.take_over()]
                alive.drive(*taken)
                break
            except Crash:
                continue
    check_all(world.store, world.plans.of, acknowledged=world.acknowledged, ledger=world.ledger, limits=limits)
