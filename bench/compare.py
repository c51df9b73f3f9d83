"""Measure contenders in turn: one after the other, round by round, so that a busy moment of the machine hits all of them."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.contender import Case, Contender, Kind
from bench.graphs import Graph
from bench.measure import TOLD_CHARACTERS, Sample, run_once
from bench.proof import NotProven, check_count, prove
from bench.shapes import Shape, Work

TELLING = 100
"""Tasks from which a run tells the pace of a contender, and not its start."""
HOPELESS = 2.0
NOT_TRIED = "not tried"


class Status(StrEnum):
    """What is known of a contender and a shape."""

    MEASURED = "measured"
    OVER_LIMIT = "over_limit"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Options:
    """How to measure. Slow contenders are cut off at `limit_s` and not started again."""

    rounds: int = 3
    limit_s: float = 60.0
    quick: bool = False


@dataclass(slots=True)
class Result:
    """A contender's runs of one shape, and why there are no more of them."""

    contender: Contender
    samples: list[Sample] = field(default_factory=list)
    status: Status = Status.MEASURED
    note: str = ""

    def median(self, of: Callable[[Sample], float]) -> float | None:
        """The median of one thing over all runs; `None` if there is none."""
        return statistics.median(map(of, self.samples)) if self.samples else None

    def end(self, status: Status, note: str) -> None:
        """Measure it no more."""
        self.status, self.note, self.samples = status, note, []


@dataclass(frozen=True, slots=True)
class Comparison:
    """One shape and what all contenders made of it. `tasks` counts those of all files."""

    shape: Shape
    tasks: int
    results: tuple[Result, ...]


class Paces:
    """What each contender needed for a task in the shapes before, so that the hopeless is not tried."""

    def __init__(self, limit_s: float) -> None:
        self._limit_s = limit_s
        self._best: dict[tuple[str, Work], float] = {}

    def note(self, result: Result, work: Work, graphs: tuple[Graph, ...]) -> None:
        """Take in a result; one that was cut off tells the least it would have needed."""
        tasks = sum(map(len, graphs))
        wall_s = self._limit_s if result.status is Status.OVER_LIMIT else result.median(lambda sample: sample.wall_s)
        if tasks < TELLING or wall_s is None or result.note.startswith(NOT_TRIED):
            return
        key = (result.contender.name, work)
        self._best[key] = min(wall_s / tasks, self._best.get(key, wall_s))

    def end_hopeless(self, result: Result, work: Work, graphs: tuple[Graph, ...]) -> bool:
        """End a result whose contender would need several times the limit by its best pace so far; flowctl never."""
        best = self._best.get((result.contender.name, work), 0.0)
        expected_s = best * sum(map(len, graphs))
        if result.contender.kind is not Kind.PEER or expected_s < HOPELESS * self._limit_s:
            return False
        result.end(Status.OVER_LIMIT, f"{NOT_TRIED}: {expected_s:.0f} s or more by its pace before")
        return True


def compare(
    shapes: Sequence[Shape],
    contenders: Sequence[Contender],
    options: Options,
    folder: Path,
    *,
    tell: Callable[[str], None],
) -> Iterator[Comparison]:
    """Each shape with every contender that can do it. `tell` hears what is going on."""
    paces = Paces(options.limit_s)
    for shape in shapes:
        graphs = _graphs(shape, quick=options.quick)
        fit = [one for one in contenders if one.takes(shape.work, graphs)]
        if not any(one.kind is not Kind.FLOOR for one in fit):
            continue
        results = tuple(Result(one) for one in fit)
        for result in results:
            if not paces.end_hopeless(result, shape.work, graphs):
                _prove(result, shape, folder / "proof", tell)
        cases = [
            Case(shape.work, graphs, folder / f"{shape.name}-{number}", fan_out=shape.fan_out)
            for number in range(len(fit))
        ]
        for number in range(options.rounds):
            tell(f"{shape.name}: round {number + 1} of {options.rounds}")
            for result, case in zip(results, cases, strict=True):
                if result.status is Status.MEASURED:
                    _measure(result, case, shape, options.limit_s)
        for result, case in zip(results, cases, strict=True):
            shutil.rmtree(case.folder, ignore_errors=True)
            paces.note(result, shape.work, graphs)
        yield Comparison(shape, sum(map(len, graphs)), results)


def _graphs(shape: Shape, *, quick: bool) -> tuple[Graph, ...]:
    size, files = (shape.quick_size, shape.quick_files) if quick else (shape.size, shape.files)
    return (shape.make(size),) * files


def _prove(result: Result, shape: Shape, folder: Path, tell: Callable[[str], None]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    try:
        prove(result.contender, shape, folder)
    except NotProven as problem:
        result.end(Status.FAILED, str(problem))
        tell(f"{shape.name}: {result.contender.name} is left out: {problem}")


def _measure(result: Result, case: Case, shape: Shape, limit_s: float) -> None:
    """One run, with a description that is written anew only the first time."""
    command = result.contender.works[case.work](case)
    if shape.again and not result.samples:
        run_once(case, command, limit_s=limit_s)
    sample, output = run_once(case, command, limit_s=limit_s, keep_state=shape.again)
    if sample.over_limit:
        result.end(Status.OVER_LIMIT, f"over {limit_s:.0f} s")
        return
    if sample.exit_code:
        result.end(Status.FAILED, f"ended with {sample.exit_code}: {output.strip()[-TOLD_CHARACTERS:]}")
        return
    if case.work in (Work.RUN, Work.CALLS, Work.PLAN):
        try:
            check_count(result.contender, case, output)
        except NotProven as problem:
            result.end(Status.FAILED, str(problem))
            return
    result.samples.append(sample)
    result.note = command.remark
