"""The harness as it is started: it works, and its JSON has the shape that `bench/README.md` describes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
TOP = {
    *(
        "schema_version",
        "measured_at",
        "commit",
        "changed",
        "machine",
        "load",
        "options",
        "versions",
        "missing",
        "shapes",
    ),
}
MACHINE = {"processor", "cores", "memory_bytes", "system", "python", "sqlite"}
SHAPE = {"name", "title", "work", "tasks", "budget_s", "budget_mb", "results"}
RESULT = {"contender", "kind", "status", "note", "wall_s", "cpu_s", "peak_rss_bytes", "ratio", "runs"}
RUN = {"wall_s", "user_s", "system_s", "peak_rss_bytes", "exit_code", "over_limit", "load"}
FLOORS = {"xargs -P8", "posix_spawn loop", "make", "ninja"}


def start(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bench") / "results.json"
    shapes = ("fan_out", "layers", "validate_10")
    done = start("run", "--quick", "--floors", "--rounds", "1", "--json", str(path), *shapes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "x flowctl" in done.stdout
    return path


@pytest.fixture(scope="module")
def found(written: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(written.read_text(encoding="utf-8"))
    return loaded


@pytest.mark.slow
def test_the_results_have_the_documented_shape(found: dict[str, Any]) -> None:
    assert found.keys() == TOP
    assert found["schema_version"] == 1
    assert found["machine"].keys() == MACHINE
    assert found["load"].keys() == {"before", "after"}
    assert found["options"] == {"rounds": 1, "limit_s": 60.0, "quick": True}
    for shape in found["shapes"]:
        assert shape.keys() == SHAPE
        for result in shape["results"]:
            assert result.keys() == RESULT
            assert [run.keys() for run in result["runs"]] == [RUN]


@pytest.mark.slow
def test_flowctl_and_every_floor_that_is_there_were_measured(found: dict[str, Any]) -> None:
    expected = {"flowctl", *(FLOORS & found["versions"].keys())}
    results = {shape["name"]: shape["results"] for shape in found["shapes"]}
    assert {one["contender"] for one in results["fan_out"]} == expected
    assert {one["contender"] for one in results["layers"]} == expected - {"xargs -P8", "posix_spawn loop"}
    assert {one["contender"] for one in results["validate_10"]} == {"flowctl"}
    assert {one["status"] for many in results.values() for one in many} == {"measured"}


@pytest.mark.slow
def test_the_documentation_names_every_key(found: dict[str, Any]) -> None:
    page = (ROOT / "bench" / "README.md").read_text(encoding="utf-8")
    for key in {*TOP, *MACHINE, *SHAPE, *RESULT, *RUN}:
        assert f"`{key}`" in page, key


@pytest.mark.slow
def test_results_become_a_table_with_every_measurement(written: Path, found: dict[str, Any]) -> None:
    done = start("page", str(written))
    assert done.returncode == 0, done.stderr
    rows = [line for line in done.stdout.splitlines() if line.startswith("|")][2:]
    assert len(rows) == sum(len(shape["results"]) for shape in found["shapes"])
    assert all(row.count("|") == 8 for row in rows)
    assert f"commit `{found['commit']}`" in done.stdout


@pytest.mark.slow
def test_the_profile_finds_every_part_of_the_engine_that_it_names() -> None:
    done = start("profile", "--count", "5")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "decide" in done.stdout


def test_shapes_and_contenders_are_listed() -> None:
    done = start("list")
    assert done.returncode == 0
    assert "fan_out" in done.stdout
    assert "posix_spawn loop" in done.stdout


def test_an_unknown_shape_is_refused_with_the_known_ones() -> None:
    done = start("run", "fan_aut")
    assert done.returncode == 2
    assert "fan_out" in done.stderr
    assert "Traceback" not in done.stderr
