"""flowctl as its users start it: a flow in YAML, a store of its own, every change of state durable."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from bench.contender import AT_ONCE, PROGRAMS, Case, Command, Contender, Kind
from bench.contenders.versions import of_program
from bench.graphs import Graph
from bench.shapes import Work

PROGRAM = str(Path(sys.executable).parent / "flowctl")
LARGE = 5_000
_NOOP = (PROGRAMS / "noop.py").read_text(encoding="utf-8")


def environment(case: Case) -> dict[str, str]:
    """What flowctl is told: where its store is, and that a large file is meant."""
    env = {"FLOWCTL_HOME": str(case.state / "home")}
    if len(case.graph) > LARGE:  # the default limits on a file are for files that people write
        env |= {"FLOWCTL_LIMITS_FILE": "64MiB", "FLOWCTL_LIMITS_NODES": "10000000"}
    return env


def flow_text(case: Case, graph: Graph, *, name: str = "bench") -> str:
    """A graph as a flow in YAML."""
    count = len(graph)
    head = f"version: 1\nname: {name}\nconcurrency: {{tasks: {AT_ONCE}}}\n"
    head += f"limits: {{tasks: {max(count, 1)}, fan_out_items: {max(count, 1)}}}\ntasks:\n"
    if case.work is Work.CALLS:
        return head + _fan_out(graph) + f'    call: noop:call\n    with: {{mark: "{case.mark("${{ item }}")}"}}\n'
    if case.fan_out:
        return head + _fan_out(graph) + f'    exec: [{case.program}, "{case.mark("${{ item }}")}"]\n'
    return head + "".join(
        f"  {task.name}:\n    exec: [{case.program}, {case.mark(task.name)}]\n"
        + (f"    after: [{', '.join(task.needs)}]\n" if task.needs else "")
        for task in graph
    )


def _fan_out(graph: Graph) -> str:
    names = ", ".join(task.name for task in graph)
    return f"  all:\n    fan_out:\n      items: [{names}]\n      max_items: {len(graph)}\n"


def _mistaken(text: str) -> str:
    return text + "    after_end: [nowhere]\n"


def _written(case: Case) -> Path:
    case.write("noop.py", _NOOP.replace("TOUCHES = False", f"TOUCHES = {case.program.endswith('touch')}"))
    return case.write("flow.yaml", flow_text(case, case.graph))


def _run(case: Case) -> Command:
    return Command((PROGRAM, "run", "-q", str(_written(case))), environment(case))


def _plan(case: Case) -> Command:
    return Command((PROGRAM, "plan", "--json", str(_written(case))), environment(case))


def _validate(case: Case) -> Command:
    for number, graph in enumerate(case.graphs):
        text = flow_text(case, graph, name=f"flow_{number}")
        case.write(f"flows/flow_{number}.yaml", _mistaken(text) if case.broken else text)
    return Command((PROGRAM, "validate", "--concise", str(case.folder / "flows")), environment(case))


def _start(case: Case) -> Command:  # noqa: ARG001 - the signature of `Prepare`
    return Command((PROGRAM, "--version"))


def _count(case: Case, output: str) -> int | None:
    match case.work:
        case Work.PLAN:
            return sum(map(len, json.loads(output)["waves"]))
        case Work.RUN | Work.CALLS:
            return _succeeded(case)
        case _:
            return None


def _succeeded(case: Case) -> int:
    """Tasks, or items of a fan-out, that the store has as succeeded in the latest run."""
    shown = subprocess.run(
        [PROGRAM, "show", "latest", "--json"], env=environment(case), cwd=case.folder, capture_output=True, check=True
    )
    tasks = json.loads(shown.stdout)["tasks"].values()
    counts = (task["counts"]["succeeded"] if task.get("counts") else task["state"] == "succeeded" for task in tasks)
    return sum(counts)


FLOWCTL = Contender(
    "flowctl",
    Kind.OURSELVES,
    of_program(PROGRAM, "--version"),
    {Work.RUN: _run, Work.CALLS: _run, Work.PLAN: _plan, Work.VALIDATE: _validate, Work.START: _start},
    _count,
)
