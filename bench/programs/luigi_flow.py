"""The graph for Luigi, with its own local scheduler."""

import json
import subprocess
import sys
from pathlib import Path

import luigi

WORK = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
TASKS = {task["name"]: task for task in WORK["tasks"]}


class Work(luigi.Task):
    """One task of the graph."""

    name = luigi.Parameter()

    def requires(self):
        return [Work(name=need) for need in TASKS[self.name]["needs"]]

    def output(self):
        return luigi.LocalTarget(f"done/{self.name}")

    def run(self):
        subprocess.run([WORK["program"], TASKS[self.name]["mark"]], check=True)
        self.output().makedirs()
        Path(self.output().path).touch()


if __name__ == "__main__":
    tasks = [Work(name=name) for name in TASKS]
    good = luigi.build(tasks, workers=WORK["at_once"], local_scheduler=True, log_level="WARNING")
    print("done", sum(1 for _ in Path("done").iterdir()))
    sys.exit(not good)
