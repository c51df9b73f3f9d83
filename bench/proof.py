"""Before anything is timed: does a contender really do the work, all of it, each task once, in an order that is allowed?"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from bench.contender import TOUCH, Case, Contender
from bench.graphs import Graph
from bench.measure import TOLD_CHARACTERS, run_once
from bench.shapes import PROOF_SIZE, Shape, Work

LIMIT_S = 180.0


class NotProven(Exception):
    """A contender did not do the work; says what was wrong."""


def prove(contender: Contender, shape: Shape, folder: Path) -> None:
    """Have the contender do a small piece of the shape with a program that leaves marks; raises `NotProven`.

    A checker is given a mistake instead, and must find it and accept the same text without it.
    """
    graphs = tuple(shape.make(min(shape.size, PROOF_SIZE)) for _ in range(min(shape.files, 2)))
    case = Case(shape.work, graphs, folder, program=TOUCH, fan_out=shape.fan_out)
    _end_well(contender, case)
    match shape.work:
        case Work.RUN | Work.CALLS:
            _marks_are_right(case)
        case Work.VALIDATE:
            broken = dataclasses.replace(case, broken=True)
            sample, _ = run_once(broken, contender.works[shape.work](broken), limit_s=LIMIT_S)
            if sample.exit_code == 0:
                raise NotProven("a mistake was not found")
        case Work.PLAN | Work.START:
            return


def _end_well(contender: Contender, case: Case) -> None:
    sample, output = run_once(case, contender.works[case.work](case), limit_s=LIMIT_S)
    if sample.over_limit:
        raise NotProven(f"{len(case.graph)} tasks took over {LIMIT_S:.0f} s")
    if sample.exit_code:
        raise NotProven(f"ended with {sample.exit_code}: {output.strip()[-TOLD_CHARACTERS:]}")
    check_count(contender, case, output)


def check_count(contender: Contender, case: Case, output: str) -> None:
    """What the contender says it did is what it was asked to do, where it says anything; raises `NotProven`."""
    said = contender.count(case, output)
    if said is not None and said != len(case.graph):
        raise NotProven(f"says that it did {said} tasks of {len(case.graph)}")


def _marks_are_right(case: Case) -> None:
    moments = {path.name: path.stat().st_mtime_ns for path in case.marks.iterdir()}
    wanted = {task.name for task in case.graph}
    if moments.keys() != wanted:
        raise NotProven(
            f"{len(wanted - moments.keys())} tasks were not done, {len(moments.keys() - wanted)} others were"
        )
    early = _too_early(case.graph, moments)
    if early:
        raise NotProven(f"`{early}` was done before what it waits for")


def _too_early(graph: Graph, moments: dict[str, int]) -> str | None:
    return next((task.name for task in graph if any(moments[need] > moments[task.name] for need in task.needs)), None)
