"""The shapes: what is measured, at which size, and what `DESIGN.md` asks of flowctl for it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from bench.graphs import Graph, chain, layers, montage, pairs, wide


class Work(StrEnum):
    """What a contender is asked to do with a graph."""

    RUN = "run"  # start a program for each task
    CALLS = "calls"  # call a Python function for each task
    PLAN = "plan"  # say what would be done
    VALIDATE = "validate"  # check the description
    START = "start"  # print the version


@dataclass(frozen=True, slots=True)
class Shape:
    """One line of the table.

    Attributes:
        make: the graph of a size.
        size, quick_size: tasks (in each file) of a full and of a quick measurement.
        files: how many files describe it.
        fan_out: the tasks are instances of one, where a contender knows such a thing.
        again: the contender keeps what it stored, and is measured on its second run.
        budget_s, budget_mb: what flowctl may take, by the design.
        usual: measured unless shapes are named.
    """

    name: str
    title: str
    work: Work
    make: Callable[[int], Graph]
    size: int
    quick_size: int
    files: int = 1
    quick_files: int = 1
    fan_out: bool = False
    again: bool = False
    budget_s: float | None = None
    budget_mb: float | None = None
    usual: bool = True


PROOF_SIZE = 30
"""Tasks of the run that proves, before anything is timed, that a contender does the work and in which order."""

SHAPES = (
    Shape("start", "`--version`", Work.START, wide, 1, 1, budget_s=0.12),
    Shape("one", "one task, new store", Work.RUN, wide, 1, 1, budget_s=0.35),
    Shape("again", "one task, the second run of the same flow", Work.RUN, wide, 1, 1, again=True, budget_s=0.25),
    Shape("chain", "chain of 200", Work.RUN, chain, 200, 5, budget_s=0.6),
    Shape("fan_out", "fan-out of 1,000, 8 at a time", Work.RUN, wide, 1_000, 12, fan_out=True),
    Shape("layers", "10,000 tasks, 100 layers of 100, each needing 3", Work.RUN, layers, 10_000, 24, budget_mb=200),
    Shape("wide", "10,000 tasks, no edges", Work.RUN, wide, 10_000, 20),
    Shape("deep", "chain of 10,000", Work.RUN, chain, 10_000, 10),
    Shape("montage", "mosaic of the sky, about 1,500 tasks (WfCommons' Montage)", Work.RUN, montage, 1_500, 60),
    Shape("calls", "10,000 calls of a Python function", Work.CALLS, wide, 10_000, 20, fan_out=True, budget_s=5),
    Shape("plan", "plan of 100,000 tasks", Work.PLAN, layers, 100_000, 50, budget_s=10, budget_mb=1_000),
    Shape("validate_10", "validate 10 tasks", Work.VALIDATE, pairs, 10, 10, budget_s=0.2),
    Shape("validate_1000", "validate 1,000 tasks", Work.VALIDATE, layers, 1_000, 30, budget_s=0.4, budget_mb=250),
    Shape("validate_10000", "validate 10,000 tasks", Work.VALIDATE, layers, 10_000, 60, budget_s=2, budget_mb=250),
    Shape("validate_folder", "validate 500 flows of 10 tasks", Work.VALIDATE, pairs, 10, 10, 500, 3, budget_s=3),
    Shape("wide_100000", "100,000 tasks, no edges", Work.RUN, wide, 100_000, 25, budget_mb=1_000, usual=False),
    Shape("plan_10000", "plan of 10,000 tasks", Work.PLAN, layers, 10_000, 50, usual=False),
)
