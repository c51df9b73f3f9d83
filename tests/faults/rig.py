"""Engines to be killed, and a ledger outside of them that their tasks write.

Every task writes `RUN TASK ITEM ROUND ATTEMPT start|end PID` to the ledger, one line a write. What a run printed before its
engine died tells what was acknowledged; afterwards `Rig.settle` drives everything to its end and `Rig.judge` looks at it all.
"""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing, suppress
from pathlib import Path
from signal import SIGCONT, SIGSTOP
from typing import Any

from flowctl.history import StoredPlans
from flowctl.settings import load_settings
from flowctl.workspace import Workspace
from tests.checker import Noted, check_all, check_no_process, every_run

FLOWCTL = str(Path(sys.executable).with_name("flowctl"))
PATIENCE_S = 60.0

DIAMOND = """
version: 1
name: diamond
env: {LEDGER: "%(ledger)s"}
defaults: {shell: sh}
tasks:
  a: {run: %(step)s, outputs: {who: {type: string}}}
  b: {run: %(step)s, outputs: {who: {type: string}}, after: [a]}
  c: {run: %(step)s, outputs: {who: {type: string}}, after: [a]}
  d: {run: %(step)s, outputs: {who: {type: string}}, after: [b]}
  e: {run: %(step)s, outputs: {who: {type: string}}, after: [c]}
  f: {run: %(step)s, outputs: {who: {type: string}}, after: [d, e]}
outputs: {last: "${{ tasks.f.output.who }}"}
"""

STEP = (
    "note() { printf '%s %s %s %s %s %s\\n' $FLOW_RUN_ID $FLOW_TASK ${FLOW_ITEM_INDEX:--} $FLOW_ROUND $FLOW_ATTEMPT"
    ' "$1 $$" >> "$LEDGER"; }; note start; echo "who=$FLOW_TASK" >> "$FLOW_OUTPUT"; sleep 0.05; note end'
)


class Rig:
    """One store, its ledger, and the engines started on it."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
        self.store = self.home / "data" / "flowctl.db"
        self.ledger = folder / "ledger"
        self.ledger.touch()
        self._said = folder / "said"
        self._said.mkdir()
        self._started = 0
        self.environ = {**os.environ, "FLOWCTL_HOME": str(self.home), **(environ or {})}

    def flow(self, text: str = DIAMOND, *, name: str = "flow.yaml") -> Path:
        """Write a flow; `%(ledger)s` and `%(step)s` in it stand for the ledger and a step that writes it."""
        path = self.folder / name
        path.write_text(text % {"ledger": self.ledger, "step": json.dumps(STEP)})
        return path

    def start(self, *arguments: str, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Start flowctl; what it says goes to files. `before` is put in front: `strace` and its like."""
        self._started += 1
        out = self._said / f"{self._started}.out"
        with out.open("wb") as stdout, out.with_suffix(".err").open("wb") as stderr:
            return subprocess.Popen(
                [*before, FLOWCTL, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=stdout,
                stderr=stderr,
                env=self.environ,
                cwd=self.folder,
                start_new_session=True,
            )

    def run_until_killed(self, flow: Path, after_s: float, *, acknowledged: bool) -> bool:
        """Run a flow and kill the engine so long after its start, or after it has acknowledged the run; whether it was
        still there to be killed."""
        process = self.start("run", str(flow), "--json")
        if acknowledged:
            out = self._said / f"{self._started}.out"
            self._await(process, lambda: out.stat().st_size > 0)
        return self.kill(process, after_s)

    def kill(self, process: subprocess.Popen[bytes], after_s: float) -> bool:
        """Kill an engine after so long; whether it was still there."""
        try:
            process.wait(after_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(PATIENCE_S)
            return True
        return False

    def let_be(self, process: subprocess.Popen[bytes], for_s: float) -> None:
        """Let an engine go on for a while, or to its end."""
        with suppress(subprocess.TimeoutExpired):
            process.wait(for_s)

    def suspend(self, processes: Sequence[subprocess.Popen[bytes]]) -> None:
        """Stop engines for a moment and let them go on."""
        for process in processes:
            if process.poll() is None:
                process.send_signal(SIGSTOP)
        for process in processes:
            if process.poll() is None:
                process.send_signal(SIGCONT)

    def await_ledger(self, process: subprocess.Popen[bytes]) -> None:
        """Until a task has written to the ledger, or the engine has ended."""
        self._await(process, lambda: self.ledger.stat().st_size > 0)

    def await_acknowledged(self, count: int) -> None:
        """Until so many runs have been acknowledged."""
        until = time.monotonic() + PATIENCE_S
        while len(self.acknowledged()) < count:
            assert time.monotonic() < until, self.told()
            time.sleep(0.005)

    def _await(self, process: subprocess.Popen[bytes], moment: Callable[[], bool]) -> None:
        until = time.monotonic() + PATIENCE_S
        while time.monotonic() < until and not moment():
            try:
                process.wait(0.005)
            except subprocess.TimeoutExpired:
                continue
            return

    def settle(self) -> int:
        """Drive what is left to its end; the exit code of `resume`."""
        return self.start("resume", "-q").wait(PATIENCE_S * 3)

    def told(self) -> str:
        """Everything that engines wrote to stderr, for the message of a failure."""
        return "".join(path.read_text(errors="replace") for path in sorted(self._said.glob("*.err")))

    def acknowledged(self) -> set[str]:
        """Ids of the runs that somebody was told of."""
        found = set()
        for path in self._said.glob("*.out"):
            for line in path.read_bytes().splitlines():
                if line.startswith(b'{"schema_version":1,"type":"run_submitted"') and line.endswith(b"}"):
                    found.add(str(json.loads(line)["run"]))
        return found

    def noted(self) -> list[Noted]:
        """The ledger; what stands further down happened later."""
        rows = []
        for number, line in enumerate(self.ledger.read_text().splitlines()):
            run, task, item, round_, attempt, what, _ = line.split()
            index = None if item == "-" else int(item)
            rows.append(Noted(run, task, index, int(round_), int(attempt), what, number))
        return rows

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store has, read by somebody else."""
        with closing(sqlite3.connect(f"file:{self.store}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def judge(self) -> None:
        """Hold what is left against the guarantees (`tests.checker`). Raises `AssertionError`."""
        workspace = Workspace(load_settings(folder=self.folder, environ=self.environ, flags={}), self.environ)
        in_file = "FLOWCTL_DB_URL" not in self.environ
        try:
            if self.store.exists() or not in_file:
                with workspace.store(create=False) as store:
                    plans = StoredPlans(workspace, store)
                    acknowledged, ledger = sorted(self.acknowledged()), self.noted()
                    check_all(store, lambda row: plans.plan(row.digest), acknowledged=acknowledged, ledger=ledger)
                    check_no_process(row.id for row in every_run(store))
                if in_file:
                    assert self.rows("PRAGMA integrity_check") == [("ok",)]
            else:
                assert not self.acknowledged(), "what was acknowledged has no store"
        except AssertionError as wrong:
            raise AssertionError(f"{wrong}\n{self.told()[-2000:]}") from wrong

    def clean(self) -> None:
        """Forget what the store holds; for the next of many."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.ledger.write_text("")
        for path in self._said.iterdir():
            path.unlink()
