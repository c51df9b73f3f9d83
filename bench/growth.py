"""How cost grows with size: each series measured size by size, and the order that follows from each pair of sizes."""

from __future__ import annotations

import math
import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.compare import Options, Status
from bench.measure import TOLD_CHARACTERS, Sample, run_once
from bench.series import NotPreparedError, Series, case_of

TELLING = 1.5
"""A size tells of an order when it costs so many times what the smallest does; below, starting is all there is."""


@dataclass(slots=True)
class Point:
    """One size: its runs, or why there are none."""

    size: int
    samples: list[Sample] = field(default_factory=list)
    status: Status = Status.MEASURED
    note: str = ""

    def median(self, of: Callable[[Sample], float]) -> float | None:
        """The median of one thing over all runs; `None` if there is none."""
        return statistics.median(map(of, self.samples)) if self.samples else None

    @property
    def cpu_s(self) -> float | None:
        """The median processor time."""
        return self.median(lambda sample: sample.cpu_s)


@dataclass(frozen=True, slots=True)
class Growth:
    """One kind of work at all sizes of a series, smallest first."""

    work: str
    points: tuple[Point, ...]

    def per_unit(self, point: Point) -> float | None:
        """Seconds of processor time for each unit more than the smallest size has."""
        first = self.points[0]
        if point is first or point.cpu_s is None or first.cpu_s is None:
            return None
        return max(point.cpu_s - first.cpu_s, 0.0) / (point.size - first.size)

    def order(self, point: Point) -> float | None:
        """The exponent between the size before and this one, without what the smallest costs: 1 is linear.

        `None` where the cost of starting hides it.
        """
        number = self.points.index(point)
        base = self.points[0].cpu_s
        if number < 2 or base is None or point.cpu_s is None:
            return None
        before = self.points[number - 1]
        if before.cpu_s is None or before.cpu_s < TELLING * base:
            return None
        costs, sizes = (point.cpu_s - base) / (before.cpu_s - base), point.size / before.size
        return math.log(max(costs, 1e-9)) / math.log(sizes)


@dataclass(frozen=True, slots=True)
class Grown:
    """A series and what came of it."""

    series: Series
    growths: tuple[Growth, ...]


def grow(
    series: Sequence[Series], options: Options, folder: Path, *, most: int | None, tell: Callable[[str], None]
) -> Iterator[Grown]:
    """Each series, smallest size first, up to `most`. Work that reaches its limit, or would, is not done at larger sizes."""
    for one in series:
        sizes = [size for size in one.sizes if most is None or size <= most]
        growths = {work: [Point(size) for size in sizes] for work in one.works}
        for number, size in enumerate(sizes):
            tell(f"{one.name}: {size:,}")
            _measure(one, {work: points[: number + 1] for work, points in growths.items()}, options, folder)
        for left in folder.glob(f"{one.name}*"):
            shutil.rmtree(left, ignore_errors=True)
        yield Grown(one, tuple(Growth(work, tuple(points)) for work, points in growths.items()))


def _measure(series: Series, growths: dict[str, list[Point]], options: Options, folder: Path) -> None:
    """All work at the last of these points."""
    size = next(iter(growths.values()))[-1].size
    for points in growths.values():
        _end_hopeless(points, options.limit_s)
    if all(points[-1].status is not Status.MEASURED for points in growths.values()):
        return
    case = case_of(series, size, folder)
    if series.prepare is not None:
        try:
            series.prepare(case, size)
        except NotPreparedError as problem:
            for points in growths.values():
                points[-1].status, points[-1].note = Status.FAILED, str(problem)
            return
    for _ in range(options.rounds):
        for work, points in growths.items():
            point = points[-1]
            if point.status is not Status.MEASURED:
                continue
            command = series.works[work](case, size)
            keep = series.prepare is not None
            sample, output = run_once(case, command, limit_s=options.limit_s, keep_state=keep)
            if sample.over_limit:
                point.status, point.note, point.samples = Status.OVER_LIMIT, f"over {options.limit_s:g} s", []
            elif sample.exit_code:
                point.status, point.note = Status.FAILED, output.strip()[-TOLD_CHARACTERS:]
                point.samples = []
            else:
                point.samples.append(sample)


def _end_hopeless(points: list[Point], limit_s: float) -> None:
    """End the last point if the one before has no figures, or says that this one would pass the limit."""
    if len(points) < 2:
        return
    before, point = points[-2:]
    wall_s, first_s = (one.median(lambda sample: sample.wall_s) for one in (before, points[0]))
    if wall_s is None or first_s is None:
        point.status, point.note = Status.OVER_LIMIT, "not tried"
        return
    expected_s = first_s + (wall_s - first_s) * point.size / before.size
    if wall_s > TELLING * first_s and expected_s > limit_s:
        point.status, point.note = Status.OVER_LIMIT, f"not tried: about {expected_s:.0f} s by its pace before"
