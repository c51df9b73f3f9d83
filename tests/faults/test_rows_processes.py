"""Signals to engines, and what tasks leave behind: processes, zombies, descriptors, pids that are used again."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.checker import check_no_process
from tests.faults.looking import descriptors_of, gated, rig_in, spawner_of, threads_of, zombies_of
from tests.faults.rig import PATIENCE_S, Rig

pytestmark = pytest.mark.slow

SHORT = """
version: 1
name: short
env: %s
tasks:
  before: {run: 'echo here > $SAID; read line < $GO'}
  many:
    after: [before]
    fan_out: {items: %s, max_parallel: 8}
    exec: ["true"]
  last: {after: [many], run: 'echo here > $SAID; read line < $GO'}
"""

DRAIN = """
version: 1
name: drain
concurrency: {tasks: 50}
env: %s
tasks:
  many:
    fan_out: {items: %s, max_parallel: 50}
    env: {NUMBER: "${{ item }}"}
    grace: 1s
    run: |
      is_deaf() { case $NUMBER in *5) ;; *) false ;; esac; }
      if is_deaf; then trap '' TERM; fi
      echo here > $SAID
      sleep 600 & wait
      while is_deaf; do sleep 1; done
"""

DEAF = """
version: 1
name: deaf
env: %s
tasks:
  deaf:
    grace: 10m
    run: |
      trap 'echo told > $SAID' TERM
      echo here > $SAID
      while :; do sleep 0.1; done
"""

HELD = """
version: 1
name: held
env: %(gate)s
tasks:
  held: {run: 'echo start >> %(ledger)s; echo here > $SAID; read line < $GO; echo end >> %(ledger)s'}
  after: {after: [held], run: 'echo after >> %(ledger)s'}
"""

LEFT = """
version: 1
name: left
secrets: {TOKEN: {from: "env:TOKEN"}}
defaults: {grace: 1s}
tasks:
  plain: {run: '(setsid sleep 600 &); echo done'}
  deaf: {run: '(setsid sh -c "trap \\"\\" TERM; while :; do sleep 1; done" &); echo done'}
  masked: {env: {T: "${{ secrets.TOKEN }}"}, run: '(setsid sleep 600 &); echo done $T'}
  kept:
    run: '(setsid sleep 600 &); echo done'
    outputs: {said: {type: string, from: stdout}}
outputs: {said: "${{ tasks.kept.output.said }}"}
"""


def run_of(rig: Rig) -> str:
    """The only run there is."""
    (run_id,) = rig.acknowledged()
    return run_id


def test_a_thousand_short_tasks_leave_no_zombie_and_no_descriptor(tmp_path: Path) -> None:
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "short.yaml"
        flow.write_text(SHORT % (gate.environ, list(range(1000))))
        engine = rig.start("run", str(flow), "--json")
        gate.heard(engine)
        ours = engine.pid, spawner_of(engine)
        before = [(descriptors_of(pid), threads_of(pid)) for pid in ours]
        gate.let_go()
        gate.heard(engine)
        after = [(descriptors_of(pid), threads_of(pid)) for pid in ours]
        left = [zombies_of(pid) for pid in ours]
        gate.let_go()
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        for earlier, later in zip(before, after, strict=True):
            assert abs(later[0] - earlier[0]) <= 10
            assert later[1] == earlier[1]
        assert left == [[], []]
        rig.judge()


def test_a_drain_by_sigterm_ends_fifty_running_tasks_and_loses_no_state(tmp_path: Path) -> None:
    """G7. Each tenth of them does not heed SIGTERM."""
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "drain.yaml"
        flow.write_text(DRAIN % (gate.environ, list(range(50))))
        engine = rig.start("run", str(flow), "--json")
        gate.heard(engine, 50)
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(PATIENCE_S) == 143, rig.told()
        check_no_process([run_of(rig)])
        assert rig.rows("SELECT state FROM runs") == [("cancelled",)]
        assert rig.rows("SELECT state, count(*) FROM attempts GROUP BY state") == [("stopped", 50)]
        rig.judge()


def test_a_second_sigterm_hurries_and_loses_no_state(tmp_path: Path) -> None:
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "deaf.yaml"
        flow.write_text(DEAF % gate.environ)
        engine = rig.start("run", str(flow), "--json")
        assert gate.heard(engine) == ["here"]
        engine.send_signal(signal.SIGTERM)
        assert gate.heard(engine)[0] == "told"
        engine.send_signal(signal.SIGTERM)
        assert engine.wait(PATIENCE_S) == 143, rig.told()
        check_no_process([run_of(rig)])
        assert rig.rows("SELECT state FROM runs") == [("cancelled",)]
        rig.judge()


def test_a_terminal_that_goes_away_interrupts_a_run_and_its_tasks_run_on(tmp_path: Path) -> None:
    """SIGHUP is to an engine what SIGKILL is: the run is taken up again, and nothing is done twice."""
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "held.yaml"
        flow.write_text(HELD % {"gate": gate.environ, "ledger": rig.ledger})
        engine = rig.start("run", str(flow), "--json")
        gate.heard(engine)
        engine.send_signal(signal.SIGHUP)
        assert engine.wait(PATIENCE_S) == -signal.SIGHUP
        gate.let_go()
        assert rig.settle() == 0, rig.told()
        assert rig.ledger.read_text().split() == ["start", "end", "after"]
        rig.ledger.write_text("")
        rig.judge()


def test_a_run_that_is_told_not_to_hang_up_goes_on_without_its_terminal(tmp_path: Path) -> None:
    with rig_in(tmp_path) as rig, gated(tmp_path) as gate:
        flow = tmp_path / "held.yaml"
        flow.write_text(HELD % {"gate": gate.environ, "ledger": rig.ledger})
        engine = rig.start("run", str(flow), "--json", before=["nohup"])
        gate.heard(engine)
        engine.send_signal(signal.SIGHUP)
        gate.let_go()
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        assert rig.ledger.read_text().split() == ["start", "end", "after"]


def test_what_keeps_the_stdout_of_a_task_open_does_not_keep_the_task(tmp_path: Path) -> None:
    """A task ends with its process; what it left running is ended and told, whichever way its output takes."""
    with rig_in(tmp_path, TOKEN="correct-horse-battery") as rig:
        flow = tmp_path / "left.yaml"
        flow.write_text(LEFT)
        engine = rig.start("run", str(flow), "--json")
        assert engine.wait(PATIENCE_S) == 0, rig.told()
        check_no_process([run_of(rig)])
        assert rig.rows("SELECT outputs FROM runs") == [('{"said":"done"}',)]
        told = [json.loads(data) for (data,) in rig.rows("SELECT data FROM events WHERE type = 'attempt_finished'")]
        assert len(told) == 4
        assert all(one["notes"][0].startswith("left a process running, which was ended: ") for one in told)


USED_AGAIN = """
import os, signal, subprocess, sys, time
from pathlib import Path

flowctl, flow, ledger = sys.argv[1:]
engine = subprocess.Popen([flowctl, "run", flow, "-q"])
while not (words := Path(ledger).read_text().split()):
    time.sleep(0.01)
task, spawner = map(int, words)
started = int(Path(f"/proc/{task}/stat").read_text().rpartition(")")[2].split()[19])
for pid in (engine.pid, spawner, task):
    os.kill(pid, signal.SIGKILL)
engine.wait()
gone = set()
while not {spawner, task} <= gone:  # they are children of the first process now
    gone.add(os.waitpid(-1, 0)[0])
ticks = os.sysconf("SC_CLK_TCK")
while time.clock_gettime(time.CLOCK_BOOTTIME) * ticks < started + 2:  # start times count ticks: no pid comes round within one
    time.sleep(0.01)
Path("/proc/sys/kernel/ns_last_pid").write_text(str(task - 1))
stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
assert stranger.pid == task, (stranger.pid, task)
code = subprocess.run([flowctl, "resume", "-q"]).returncode
assert stranger.poll() is None, "a stranger was killed"
stranger.kill()
stranger.wait()
sys.exit(code)
"""

ONCE_LOST = """
version: 1
name: once_lost
tasks:
  a: {run: '[ $FLOW_ATTEMPT = 2 ] || { echo $$ $PPID > %s; exec sleep 600; }'}
"""


def test_a_stranger_that_has_the_pid_of_a_dead_task_is_left_alone(tmp_path: Path) -> None:
    """In a count of processes of its own, the pid of a killed task is given to somebody else before the run is resumed."""
    probe = ["unshare", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*probe, "test", "-w", "/proc/sys/kernel/ns_last_pid"], check=False).returncode != 0:
        pytest.skip("this machine does not allow a count of processes of one's own")
    with rig_in(tmp_path) as rig:
        flow = tmp_path / "once_lost.yaml"
        flow.write_text(ONCE_LOST % rig.ledger)
        flowctl = str(Path(sys.executable).with_name("flowctl"))
        command = [*probe, "--kill-child", sys.executable, "-c", USED_AGAIN, flowctl, str(flow), str(rig.ledger)]
        done = subprocess.run(
            command, env=rig.environ, cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE_S, check=False
        )
        assert done.returncode == 0, done.stderr
        assert rig.rows("SELECT count(*) FROM attempts") == [(2,)]
        assert rig.rows("SELECT state FROM runs") == [("succeeded",)]
