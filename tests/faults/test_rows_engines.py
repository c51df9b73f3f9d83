"""Engines that their own tasks kill, that die between an end and its report, that lose whoever starts their tasks, and that
have a thousand tasks to try again."""

from __future__ import annotations

import json
import signal
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from tests.checker import check_no_process
from tests.faults.looking import await_ends, gated, growth_at, rig_in
from tests.faults.rig import PATIENCE_S

pytestmark = pytest.mark.slow

MOST_ENGINES = 6
MOST_GROWTH_KIB = 64 * 1024

KILLER = """
version: 1
name: killer
tasks:
  killer:
    run: |
      echo start >> %(ledger)s
      kill -9 $(cut -d ' ' -f 4 /proc/$PPID/stat) $PPID $$
"""

FINE = """
version: 1
name: fine
tasks: {a: {run: 'echo fine'}}
"""

ENDS = """
version: 1
name: ends
secrets: {TOKEN: {from: "env:TOKEN"}}
env: %(gate)s
tasks:
  plain:
    run: 'echo start >> %(ledger)s; echo here > $SAID; read line < $GO; echo who=me >> "$FLOW_OUTPUT"; exit 3'
    success_codes: [3]
    outputs: {who: {type: string}}
  masked:
    env: {T: "${{ secrets.TOKEN }}"}
    run: 'echo start >> %(ledger)s; echo here > $SAID; read line < $GO; echo who=$T | cut -c 1-8 >> "$FLOW_OUTPUT"; exit 3'
    success_codes: [3]
    outputs: {who: {type: string}}
"""

STARTERS = """
version: 1
name: starters
tasks:
  beside: {run: 'sleep 0.2', retry: {attempts: 2, delay: 1ms}}
  spawner:
    run: |
      echo start >> %(ledger)s
      [ "$FLOW_ATTEMPT" != 1 ] || { kill -9 $PPID; sleep 600; }
  worker: {call: "forks:die_once", with: {ledger: %(ledger)s}, retry: {attempts: 2, delay: 1ms}}
"""

FORKS = """
import multiprocessing, os
from pathlib import Path

def die_once(ledger):
    if os.environ["FLOW_ATTEMPT"] == "1":
        Path(ledger).open("a").write("called\\n")
        os.kill(os.getpid(), 9)

def look(end):
    names = [os.path.realpath(f"/proc/self/fd/{name}") for name in os.listdir("/proc/self/fd")]
    end.send([name for name in names if "flowctl.db" in name])

def fork():
    held = []
    for _ in range(8):
        here, there = multiprocessing.Pipe()
        child = multiprocessing.get_context("fork").Process(target=look, args=(there,))
        child.start()
        held += here.recv()
        child.join()
    if os.fork() == 0:
        os._exit(0)
    os.wait()
    return {"held": len(held)}
"""

FORKING = """
version: 1
name: forking
tasks:
  forking:
    fan_out: {items: [1, 2, 3, 4]}
    call: "forks:fork"
    outputs: {held: {type: int}}
  beside: {fan_out: {items: %s}, exec: ["true"]}
outputs: {held: "${{ tasks.forking.outputs }}"}
"""

STORM = """
version: 1
name: storm
env: %s
tasks:
  before: {run: 'echo here > $SAID; read line < $GO'}
  storm:
    after: [before]
    fan_out: {items: %s}
    exec: ["false"]
    retry: {attempts: 2, delay: 4s}
  last: {after_end: [storm], run: 'echo here > $SAID; read line < $GO'}
"""


def test_a_task_that_kills_its_engine_again_and_again_is_interrupted_and_harms_no_other(tmp_path: Path) -> None:
    """G3. It kills whoever starts it and itself, too, so that nobody can know how it ended."""
    with rig_in(tmp_path) as rig:
        flow = rig.flow(KILLER)
        codes = [rig.start("run", str(flow), "--json").wait(PATIENCE_S)]
        while codes[-1] == -signal.SIGKILL:
            assert len(codes) < MOST_ENGINES, "nobody gives the run up"
            codes.append(rig.start("resume", "-q").wait(PATIENCE_S))
        assert codes == [-signal.SIGKILL] * 4 + [1], rig.told()
        assert rig.ledger.read_text().split() == ["start"] * 4
        ((error,),) = rig.rows("SELECT error FROM tasks WHERE task = 'killer'")
        assert json.loads(error)["kind"] == "interrupted"
        assert rig.start("run", str(rig.flow(FINE, name="fine.yaml")), "-q").wait(PATIENCE_S) == 0, rig.told()
        rig.ledger.write_text("")
        rig.judge()


def test_an_end_between_the_exit_of_a_task_and_its_report_is_known_to_the_next_engine(tmp_path: Path) -> None:
    """The engine is stopped while its tasks end, and killed before it has read of it."""
    with rig_in(tmp_path, TOKEN="meandwho-battery") as rig, gated(tmp_path) as gate:
        flow = tmp_path / "ends.yaml"
        flow.write_text(ENDS % {"gate": gate.environ, "ledger": rig.ledger})
        engine = rig.start("run", str(flow), "--json")
        gate.heard(engine, 2)
        engine.send_signal(signal.SIGSTOP)
        gate.let_go(2)
        await_ends(rig, 2)
        engine.kill()
        engine.wait(PATIENCE_S)
        assert rig.settle() == 0, rig.told()
        assert rig.ledger.read_text().split() == ["start", "start"]
        assert rig.rows("SELECT exit_code FROM attempts") == [(3,), (3,)]
        rig.ledger.write_text("")
        rig.judge()


def test_whoever_starts_tasks_may_be_killed_before_it_has_reported(tmp_path: Path) -> None:
    """The spawner is killed by its first task, a worker by its first call: both attempts are made again by others."""
    (tmp_path / "forks.py").write_text(FORKS)
    (tmp_path / "flowctl.yaml").touch()
    with rig_in(tmp_path) as rig:
        flow = tmp_path / "starters.yaml"
        flow.write_text(STARTERS % {"ledger": rig.ledger})
        engine = rig.start("run", str(flow), "--json")
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        assert sorted(rig.ledger.read_text().split()) == ["called", "start", "start"]
        check_no_process(rig.acknowledged())
        rig.ledger.write_text("")
        rig.judge()


def test_forks_of_a_callable_have_nothing_of_the_store(tmp_path: Path) -> None:
    (tmp_path / "forks.py").write_text(FORKS)
    (tmp_path / "flowctl.yaml").touch()
    with rig_in(tmp_path) as rig:
        flow = tmp_path / "forking.yaml"
        flow.write_text(FORKING % list(range(50)))
        assert rig.start("run", str(flow), "--json").wait(PATIENCE_S) == 0, rig.told()
        assert rig.rows("SELECT outputs FROM runs") == [('{"held":[{"held":0},{"held":0},{"held":0},{"held":0}]}',)]
        rig.judge()


def test_a_thousand_tasks_that_fail_are_tried_again_at_different_times(tmp_path: Path) -> None:
    """The delay of 4 s is drawn from 0 to 4 s for each: no two seconds are fuller than the others, and nobody grows."""
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "storm.yaml"
        flow.write_text(STORM % (gate.environ, list(range(1000))))
        engine = rig.start("run", str(flow), "--json")
        growth = growth_at(gate, engine)
        assert engine.wait(PATIENCE_S) == 1, rig.told()
        assert max(growth) < MOST_GROWTH_KIB
        rows = rig.rows("SELECT at, data FROM events WHERE type = 'task_retrying'")
        delays = [datetime.fromisoformat(json.loads(data)["due"]).timestamp() - at / 1_000_000 for at, data in rows]
        assert len(delays) == 1000
        assert 0 <= min(delays) <= max(delays) <= timedelta(seconds=4).total_seconds()
        quarters = [sum(quarter <= delay < quarter + 1 for delay in delays) for quarter in range(4)]
        assert min(quarters) > 150, quarters
        assert rig.rows("SELECT count(*) FROM attempts") == [(2002,)]
        rig.judge()
