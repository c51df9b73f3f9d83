"""The graph for doit; lies beside its graph.json."""

import json
from pathlib import Path

WORK = json.loads((Path(__file__).parent / "graph.json").read_text(encoding="utf-8"))


def task_all():
    """One task for each of the graph."""
    for task in WORK["tasks"]:
        yield {
            "basename": task["name"],
            "actions": [[WORK["program"], task["mark"]]],
            "task_dep": task["needs"],
            "verbosity": 0,
        }
