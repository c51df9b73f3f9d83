"""An engine is killed at any moment, again and again; another goes on, and nothing is lost, repeated or left behind."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.faults.rig import Rig

pytestmark = pytest.mark.slow

KILLS = int(os.environ.get("FLOWCTL_TEST_KILLS", "12"))
"""`make soak` asks for 200."""

SEED = int(os.environ.get("FLOWCTL_TEST_SEED", "2026"))


def test_kills_at_random_moments_lose_and_repeat_nothing(tmp_path: Path) -> None:
    """G1, G2, G3. The same seed kills after the same times."""
    rig = Rig(tmp_path)
    flow = rig.flow()
    draw = random.Random(SEED)
    kills = 0
    while kills < KILLS:
        kills += rig.run_until_killed(flow, draw.uniform(0, 0.5), acknowledged=draw.random() < 0.8)
        if draw.random() < 0.5:
            rig.kill(rig.start("resume", "-q", "--json"), draw.uniform(0, 0.8))
    assert rig.settle() == 0, rig.told()
    rig.judge()


def test_a_kill_at_each_sync_of_the_disk_loses_nothing(tmp_path: Path) -> None:
    """G1 at every durable boundary: SIGKILL at the n-th `fdatasync`, for every n until none is hit."""
    rig = Rig(tmp_path)
    flow = rig.flow()
    number, was_hit = 0, True
    while was_hit:
        number += 1
        rig.clean()
        trace = ["strace", "-qq", "-o", "/dev/null", "-e", "trace=fdatasync,fsync"]
        inject = f"inject=fdatasync,fsync:signal=SIGKILL:when={number}"
        code = rig.start("run", str(flow), "--json", before=[*trace, "-e", inject]).wait(60)
        was_hit = code != 0
        assert rig.settle() == 0, (number, rig.told())
        rig.judge()
        if rig.acknowledged():
            assert rig.rows("SELECT count(*) FROM runs") == [(1,)], number
    assert number > 10, "the run has more durable boundaries than that"
