"""What came of it: a table for people, JSON for programs. The JSON's shape is described in `bench/README.md`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from bench.compare import Comparison, Options, Result, Status
from bench.contender import Contender, Kind
from bench.machine import commit, machine
from bench.shapes import Shape

SCHEMA_VERSION = 1
MEGA = 1e6
_HEADINGS = ("", "wall", "x flowctl", "CPU", "peak", "")
_WIDTHS = (18, 10, 10, 10, 9, 0)


def as_json(
    comparisons: Sequence[Comparison],
    options: Options,
    *,
    versions: Mapping[str, str],
    missing: Mapping[str, str],
    load: Mapping[str, list[float]],
) -> dict[str, Any]:
    """Everything that was measured, and what it was measured with."""
    return {
        **measured_with(options, load),
        "versions": dict(versions),
        "missing": dict(missing),
        "shapes": [_shape(comparison) for comparison in comparisons],
    }


def measured_with(options: Options, load: Mapping[str, list[float]]) -> dict[str, Any]:
    """What figures mean nothing without: when, where, from which commit and how they were taken."""
    head, changed = commit()
    return {
        "schema_version": SCHEMA_VERSION,
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": head,
        "changed": changed,
        "machine": machine(),
        "load": dict(load),
        "options": {"rounds": options.rounds, "limit_s": options.limit_s, "quick": options.quick},
    }


def _shape(comparison: Comparison) -> dict[str, Any]:
    shape = comparison.shape
    return {
        "name": shape.name,
        "title": shape.title,
        "work": shape.work.value,
        "tasks": comparison.tasks,
        "budget_s": shape.budget_s,
        "budget_mb": shape.budget_mb,
        "results": [_result(result, ours_of(comparison)) for result in comparison.results],
    }


def _result(result: Result, ours: float | None) -> dict[str, Any]:
    wall = result.median(lambda sample: sample.wall_s)
    return {
        "contender": result.contender.name,
        "kind": result.contender.kind.value,
        "status": result.status.value,
        "note": result.note,
        "wall_s": wall,
        "cpu_s": result.median(lambda sample: sample.cpu_s),
        "peak_rss_bytes": result.median(lambda sample: sample.peak_rss_bytes),
        "ratio": wall / ours if wall is not None and ours else None,
        "runs": [sample.as_json() for sample in result.samples],
    }


def ours_of(comparison: Comparison) -> float | None:
    """The median wall time of flowctl; `None` if it was not measured."""
    ours = next((one for one in comparison.results if one.contender.kind is Kind.OURSELVES), None)
    return ours.median(lambda sample: sample.wall_s) if ours else None


def heading() -> str:
    """The line above all tables."""
    return _line(_HEADINGS)


def table(comparison: Comparison) -> Iterator[str]:
    """One shape as lines of text, the fastest first."""
    shape, ours = comparison.shape, ours_of(comparison)
    yield f"{shape.name}: {shape.title}{_measured_size(comparison)}{_budget(shape)}"
    for result in sorted(comparison.results, key=lambda one: one.median(lambda sample: sample.wall_s) or float("inf")):
        yield _line(_cells(result, ours))


def _cells(result: Result, ours: float | None) -> tuple[str, ...]:
    name = result.contender.name
    if result.status is not Status.MEASURED:
        return (name, "failed" if result.status is Status.FAILED else "too slow", "", "", "", _last_line(result))
    wall = result.median(lambda sample: sample.wall_s) or 0.0
    cpu = result.median(lambda sample: sample.cpu_s) or 0.0
    peak = result.median(lambda sample: sample.peak_rss_bytes) or 0.0
    ratio = f"{wall / ours:.2f}" if ours else ""
    return name, f"{wall:.3f} s", ratio, f"{cpu:.3f} s", f"{peak / MEGA:.0f} MB", result.note


def _last_line(result: Result) -> str:
    return result.note.rpartition("\n")[2][:100]


def _measured_size(comparison: Comparison) -> str:
    """The size, where it is not the one the title speaks of."""
    shape = comparison.shape
    return "" if comparison.tasks == shape.size * shape.files else f" (here: {comparison.tasks} tasks)"


def _budget(shape: Shape) -> str:
    asked = [f"{shape.budget_s:g} s" if shape.budget_s else "", f"{shape.budget_mb:g} MB" if shape.budget_mb else ""]
    named = ", ".join(filter(None, asked))
    return f"  budget: {named}" if named else ""


def _line(cells: Sequence[str]) -> str:
    first, *rest, last = cells
    numbers = "".join(cell.rjust(width) for cell, width in zip(rest, _WIDTHS[1:], strict=False))
    return f"  {first.ljust(_WIDTHS[0])}{numbers}  {last}".rstrip()


def versions_of(contenders: Sequence[Contender], reasons: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """Versions of the contenders that are installed, and why the others are not there."""
    versions: dict[str, str] = {}
    missing: dict[str, str] = {}
    for one in contenders:
        version = one.version()
        if version is None:
            missing[one.name] = reasons.get(one.name, f"not installed; `python -m bench setup {one.name.lower()}`")
        else:
            versions[one.name] = version
    return versions, missing
