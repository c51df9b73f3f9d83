"""Growth: what follows from figures, and the JSON of a small series as it is started."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.growth import Growth, Point
from bench.measure import Sample
from bench.series import SERIES

ROOT = Path(__file__).parents[2]
TOP = {"schema_version", "measured_at", "commit", "changed", "machine", "load", "options", "series"}
POINT = {"size", "status", "note", "wall_s", "cpu_s", "peak_rss_bytes", "per_unit_s", "order", "runs"}


def point(size: int, cpu_s: float) -> Point:
    """A size that was measured once."""
    sample = Sample(cpu_s, cpu_s, 0.0, 1, 0, over_limit=False, load=0.0)
    return Point(size, [sample])


def grown(*costs: tuple[int, float]) -> Growth:
    """A growth with these sizes and costs."""
    return Growth("work", tuple(point(size, cpu_s) for size, cpu_s in costs))


@pytest.mark.parametrize(("power", "last"), [(1, 100.0), (2, 10_000.0)])
def test_the_order_is_the_exponent_of_what_comes_on_top_of_starting(power: int, last: float) -> None:
    growth = grown((0, 0.5), (100, 0.5 + 1.0), (10_000, 0.5 + last))
    assert growth.order(growth.points[2]) == pytest.approx(power)


def test_nothing_is_told_of_an_order_where_starting_hides_it() -> None:
    growth = grown((10, 0.5), (100, 0.51), (1_000, 0.9))
    assert [growth.order(one) for one in growth.points] == [None, None, None]


def test_each_unit_more_costs_what_a_size_takes_beyond_the_smallest() -> None:
    growth = grown((100, 0.5), (1_100, 1.5))
    assert [growth.per_unit(one) for one in growth.points] == [None, pytest.approx(0.001)]


def test_every_series_goes_up_and_has_a_flow_of_each_size() -> None:
    for series in SERIES:
        assert list(series.sizes) == sorted(series.sizes)
        assert series.works
        assert len(series.graph(series.sizes[0])) > 0


@pytest.mark.slow
def test_the_results_have_the_documented_shape(tmp_path: Path) -> None:
    path = tmp_path / "growth.json"
    arguments = ("growth", "output", "history", "--most", "1000", "--rounds", "1", "--json", str(path))
    done = subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(path.read_text(encoding="utf-8"))
    assert found.keys() == TOP
    for series in found["series"]:
        assert series.keys() == {"name", "title", "unit", "works"}
        for work in series["works"]:
            assert work["points"]
            for one in work["points"]:
                assert one.keys() == POINT
                assert one["status"] == "measured"
                assert one["cpu_s"] > 0
    page = subprocess.run(
        [sys.executable, "-m", "bench", "page", str(path)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert "| finished tasks in the store, in runs of 100 | run of one task | 100 |" in page.stdout
