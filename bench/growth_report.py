"""Growth as text, as JSON and as tables in Markdown. The JSON's shape is described in `bench/README.md`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from bench.compare import Options
from bench.growth import Grown, Growth, Point
from bench.report import measured_with

MEGA = 1e6


def as_json(found: Sequence[Grown], options: Options, *, load: dict[str, list[float]]) -> dict[str, Any]:
    """Everything that was measured, and what it was measured with."""
    return {**measured_with(options, load), "series": [_series(one) for one in found]}


def _series(grown: Grown) -> dict[str, Any]:
    return {
        "name": grown.series.name,
        "title": grown.series.title,
        "unit": grown.series.unit,
        "works": [
            {"work": growth.work, "points": [_point(growth, point) for point in growth.points]}
            for growth in grown.growths
        ],
    }


def _point(growth: Growth, point: Point) -> dict[str, Any]:
    return {
        "size": point.size,
        "status": point.status.value,
        "note": point.note,
        "wall_s": point.median(lambda sample: sample.wall_s),
        "cpu_s": point.cpu_s,
        "peak_rss_bytes": point.median(lambda sample: sample.peak_rss_bytes),
        "per_unit_s": growth.per_unit(point),
        "order": growth.order(point),
        "runs": [sample.as_json() for sample in point.samples],
    }


def table(grown: Grown) -> Iterator[str]:
    """One series as lines of text."""
    yield f"{grown.series.name}: {grown.series.title}"
    for growth in grown.growths:
        for point in growth.points:
            cells = _cells(_point(growth, point))
            yield f"  {growth.work:<16}{point.size:>10,}" + "".join(cell.rjust(12) for cell in cells)


def page(found: dict[str, Any]) -> Iterator[str]:
    """The series of a file of results as one table in Markdown."""
    yield "| what grows | work | size | wall | CPU | peak | CPU for each more | order |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    for series in found["series"]:
        title = series["title"]
        for work in series["works"]:
            name = work["work"]
            for point in work["points"]:
                yield f"| {title} | {name} | {point['size']:,} | {' | '.join(_cells(point))} |"
                title = name = ""


def _cells(point: dict[str, Any]) -> tuple[str, ...]:
    if point["wall_s"] is None:
        told = point["note"].strip().rpartition("\n")[2][:80].replace("|", "\\|")
        return told, "", "", "", ""
    return (
        f"{point['wall_s']:.2f} s",
        f"{point['cpu_s']:.2f} s",
        f"{point['peak_rss_bytes'] / MEGA:.0f} MB",
        "" if point["per_unit_s"] is None else _short(point["per_unit_s"]),
        "" if point["order"] is None else f"{point['order']:.2f}",
    )


def _short(seconds: float) -> str:
    for factor, unit in ((1e3, "ms"), (1e6, "µs")):
        if seconds * factor >= 1:
            return f"{seconds * factor:.3g} {unit}"
    return f"{seconds * 1e9:.0f} ns"
