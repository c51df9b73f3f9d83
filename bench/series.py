"""The series: what is made larger step by step, and what of flowctl is measured at each size."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contender import PROGRAMS, ROOT, Case, Command
from bench.contenders.flowctl import FLOWCTL, PROGRAM, environment, flow_text
from bench.graphs import Graph, chain, dense, layers, wide
from bench.measure import run_once
from bench.shapes import Work

TASKS = (10, 100, 1_000, 10_000, 100_000)
RUN_TASKS = 100
"""Tasks of each run in the history."""

Make = Callable[[Case, int], Command]


class NotPreparedError(Exception):
    """What a size needs could not be made; the text says why."""


@dataclass(frozen=True, slots=True)
class Series:
    """One thing that grows.

    Attributes:
        unit: what the sizes count.
        works: what is measured, by name.
        graph: the flow of a size.
        prepare: makes what a size needs beside its flow. Then the state is kept from run to run and from size to size.
    """

    name: str
    title: str
    unit: str
    sizes: tuple[int, ...]
    works: Mapping[str, Make]
    graph: Callable[[int], Graph]
    prepare: Callable[[Case, int], None] | None = None


def _by(work: Work) -> Make:
    """What flowctl does with a graph in the comparison, too."""

    def make(case: Case, size: int) -> Command:  # noqa: ARG001 - the signature of `Make`
        return FLOWCTL.works[work](Case(work, case.graphs, case.folder))

    return make


def _output(case: Case, size: int) -> Command:
    script = f"head -c {size} /dev/zero | tr '\\0' x"
    text = f"version: 1\nname: bench\ntasks:\n  t0:\n    run: {script}\n    outputs: {{text: {{from: stdout}}}}\n"
    return Command((PROGRAM, "run", "-q", str(case.write("flow.yaml", text))), environment(case))


def _asking(*arguments: str) -> Make:
    def make(case: Case, size: int) -> Command:  # noqa: ARG001 - the signature of `Make`
        return Command((PROGRAM, *arguments), environment(case))

    return make


def _one_more(case: Case, size: int) -> Command:  # noqa: ARG001 - the signature of `Make`
    path = case.write("one.yaml", flow_text(case, wide(1), name="one"))
    return Command((PROGRAM, "run", "-q", str(path)), environment(case))


def _remember(case: Case, size: int) -> None:
    """A store with `size` finished tasks, in runs of `RUN_TASKS`."""
    store = case.state / "home" / "data" / "flowctl.db"
    if not store.exists():
        sample, output = run_once(case, _by(Work.RUN)(case, size), limit_s=300)
        if sample.exit_code:
            raise NotPreparedError(output.strip()[-300:])
    program = [sys.executable, str(PROGRAMS / "fill_history.py"), str(store), str(size // RUN_TASKS)]
    done = subprocess.run(program, env={"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotPreparedError(done.stderr.strip()[-300:])


SERIES = (
    Series(
        "tasks",
        "tasks in layers of 100, each needing 3",
        "task",
        TASKS,
        {"validate": _by(Work.VALIDATE), "plan": _by(Work.PLAN), "run": _by(Work.RUN)},
        layers,
    ),
    Series("width", "tasks without edges", "task", TASKS, {"plan": _by(Work.PLAN), "run": _by(Work.RUN)}, wide),
    Series("depth", "tasks in one chain", "task", TASKS, {"plan": _by(Work.PLAN), "run": _by(Work.RUN)}, chain),
    Series(
        "edges",
        "edges among 1,000 tasks",
        "edge",
        (1_000, 10_000, 100_000),
        {"validate": _by(Work.VALIDATE), "plan": _by(Work.PLAN)},
        dense,
    ),
    Series("output", "bytes that one task puts out", "byte", (10, 1_000, 100_000, 1_000_000), {"run": _output}, wide),
    Series(
        "history",
        "finished tasks in the store, in runs of 100",
        "task",
        (100, 1_000, 10_000, 100_000, 1_000_000),
        {
            "run of one task": _one_more,
            "runs": _asking("runs"),
            "show": _asking("show", "latest"),
        },
        lambda size: wide(min(size, RUN_TASKS)),
        _remember,
    ),
)


def case_of(series: Series, size: int, folder: Path) -> Case:
    """The work of one size. The folder of a series that keeps its state is the same for all sizes."""
    name = series.name if series.prepare is not None else f"{series.name}-{size}"
    return Case(Work.RUN, (series.graph(size),), folder / name)
