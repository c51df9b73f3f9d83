"""The graph for DBOS on SQLite: a queue of child workflows, level by level, since it knows no graphs."""

import json
import subprocess
import sys
from pathlib import Path

from dbos import DBOS

WORK = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
CALLS = sys.argv[2] == "calls"
TOUCHES = WORK["program"].endswith("touch")


def levels() -> list[list[str]]:
    """The marks of the tasks by depth."""
    depth: dict[str, int] = {}
    found: list[list[str]] = []
    for task in WORK["tasks"]:
        depth[task["name"]] = level = max((depth[need] + 1 for need in task["needs"]), default=0)
        if level == len(found):
            found.append([])
        found[level].append(task["mark"])
    return found


@DBOS.step()
def start(mark: str) -> None:
    """One task of the graph."""
    if not CALLS:
        subprocess.run([WORK["program"], mark], check=True)
    elif TOUCHES:
        Path(mark).touch()


@DBOS.workflow()
def one(mark: str) -> None:
    """A child workflow of one step."""
    start(mark)


@DBOS.workflow()
def bench() -> int:
    """All levels."""
    queue = DBOS.retrieve_queue("bench")
    done = 0
    for level in levels():
        if len(level) == 1:
            start(level[0])
        else:
            for handle in [queue.enqueue(one, mark) for mark in level]:
                handle.get_result()
        done += len(level)
    return done


if __name__ == "__main__":
    DBOS(config={"name": "bench", "system_database_url": "sqlite:///dbos.sqlite", "log_level": "WARNING"})
    DBOS.launch()
    DBOS.register_queue("bench", worker_concurrency=WORK["at_once"], polling_interval_sec=0.01)
    print("done", bench())
    DBOS.destroy()
