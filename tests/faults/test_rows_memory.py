"""Memory runs out: the task goes and not its engine, which says what happened and goes on by the policy of the task."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.faults.looking import gated, growth_at, rig_in
from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

LIMIT_BYTES = 256 << 20

SCORES = """
version: 1
name: scores
tasks:
  script:
    run: |
      engine=$(cut -d ' ' -f 4 /proc/$PPID/stat)
      for of in self $PPID $engine; do cat /proc/$of/oom_score_adj; done | tr '\\n' ' ' | sed 's/^/all=/' >> "$FLOW_OUTPUT"
    outputs: {all: {type: string}}
  child:
    run: (cat /proc/self/oom_score_adj | sed 's/^/all=/' >> "$FLOW_OUTPUT")
    outputs: {all: {type: string}}
  called: {call: "score:own", outputs: {all: {type: string}}}
outputs:
  script: "${{ tasks.script.output.all }}"
  child: "${{ tasks.child.output.all }}"
  called: "${{ tasks.called.output.all }}"
"""

HOG = """
version: 1
name: hog
tasks:
  alone:
    exec: [python3, -c, "import os; len(b'x' * (1 << 30) if os.environ['FLOW_ATTEMPT'] == '1' else b'')"]
    retry: {attempts: 2, delay: 1ms}
  below_a_shell:
    after: [alone]
    run: |
      [ "$FLOW_ATTEMPT" = 2 ] || python3 -c "len(b'x' * (1 << 30))"
    retry: {attempts: 2, delay: 1ms}
  after: {after: [below_a_shell], run: "true"}
"""

MOST_GROWTH_KIB = 256 * 1024

WIDE = """
version: 1
name: wide
env: %s
limits: {fan_out_items: 10000}
tasks:
  before: {run: 'echo here > $SAID; read line < $GO'}
  wide:
    after: [before]
    fan_out: {items: %s, max_items: 10000}
    set: {double: "${{ item * 2 }}"}
  last: {after: [wide], run: 'echo here > $SAID; read line < $GO'}
"""


@contextmanager
def little_memory(name: str) -> Iterator[Path]:
    """The file to join a group with little memory by; skips where the machine lets us make none."""
    for root, limit in (("memory", "memory.limit_in_bytes"), ("", "memory.max")):
        group = Path("/sys/fs/cgroup", root, name)
        try:
            group.mkdir()
            (group / limit).write_text(str(LIMIT_BYTES))
        except OSError:
            with suppress(OSError):
                group.rmdir()
            continue
        try:
            yield group / "cgroup.procs"
        finally:
            group.rmdir()
        return
    pytest.skip("this machine does not allow groups with a limit of memory")


def failures(rig: Rig, task: str) -> list[dict[str, str]]:
    """How the attempts of a task failed."""
    rows = rig.rows("SELECT data FROM events WHERE type = 'attempt_finished' AND task = ? ORDER BY seq", task)
    return [found["failure"] for (data,) in rows if "failure" in (found := json.loads(data))]


def test_tasks_go_before_their_engine_when_memory_runs_out(tmp_path: Path) -> None:
    (tmp_path / "score.py").write_text(
        "from pathlib import Path\ndef own(): return {'all': Path('/proc/self/oom_score_adj').read_text().strip()}\n"
    )
    (tmp_path / "flowctl.yaml").touch()
    with rig_in(tmp_path) as rig:
        own = int(Path("/proc/self/oom_score_adj").read_text())
        process = rig.start("run", str(rig.flow(SCORES)), "--json")
        assert process.wait(PATIENCE_S) == 0, rig.told()
        ((outputs,),) = rig.rows("SELECT outputs FROM runs")
        task = str(min(own + 500, 1000))
        assert json.loads(outputs) == {"script": f"{task} {own} {own} ", "child": task, "called": task}


def test_a_task_that_is_killed_for_want_of_memory_says_so_and_is_tried_again(tmp_path: Path) -> None:
    """Engine, spawner and tasks share a group that has little memory: the system itself chooses whom to kill."""
    with little_memory(f"flowctl-test-{os.getpid()}") as join, rig_in(tmp_path) as rig:
        before = ["sh", "-c", f'echo $$ > {join}; exec "$@"', "sh"]
        process = rig.start("run", str(rig.flow(HOG)), "--json", before=before)
        assert process.wait(PATIENCE_S) == 0, rig.told()
        (alone,), (below,) = failures(rig, "alone"), failures(rig, "below_a_shell")
        assert (alone["kind"], alone["signal"]) == ("signal", "KILL")
        assert alone["message"].startswith("killed by SIGKILL (possibly out of memory)")
        assert below["message"].startswith("exited with 137 (as after SIGKILL: possibly out of memory)")
        rig.judge()


def test_a_fan_out_of_ten_thousand_items_has_its_bounds(tmp_path: Path) -> None:
    """G10."""
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "wide.yaml"
        flow.write_text(WIDE % (gate.environ, list(range(10_000))))
        engine = rig.start("run", str(flow), "--json")
        of_engine, of_spawner = growth_at(gate, engine)
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        assert of_engine < MOST_GROWTH_KIB
        assert of_spawner < 1024
