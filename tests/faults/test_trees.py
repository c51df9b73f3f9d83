"""Cancel reaches whatever a task has started, however it hid, also when the engine that started it was killed before."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.checker import check_no_process
from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

SHAPES = {
    "plain": "sleep 600",
    "child": "sleep 600 & wait",
    "deaf": "trap '' TERM INT HUP; while :; do sleep 1; done",
    "session": "setsid sleep 600 & setsid sleep 601 & wait",
    "daemon": "(setsid sh -c 'sleep 600 & exit 0' &) ; sleep 600",
    "deaf daemon": "(setsid sh -c 'trap \"\" TERM; while :; do sleep 1; done' &) ; sleep 600",
}

FLOW = """
version: 1
name: tree
tasks:
  t:
    run: %s
    grace: 1s
"""


@pytest.mark.parametrize("kill_first", [False, True], ids=["live engine", "killed engine"])
@pytest.mark.parametrize("shape", SHAPES)
def test_nothing_of_a_tree_survives_a_cancel(tmp_path: Path, shape: str, kill_first: bool) -> None:
    """G7, I7."""
    rig = Rig(tmp_path)
    flow = tmp_path / "tree.yaml"
    flow.write_text(FLOW % json.dumps(f"echo begun > {rig.ledger}; {SHAPES[shape]}"))
    process = rig.start("run", str(flow), "--json")
    rig.await_ledger(process)
    (run_id,) = rig.acknowledged()
    if kill_first:
        process.kill()
        process.wait(PATIENCE_S)
    code = rig.start("cancel", run_id, "-q").wait(PATIENCE_S)
    assert code == 0, rig.told()
    if not kill_first:
        process.wait(PATIENCE_S)
    rig.settle()
    check_no_process([run_id])
    assert rig.rows("SELECT state FROM runs") == [("cancelled",)]
