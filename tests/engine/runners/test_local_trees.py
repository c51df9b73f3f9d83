"""Stopping reaches the whole tree, however it hides; what a task leaves behind is ended with it."""

from __future__ import annotations

import subprocess
import sys

import pytest

from engine.attempts import Launch, ScriptWork
from engine.outcomes import Ending
from engine.runners.trees import Process, read_process, send_signal
from tests.engine.runners.bench import Bench, is_alive, log_of, zombies

DAEMON = """
import os, signal, sys, time
{before}
read, write = os.pipe()
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        print(os.getpid(), flush=True)
        os.write(write, b"1")
        {inside}
        time.sleep(300)
    os._exit(0)
os.wait()
os.read(read, 1)
{after}
"""

SHAPES = {
    "a child": ("sh", "sleep 300 & echo $!; echo $$; wait"),
    "a pipeline": ("sh", "sleep 300 | sleep 301 & echo $!; echo $$; wait"),
    "a session of its own": ("sh", "setsid sh -c 'echo $$; sleep 300' & sleep 300 & echo $!; wait"),
    "a double fork": (
        "python",
        DAEMON.format(before="", inside="", after="print(os.getpid(), flush=True); time.sleep(300)"),
    ),
    "a deaf double fork": (
        "python",
        DAEMON.format(
            before="signal.signal(signal.SIGTERM, signal.SIG_IGN)",
            inside="os.chdir('/'); os.closerange(0, 100)",
            after="print(os.getpid(), flush=True); time.sleep(300)",
        ),
    ),
    "a tree three deep": (
        "sh",
        "sh -c 'sh -c \"echo \\$\\$; trap : TERM; while :; do sleep 300; done\" & echo $$; trap : TERM; wait; wait' & wait",
    ),
    "a stopped process": ("sh", "sh -c 'echo $$; kill -STOP $$; sleep 300' & echo $$; wait"),
    "a clean environment in the session": ("sh", "env -i sleep 300 & echo $!; echo $$; wait"),
    "a clean environment in another session": ("sh", "env -i setsid sh -c 'echo $$; exec sleep 300' & echo $$; wait"),
}


def _pids(bench: Bench, launch: Launch, count: int = 2) -> list[int]:
    bench.turn_until(lambda: len(log_of(launch).split()) >= count)
    return [int(pid) for pid in log_of(launch).split()]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_stop_reaches(bench: Bench, shape: str) -> None:
    shell, script = SHAPES[shape]
    launch = bench.start(ScriptWork(script, shell))
    pids = _pids(bench, launch)
    assert all(map(is_alive, pids))
    bench.stop(launch, grace_s=0.2)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.STOPPED
    assert not any(map(is_alive, pids))
    assert zombies() == []


def test_a_stop_lets_the_task_clean_up(bench: Bench) -> None:
    launch = bench.start(ScriptWork("trap 'echo cleaned; exit 0' TERM; echo 1; while :; do sleep 0.01 || :; done"))
    _pids(bench, launch, 1)
    bench.stop(launch, grace_s=20)
    assert bench.end_of(launch).ending is Ending.STOPPED
    assert log_of(launch).endswith("cleaned\n")


def test_a_second_stop_hurries(bench: Bench) -> None:
    launch = bench.start(ScriptWork("trap '' TERM; echo 1; while :; do sleep 0.01; done"))
    _pids(bench, launch, 1)
    bench.stop(launch, grace_s=3600)
    bench.reactor.wait(0.01)
    bench.stop(launch, grace_s=0)
    assert bench.end_of(launch).ending is Ending.STOPPED


def test_a_longer_grace_does_not_slow_a_stop(bench: Bench) -> None:
    launch = bench.start(ScriptWork("trap '' TERM; echo 1; while :; do sleep 0.01; done"))
    _pids(bench, launch, 1)
    bench.stop(launch, grace_s=0.05)
    bench.stop(launch, grace_s=3600)
    assert bench.end_of(launch).ending is Ending.STOPPED


def test_what_was_started_a_moment_after_another_stop_is_stopped_as_well(bench: Bench) -> None:
    for _ in range(10):  # trees share a look at all processes; those that have begun since must not be missed
        launch = bench.start(ScriptWork("echo $$; exec sleep 300"))
        (pid,) = _pids(bench, launch, 1)
        bench.stop(launch, grace_s=0)
        assert bench.end_of(launch).ending is Ending.STOPPED
        assert not is_alive(pid)


def test_many_stops_at_once_leave_nothing(bench: Bench) -> None:
    launches = [bench.start(ScriptWork("setsid sleep 300 & echo $!; echo $$; wait")) for _ in range(20)]
    pids = [pid for launch in launches for pid in _pids(bench, launch)]
    for launch in launches:
        bench.stop(launch, grace_s=1)
    assert {bench.end_of(launch).ending for launch in launches} == {Ending.STOPPED}
    assert not any(map(is_alive, pids))
    assert zombies() == []


@pytest.mark.parametrize("secrets", [(), ("hush-hush",)])
def test_a_daemon_left_behind_is_ended_and_told(bench: Bench, secrets: tuple[str, ...]) -> None:
    script = DAEMON.format(before="", inside="", after="")
    launch = bench.start(ScriptWork(script, "python"), secrets=secrets)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.SUCCEEDED
    assert outcome.notes == ("left a process running, which was ended: `python3`",)
    assert not is_alive(int(log_of(launch)))
    assert zombies() == []


def test_a_background_child_left_behind_is_ended(bench: Bench) -> None:
    launch = bench.start(ScriptWork("sleep 300 & echo $!; exit 3"))
    outcome = bench.end_of(launch)
    assert outcome.failure is not None
    assert outcome.failure.exit_code == 3
    assert outcome.notes[0].startswith("left a process running, which was ended: ")
    assert not is_alive(int(log_of(launch)))


def test_leftovers_of_one_attempt_do_not_touch_another(bench: Bench) -> None:
    other = bench.start(ScriptWork("setsid sleep 300 & echo $!; echo $$; wait"))
    pids = _pids(bench, other)
    bench.script("setsid sleep 300 & exit 0")
    bench.script("sleep 300 & exit 0")
    assert all(map(is_alive, pids))
    bench.stop(other)
    assert bench.end_of(other).ending is Ending.STOPPED


def test_a_process_that_ended_by_itself_before_the_stop_keeps_its_outcome(bench: Bench) -> None:
    launch = bench.start(ScriptWork("exit 5"))
    bench.await_journal(launch, "ended")
    bench.stop(launch)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.FAILED
    assert outcome.exit_code == 5


def test_a_dead_orphan_that_only_we_could_reap_is_reaped(bench: Bench) -> None:
    bench.start(ScriptWork("sleep 300"))
    bench.script("(setsid true &) ; sleep 0.2")
    bench.close()
    assert zombies() == []


def test_a_stranger_with_a_used_pid_is_not_signalled() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as stranger:
        process = read_process(stranger.pid)
        assert process is not None
        earlier = Process(process.pid, process.parent, process.session, process.state, process.started - 1)
        assert not send_signal(earlier, 9)
        assert stranger.poll() is None
        stranger.communicate(b"\n")
    assert stranger.returncode == 0
