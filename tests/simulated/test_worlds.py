"""Engines die at commits, fall asleep, lose their machines and their clocks; whatever was acknowledged ends, once."""

from __future__ import annotations

import os

import pytest

from engine.plan import Plan
from tests.engine.looping import plan_of
from tests.simulated.world import World

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("FLOWCTL_TEST_SEEDS", "500"))
FIRST = int(os.environ.get("FLOWCTL_TEST_SEED", "0"))
GROUP = 25
STEPS = 120

DIAMOND = """
    tasks:
      a: {exec: ["true"], retry: {attempts: 3, delay: 10s}}
      b: {exec: ["true"], after: [a], retry: {attempts: 2, delay: 1s}}
      c: {exec: ["true"], after: [a], allow_failure: true}
      d: {exec: ["true"], after: [b, c], timeout: 20s}
"""

FAN_OUT = """
    tasks:
      list: {exec: ["true"]}
      each:
        after: [list]
        fan_out: {items: [1, 2, 3, 4, 5], max_parallel: 3, tolerate: 2}
        exec: ["true"]
        retry: {attempts: 2, delay: 5s}
      sum: {exec: ["true"], after: [each]}
"""

CLEANING = """
    tasks:
      make: {exec: ["true"], undo: {exec: ["rm", "x"]}}
      use: {exec: ["true"], after: [make], timeout: 10s, retry: {attempts: 2}}
      mend: {after: [{task: use, timeout: 30s, on_timeout: run}], exec: ["true"]}
    hooks:
      failure: {tell: {exec: ["true"]}}
      complete: {sweep: {exec: ["true"]}}
"""

CALLING = """
    tasks:
      first: {exec: ["true"]}
      below: {flow: below.yaml, after: [first], retry: {attempts: 2, delay: 2s}}
      last: {exec: ["true"], after: [below]}
"""

BELOW = """
    tasks:
      x: {exec: ["true"]}
      y: {exec: ["true"], after: [x], retry: {attempts: 2, delay: 3s}}
"""


@pytest.fixture(scope="module")
def plans() -> dict[str, Plan]:
    return {
        "diamond": plan_of(DIAMOND),
        "fan_out": plan_of(FAN_OUT),
        "cleaning": plan_of(CLEANING),
        "calling": plan_of(CALLING, below=BELOW),
    }


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, GROUP))
def test_nothing_is_lost_or_repeated_in_any_world(first: int, plans: dict[str, Plan]) -> None:
    """`FLOWCTL_TEST_SEED=N FLOWCTL_TEST_SEEDS=1` plays one again."""
    for seed in range(first, min(first + GROUP, FIRST + SEEDS)):
        world = World(plans, seed)
        try:
            world.live(steps=STEPS)
        except AssertionError as wrong:
            raise AssertionError("\n".join([f"seed {seed}: {wrong}", *world.trace[-60:]])) from wrong
        world.judge()
