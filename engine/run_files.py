"""Where the files of runs are: one folder for a run, in it one for what its tasks share and one for their attempts.

    RUNS/RUN_ID/work/                           FLOW_RUN_DIR, shared by the tasks of the run
    RUNS/RUN_ID/attempts/TASK.[ITEM.]R.A.log    round R, attempt A; likewise its other files
    RUNS/RUN_ID/tmp/N/                          FLOW_TMP of one attempt after the other

Names of tasks are checked by the language and hold neither a separator nor a digit at the beginning of a part; run ids are
made here. Nothing a user typed becomes a path without having been looked up first. An attempt costs no folder, so the
files of all attempts of a run lie side by side.
"""

# ruff: noqa: PTH103, PTH118 -- on the hot path paths are text

from __future__ import annotations

import os
from pathlib import Path

from engine.attempts import AttemptFiles, AttemptKey


class RunFiles:
    """The files of all runs below one folder."""

    def __init__(self, root: Path) -> None:
        self.root = str(root)

    @property
    def journals(self) -> str:
        """Where the processes that start tasks keep their journals: beside this folder."""
        return f"{self.root.removesuffix('.runs')}.spawners"

    def make_run(self, run_id: str) -> None:
        """Make the folders of a run, as far as they are not there."""
        folder = self.run_folder(run_id)
        os.makedirs(os.path.join(folder, "attempts"), exist_ok=True)
        os.makedirs(os.path.join(folder, "work"), exist_ok=True)

    def run_folder(self, run_id: str) -> str:
        """Everything a run has written."""
        return f"{self.root}/{run_id}"

    def work(self, run_id: str) -> str:
        """The directory that tasks of the run share and start in."""
        return f"{self.run_folder(run_id)}/work"

    def attempt(self, key: AttemptKey) -> AttemptFiles:
        """Where the files of an attempt are, whether they exist or not."""
        folder = self.run_folder(key.run_id)
        unit = key.task if key.item is None else f"{key.task}.{key.item}"
        return AttemptFiles(f"{folder}/work", f"{folder}/attempts/{unit}.{key.round}.{key.attempt}")

    def artifacts(self, run_id: str) -> str:
        """What tasks of the run asked to keep."""
        return f"{self.run_folder(run_id)}/artifacts"
