"""The graph for Dagster, executed in its own process with a store on disk."""

import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
Path(os.environ["DAGSTER_HOME"], "dagster.yaml").write_text("telemetry:\n  enabled: false\n", encoding="utf-8")

from dagster import DagsterInstance, DependencyDefinition, GraphDefinition, In, MultiDependencyDefinition, Nothing, op  # noqa: E402

WORK = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
CALLS = sys.argv[2] == "calls"
TOUCHES = WORK["program"].endswith("touch")


def op_of(task):
    """The task as an op."""

    @op(name=task["name"], ins={"after": In(Nothing)} if task["needs"] else {})
    def work():
        if not CALLS:
            subprocess.run([WORK["program"], task["mark"]], check=True)
        elif TOUCHES:
            Path(task["mark"]).touch()

    return work


if __name__ == "__main__":
    dependencies = {
        task["name"]: {"after": MultiDependencyDefinition([DependencyDefinition(need) for need in task["needs"]])}
        for task in WORK["tasks"]
        if task["needs"]
    }
    graph = GraphDefinition("bench", node_defs=[op_of(task) for task in WORK["tasks"]], dependencies=dependencies)
    done = graph.to_job().execute_in_process(instance=DagsterInstance.get())
    print("done", sum(1 for event in done.all_events if event.is_step_success))
