"""The graph for Prefect, with the server that it starts for itself."""

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ.setdefault("PREFECT_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("PREFECT_SERVER_ANALYTICS_ENABLED", "false")
os.environ.setdefault("DO_NOT_TRACK", "1")
os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "120")

from prefect import flow, task
from prefect.task_runners import ThreadPoolTaskRunner

WORK = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
CALLS = sys.argv[2] == "calls"
TOUCHES = WORK["program"].endswith("touch")


@task
def work(mark: str) -> None:
    """One task of the graph."""
    if not CALLS:
        subprocess.run([WORK["program"], mark], check=True)
    elif TOUCHES:
        Path(mark).touch()


@flow(task_runner=ThreadPoolTaskRunner(max_workers=WORK["at_once"]))
def bench() -> int:
    """All of them."""
    futures = {}
    for one in WORK["tasks"]:
        futures[one["name"]] = work.submit(one["mark"], wait_for=[futures[need] for need in one["needs"]])
    for future in futures.values():
        future.result()
    return len(futures)


if __name__ == "__main__":
    print("done", bench())
