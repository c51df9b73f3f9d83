"""Engines die at commits, fall asleep, lose their machines and their clocks; whatever was acknowledged ends, once."""

from __future__ import annotations

import os

import pytest

from tests.simulated.flows import make_plans
from tests.simulated.world import World

pytestmark = pytest.mark.slow

SEEDS = int(os.environ.get("FLOWCTL_TEST_SEEDS", "500"))
FIRST = int(os.environ.get("FLOWCTL_TEST_SEED", "0"))
GROUP = 25
STEPS = 120


@pytest.mark.parametrize("first", range(FIRST, FIRST + SEEDS, GROUP))
def test_nothing_is_lost_or_repeated_in_any_world(first: int) -> None:
    """`FLOWCTL_TEST_SEED=N FLOWCTL_TEST_SEEDS=1` plays one again."""
    for seed in range(first, min(first + GROUP, FIRST + SEEDS)):
        world = World(make_plans(), seed)
        try:
            world.live(steps=STEPS)
        except AssertionError as wrong:
            raise AssertionError("\n".join([f"seed {seed}: {wrong}", *world.trace[-60:]])) from wrong
        world.judge()
