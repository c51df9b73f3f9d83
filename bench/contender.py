"""What a contender is, and the work it is given."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from bench.graphs import Graph, has_edges
from bench.shapes import Work

ROOT = Path(__file__).resolve().parents[1]
PEERS = ROOT / "bench" / ".peers"
PROGRAMS = ROOT / "bench" / "programs"
AT_ONCE = 8
TRUE = "/bin/true"
TOUCH = "/usr/bin/touch"


class Kind(StrEnum):
    """Why a contender is there."""

    OURSELVES = "ourselves"
    FLOOR = "floor"  # does less, and shows what the machine allows
    PEER = "peer"  # what a user would pick instead


@dataclass(frozen=True, slots=True)
class Case:
    """Work for one contender.

    Attributes:
        graphs: one for each file that is wanted.
        folder: where its descriptions are written; stays for all rounds.
        state: where it may store; emptied before each run, except where a second run is measured.
        program: what each task starts, with one argument: the path that is its own mark.
        marks: the folder of those paths. A proof runs `touch`, so the marks tell what was done and in which order.
        broken: the description has a mistake that a checker must find.
    """

    work: Work
    graphs: tuple[Graph, ...]
    folder: Path
    program: str = TRUE
    fan_out: bool = False
    broken: bool = False

    @property
    def graph(self) -> Graph:
        """The graph, where there is one."""
        return self.graphs[0]

    @property
    def state(self) -> Path:
        """Where the contender stores what it likes."""
        return self.folder / "state"

    @property
    def marks(self) -> Path:
        """The folder of the tasks' marks."""
        return self.folder / "marks"

    def mark(self, name: str) -> str:
        """The argument of the task's program."""
        return f"{self.marks}/{name}"

    def write(self, name: str, text: str) -> Path:
        """Write one file of the description."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def write_json(self) -> Path:
        """The graph for the programs in `bench/programs`."""
        tasks = [{"name": task.name, "needs": task.needs, "mark": self.mark(task.name)} for task in self.graph]
        return self.write("graph.json", json.dumps({"program": self.program, "at_once": AT_ONCE, "tasks": tasks}))


@dataclass(frozen=True, slots=True)
class Command:
    """A program to start in the case's state folder. `env` is added to a small clean environment."""

    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    remark: str = ""


Prepare = Callable[[Case], Command]
Count = Callable[[Case, str], int | None]


def nothing_counted(case: Case, output: str) -> int | None:  # noqa: ARG001 - the signature of `Count`
    """For contenders that say nothing of what they did."""
    return None


@dataclass(frozen=True, slots=True)
class Contender:
    """Something that does the work.

    Attributes:
        version: its version, `None` where it is not installed.
        works: for each kind of work it can do, how to write its description and the command to start.
        count: how many tasks it says it did, read from its output or its store after a run; `None` if it does not say.
        edges: whether it knows tasks that wait for others.
        most: tasks of the largest graph it is given; beyond it could not end within any sensible time.
    """

    name: str
    kind: Kind
    version: Callable[[], str | None]
    works: Mapping[Work, Prepare]
    count: Count = nothing_counted
    edges: bool = True
    most: int | None = None

    def takes(self, work: Work, graphs: tuple[Graph, ...]) -> bool:
        """Whether it can do this at all."""
        if work not in self.works or (not self.edges and has_edges(graphs[0])):
            return False
        return self.most is None or len(graphs[0]) <= self.most
