"""The disk that the files of runs are on is full: tasks that write there fail for it, logs say that they were cut, and when
there is room again nothing is left to repair."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.faults.looking import rig_in
from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

TASKS = {
    "plain": "{run: 'head -c 4000000 /dev/zero'}",
    "masked": '{env: {T: "${{ secrets.TOKEN }}"}, run: "head -c 4000000 /dev/zero; exit 3", success_codes: [3]}',
    "output": """{run: 'printf "%0900000d" 7 | sed "s/^/big=/" >> "$FLOW_OUTPUT"', outputs: {big: {type: string}}}""",
}

EXPECTED = {
    "plain": (1, "failed", 1, None),
    "masked": (0, "succeeded", 3, ["the log is not complete: no space left on device"]),
    "output": (1, "failed", 4, None),
}
"""What is printed to a log that somebody else writes is not the business of the task: its exit code stays true."""

FULL = """
version: 1
name: full
secrets: {TOKEN: {from: "env:TOKEN"}}
tasks:
  t: %s
"""


@contextmanager
def small_disk(at: Path, *, kilobytes: int) -> Iterator[None]:
    """A file system in memory; skips where the machine lets us mount none."""
    at.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(at)]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    if tried.returncode != 0:
        pytest.skip(f"this machine does not allow mounting: {tried.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(at)], check=True)


def last_end(rig: Rig) -> dict[str, object]:
    """How the attempt ended that was made last."""
    rows = rig.rows("SELECT data FROM events WHERE type = 'attempt_finished' ORDER BY run_id, seq")
    found: dict[str, object] = json.loads(rows[-1][0])
    return found


@pytest.mark.parametrize("kilobytes", [300, 600, 800])
@pytest.mark.parametrize("what", TASKS)
def test_a_full_disk_under_logs_and_outputs_is_loud_and_heals(tmp_path: Path, what: str, kilobytes: int) -> None:
    runs = tmp_path / "home" / "data" / "flowctl.runs"
    with rig_in(tmp_path, TOKEN="correct-horse-battery") as rig, small_disk(runs, kilobytes=kilobytes):
        flow = tmp_path / "full.yaml"
        flow.write_text(FULL % TASKS[what])
        code = rig.start("run", str(flow), "--json").wait(PATIENCE_S)
        end = last_end(rig)
        assert (code, end["ending"], end["exit_code"], end.get("notes")) == EXPECTED[what], rig.told()
        subprocess.run(["mount", "-o", "remount,size=16m", str(runs)], check=True)
        assert rig.start("run", str(flow), "--json").wait(PATIENCE_S) == 0, rig.told()
        assert "notes" not in last_end(rig)
        rig.judge()
