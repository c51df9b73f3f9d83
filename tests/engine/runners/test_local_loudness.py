"""A task may print as much as it likes: the engine does not grow with it."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from engine.attempts import ScriptWork
from engine.outcomes import Ending
from tests.engine.runners.bench import Bench

MOST_GROWTH_KIB = 64 * 1024


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


@pytest.mark.parametrize("secrets", [(), ("a secret nobody prints",)], ids=["plain", "masked"])
@pytest.mark.parametrize("megabytes", [200, pytest.param(1000, marks=pytest.mark.slow)], ids=["200 MB", "1 GB"])
def test_a_loud_task_does_not_make_the_engine_grow(bench: Bench, megabytes: int, secrets: tuple[str, ...]) -> None:
    before = _peak_kib()
    launch = bench.start(
        ScriptWork(f"head -c {megabytes}000000 /dev/zero; exit 1"), secrets=secrets, patterns=("x{3}",)
    )
    outcome = bench.end_of(launch)
    size = Path(launch.files.log).stat().st_size
    Path(launch.files.log).unlink()
    assert outcome.ending is Ending.FAILED
    assert size == megabytes * 1_000_000
    assert _peak_kib() - before < MOST_GROWTH_KIB
