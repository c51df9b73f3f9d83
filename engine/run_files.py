"""Where the files of runs are: one folder for a run, one below it for each attempt.

    RUNS/RUN_ID/work/                      FLOW_RUN_DIR, shared by the tasks of the run
    RUNS/RUN_ID/tasks/TASK/[ITEM/]R.A/     round R, attempt A: log, output files, tmp/

Names of tasks are checked by the language and hold no separator; run ids are made here. Nothing a user typed becomes a
path without having been looked up first.
"""

from __future__ import annotations

from pathlib import Path

from engine.attempts import AttemptFiles, AttemptKey


class RunFiles:
    """The files of all runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def make(self, folder: Path) -> None:
        """Make a folder of a run, if it is not there."""
        folder.mkdir(parents=True, exist_ok=True)

    def run_folder(self, run_id: str) -> Path:
        """Everything a run has written."""
        return self.root / run_id

    def work(self, run_id: str) -> Path:
        """The directory that tasks of the run share and start in."""
        return self.root / run_id / "work"

    def attempt(self, key: AttemptKey) -> AttemptFiles:
        """Where the files of an attempt are, whether they exist or not."""
        own = self.task_folder(key.run_id, key.task, key.item) / f"{key.round}.{key.attempt}"
        return AttemptFiles(
            work=self.work(key.run_id),
            own=own,
            tmp=own / "tmp",
            log=own / "log",
            output=own / "output",
            output_json=own / "output.json",
            control=own / "control",
            progress=own / "progress",
        )

    def task_folder(self, run_id: str, task: str, item: int | None) -> Path:
        """The attempts of a task, or of one item."""
        folder = self.root / run_id / "tasks" / task
        return folder if item is None else folder / str(item)

    def artifacts(self, run_id: str) -> Path:
        """What tasks of the run asked to keep."""
        return self.root / run_id / "artifacts"
