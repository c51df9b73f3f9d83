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
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, NamedTuple

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

NEEDS = {"a": (), "b": ("a",), "c": ("a",), "d": ("b",), "e": ("c",), "f": ("d", "e")}

STEP = (
    "note() { printf '%s %s %s %s %s %s\\n' $FLOW_RUN_ID $FLOW_TASK ${FLOW_ITEM_INDEX:--} $FLOW_ROUND $FLOW_ATTEMPT"
    ' "$1 $$" >> "$LEDGER"; }; note start; echo "who=$FLOW_TASK" >> "$FLOW_OUTPUT"; sleep 0.05; note end'
)


class Noted(NamedTuple):
    """A line of the ledger."""

    run: str
    task: str
    item: str
    round: int
    attempt: int
    what: str
    pid: int


class Rig:
    """One store, its ledger, and the engines started on it."""

    def __init__(self, folder: Path, *, environ: Mapping[str, str] | None = None) -> None:
        self.folder = folder
        self.home = folder / "home"
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
            self._await_word(process)
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

    def _await_word(self, process: subprocess.Popen[bytes]) -> None:
        """Until the latest engine has said something, or ended."""
        until = time.monotonic() + PATIENCE_S
        out = self._said / f"{self._started}.out"
        while time.monotonic() < until and not out.stat().st_size:
            try:
                process.wait(0.002)
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
        """The ledger."""
        rows = []
        for line in self.ledger.read_text().splitlines():
            run, task, item, round_, attempt, what, pid = line.split()
            rows.append(Noted(run, task, item, int(round_), int(attempt), what, int(pid)))
        return rows

    def rows(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        """What the store has, read by somebody else; nothing if no engine came so far as to make one."""
        store = self.home / "data" / "flowctl.db"
        if not store.exists():
            return []
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return connection.execute(sql, values).fetchall()

    def survivors(self) -> list[int]:
        """Processes of attempts that still run."""
        marker = f"LEDGER={self.ledger}".encode()
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    environ = (entry / "environ").read_bytes()
                except OSError:
                    continue
                if marker in environ.split(b"\0"):
                    found.append(int(entry.name))
        return found

    def judge(self, *, needs: Mapping[str, Sequence[str]] | None = None) -> None:
        """Hold everything against the guarantees (RELIABILITY 2). Raises `AssertionError` with all that is wrong."""
        wrong = list(self._faults(needs or {}))
        assert not wrong, "\n".join(wrong[:20]) + "\n" + self.told()[-2000:]

    def _faults(self, needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
        states = dict(self.rows("SELECT id, state FROM runs"))
        for run in sorted(self.acknowledged() - set(states)):
            yield f"I1: run {run} was acknowledged and is not there"
        for run, state in states.items():
            if state not in ("succeeded", "failed", "cancelled"):
                yield f"I2: run {run} is {state}"
        yield from self._repeats()
        yield from self._numbers()
        yield from self._order(needs)
        for pid in self.survivors():
            yield f"I7: process {pid} is left"
        if (found := self.rows("PRAGMA integrity_check")) not in ([], [("ok",)]):
            yield f"I10: {found}"

    def _repeats(self) -> Iterator[str]:
        """I3: a success is recorded once, and nothing of that task and round starts after it."""
        succeeded = {
            (run, task, "-" if item is None or item < 0 else str(item), round_, attempt)
            for run, task, item, round_, attempt in self.rows(
                "SELECT run_id, task, item, round, attempt FROM attempts WHERE state = 'succeeded'"
            )
        }
        best: dict[tuple[str, str, str, int], int] = {}
        for run, task, item, round_, attempt in succeeded:
            unit = (run, task, item, round_)
            if unit in best:
                yield f"I3: two attempts of {unit} succeeded"
            best[unit] = attempt
        for row in self.noted():
            unit = (row.run, row.task, row.item, row.round)
            if row.what == "start" and row.attempt > best.get(unit, row.attempt):
                yield f"I3: {row} began after attempt {best[unit]} had succeeded"

    def _numbers(self) -> Iterator[str]:
        """I4, I5: attempts and events are numbered without a gap, and no attempt is made twice."""
        for run, task, item, round_, most, count in self.rows(
            "SELECT run_id, task, item, round, max(attempt), count(*) FROM attempts GROUP BY 1, 2, 3, 4"
        ):
            if most != count:
                yield f"I4: attempts of {run} {task} {item} round {round_}: {count}, the last is {most}"
        for run, most, count in self.rows("SELECT run_id, max(seq), count(*) FROM events GROUP BY 1"):
            if most != count:
                yield f"I5: run {run} has {count} events, the last is {most}"
        starts = [row[:5] for row in self.noted() if row.what == "start"]
        for twice in {start for start in starts if starts.count(start) > 1}:
            yield f"I4: {twice} was started twice"

    def _order(self, needs: Mapping[str, Sequence[str]]) -> Iterator[str]:
        """I6: nothing starts before what it needs has ended."""
        ended: set[tuple[str, str]] = set()
        for row in self.noted():
            if row.what == "end":
                ended.add((row.run, row.task))
            else:
                for need in needs.get(row.task, ()):
                    if (row.run, need) not in ended:
                        yield f"I6: {row} before {need}"

    def clean(self) -> None:
        """Forget what the store holds; for the next of many."""
        shutil.rmtree(self.home, ignore_errors=True)
        self.ledger.write_text("")
        for path in self._said.iterdir():
            path.unlink()
