"""Attempts of an engine that was killed: told, adopted or lost, with real engines and real kills."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from engine.attempts import CallWork, CommandWork, Launch, ScriptWork
from engine.outcomes import Ending, Outcome
from engine.runners.journals import journal_path
from engine.runners.masked_stream import MASK
from engine.runners.trees import read_process
from tests.engine.runners.bench import PATIENCE_S, Bench, declared, is_alive, journal_lines, leaked, log_of, zombies
from tests.engine.runners.doomed import ROOT, Doomed, command, doomed

SECRET = "hunter2-hunter2"
UNTIL_GO = 'echo "$$"; while [ ! -e go ]; do sleep 0.01; done; '


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    spawners = spawners_in(made)
    made.close()
    await_end(*spawners, *spawners_in(made))
    assert zombies() == []
    assert leaked() == []


def spawners_in(bench: Bench) -> set[int]:
    return {int(line["spawner"]) for line in journal_lines(bench.journals) if "spawner" in line}


def await_end(*pids: int) -> None:
    """Wait until processes, which may have become children of ours, have ended, and reap them."""
    until = time.monotonic() + PATIENCE_S
    for pid in pids:
        while is_alive(pid):
            assert time.monotonic() < until, f"process {pid} runs on"
            time.sleep(0.005)
        try:
            os.waitpid(pid, 0)
        except ChildProcessError:
            continue


def spawner_of(bench: Bench, engine: Doomed) -> int:
    return next(int(line["spawner"]) for line in journal_lines(bench.journals) if line.get("engine") == engine.owner)


def recover(bench: Bench, engine: Doomed, *launches: Launch) -> None:
    bench.runner.recover(launches, origin=engine.owner)


def kill_all(bench: Bench, engine: Doomed) -> None:
    """Kill the spawner before the engine can see that, as when the machine kills both."""
    spawner = spawner_of(bench, engine)
    engine.process.send_signal(signal.SIGSTOP)
    os.kill(spawner, signal.SIGKILL)
    engine.kill()
    await_end(spawner)


def pid_in(bench: Bench, launch: Launch, count: int = 1) -> list[int]:
    bench.turn_until(lambda: len(log_of(launch).split()) >= count)
    return [int(word) for word in log_of(launch).split()[:count]]


def go(bench: Bench) -> None:
    (bench.run_dir / "go").touch()


def end_without_engine(bench: Bench, engine: Doomed, launch: Launch) -> None:
    """An attempt ends when its engine is dead, and so does the spawner that has seen it."""
    pid_in(bench, launch)
    engine.kill()
    go(bench)
    bench.await_journal(launch, "ended")
    await_end(spawner_of(bench, engine))


def nothing_is_left(bench: Bench) -> None:
    """Everything is settled when the runner is closed: no journal is there any more."""
    spawners = spawners_in(bench)
    bench.close()
    await_end(*spawners)
    assert list(bench.journals.iterdir()) == []


def failure_of(outcome: Outcome) -> str:
    assert outcome.failure is not None
    return outcome.failure.message


def test_a_task_runs_on_when_its_engine_is_killed_and_its_spawner_leaves_last(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO + "exit 3"))
    with doomed(bench, launch) as engine:
        (pid,) = pid_in(bench, launch)
        spawner = spawner_of(bench, engine)
        engine.kill()
        assert is_alive(pid)
        assert is_alive(spawner)
        go(bench)
        line = bench.await_journal(launch, "ended")
        assert (line["how"], line["value"]) == ("exit", 3)
        await_end(spawner)


@pytest.mark.parametrize("code", [0, 3])
def test_an_end_that_nobody_saw_is_told(bench: Bench, code: int) -> None:
    launch = bench.launch(
        ScriptWork(UNTIL_GO + f"echo rows=7 >> $FLOW_OUTPUT; echo last; touch $FLOW_TMP/x; exit {code}"),
        outputs=declared(rows="int"),
    )
    with doomed(bench, launch) as engine:
        end_without_engine(bench, engine, launch)
        recover(bench, engine, launch)
        outcome = bench.end_of(launch)
    assert outcome.exit_code == code
    if code:
        assert failure_of(outcome) == "exited with 3: last"
    else:
        assert outcome.output == {"rows": 7}
    assert list(bench.slots.iterdir()) == []
    nothing_is_left(bench)


def test_what_still_runs_is_adopted_and_ends_like_any_other(bench: Bench) -> None:
    launches = [
        bench.launch(ScriptWork(UNTIL_GO + "echo text=done >> $FLOW_OUTPUT"), outputs=declared(text="string")),
        bench.launch(ScriptWork(UNTIL_GO + "kill -TERM $$")),
        bench.launch(ScriptWork(UNTIL_GO + "setsid sleep 300 & exit 0")),
    ]
    with doomed(bench, *launches) as engine:
        for launch in launches:
            pid_in(bench, launch)
        engine.kill()
        recover(bench, engine, *launches)
        bench.reactor.wait(0)
        go(bench)
        outcomes = [bench.end_of(launch) for launch in launches]
    assert outcomes[0].output == {"text": "done"}
    assert failure_of(outcomes[1]).startswith("killed by SIGTERM")
    assert outcomes[2].notes[0].startswith("left a process running, which was ended: ")
    nothing_is_left(bench)


@pytest.mark.parametrize("heard", [False, True])
def test_what_was_adopted_can_be_stopped(bench: Bench, heard: bool) -> None:
    launch = bench.launch(ScriptWork("setsid sleep 300 & echo $!; echo $$; trap '' TERM; while :; do sleep 0.01; done"))
    other = bench.launch(CommandWork(("true",)))
    with doomed(bench, launch, other) as engine:
        pids = pid_in(bench, launch, 2)
        bench.await_journal(other, "ended")
        engine.kill()
        recover(bench, engine, launch, other)
        if heard:
            bench.end_of(other)  # whose end is told once the spawner has answered
        bench.stop(launch, grace_s=0.05)
        assert bench.end_of(launch).ending is Ending.STOPPED
    assert not any(map(is_alive, pids))


def test_with_the_spawner_killed_too_the_tree_is_ended_and_the_attempt_lost(bench: Bench) -> None:
    launch = bench.launch(ScriptWork("setsid sleep 300 & echo $!; env -i sleep 300 & echo $!; echo $$; wait"))
    with doomed(bench, launch) as engine:
        pids = pid_in(bench, launch, 3)
        bench.await_journal(launch, "started")
        kill_all(bench, engine)
        assert all(map(is_alive, pids))
        recover(bench, engine, launch)
        outcome = bench.end_of(launch)
    assert outcome.ending is Ending.LOST
    assert "nobody knows how it ended" in failure_of(outcome)
    assert not any(map(is_alive, pids))
    await_end(*pids)
    nothing_is_left(bench)


def test_a_spawner_that_dies_after_the_adoption_loses_the_attempt(bench: Bench) -> None:
    launch = bench.launch(ScriptWork("echo $$; sleep 300"))
    with doomed(bench, launch) as engine:
        (pid,) = pid_in(bench, launch)
        spawner = spawner_of(bench, engine)
        engine.kill()
        recover(bench, engine, launch)
        os.kill(spawner, signal.SIGKILL)
        assert bench.end_of(launch).ending is Ending.LOST
    await_end(spawner, pid)


def test_an_attempt_that_was_never_started_is_lost(bench: Bench) -> None:
    launch, other = bench.launch(CommandWork(("true",))), bench.launch(CommandWork(("true",)))
    with doomed(bench, other) as engine:
        assert engine.line() == f"{other.key.task} succeeded"
        engine.kill()
        recover(bench, engine, launch, other)
        assert "before it was started" in failure_of(bench.end_of(launch))
        assert bench.end_of(other).ending is Ending.SUCCEEDED


def test_an_engine_nobody_knows_has_lost_everything(bench: Bench) -> None:
    for origin in ("", "host", "host/boot/1/2", "../../etc/passwd", "a/b/c/d/e/f", "\0"):
        launch = bench.launch(CommandWork(("true",)))
        bench.runner.recover([launch], origin=origin)
        assert bench.end_of(launch).ending is Ending.LOST


def test_a_journal_cut_anywhere_gives_the_end_or_a_loss(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO + "exit 3"))
    with doomed(bench, launch) as engine:
        end_without_engine(bench, engine, launch)
        path = Path(journal_path(str(bench.journals), engine.owner, 1))
        whole = path.read_bytes()
        endings = []
        for length in range(0, len(whole) + 1, 11):
            path.write_bytes(whole[:length])
            bench.outcomes.clear()
            recover(bench, engine, launch)
            endings.append(bench.end_of(launch).ending)
    assert set(endings[:-1]) == {Ending.LOST}
    path.write_bytes(whole)
    bench.outcomes.clear()
    recover(bench, engine, launch)
    assert bench.end_of(launch).exit_code == 3


@pytest.mark.parametrize(
    "garbage",
    [
        b"",
        b"\0" * 5000,
        b"[" * 100_000,
        b'{"started": 5}\n{"ended": []}\nnull\n"x"\n',
        b"\xff\xfe{}\n",
        b'{"pid": "x"}',
    ],
)
def test_a_journal_of_nonsense_is_as_none(bench: Bench, garbage: bytes) -> None:
    launch = bench.launch(CommandWork(("true",)))
    bench.journals.mkdir()
    Path(journal_path(str(bench.journals), "host/boot/1/2", 1)).write_bytes(garbage)
    bench.runner.recover([launch], origin="host/boot/1/2")
    assert bench.end_of(launch).ending is Ending.LOST


def test_lines_between_nonsense_are_understood(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO))
    with doomed(bench, launch) as engine:
        end_without_engine(bench, engine, launch)
        path = Path(journal_path(str(bench.journals), engine.owner, 1))
        path.write_bytes(b"{\n" + path.read_bytes().replace(b"\n", b"\n\0\0}\n[\n"))
        recover(bench, engine, launch)
        assert bench.end_of(launch).ending is Ending.SUCCEEDED


def test_a_stranger_with_the_pid_of_a_task_is_left_alone(bench: Bench) -> None:
    launch = bench.launch(ScriptWork("echo $$; exec sleep 300"))
    with doomed(bench, launch) as engine:
        (pid,) = pid_in(bench, launch)
        bench.await_journal(launch, "started")
        kill_all(bench, engine)
        os.kill(pid, signal.SIGKILL)
        await_end(pid)
        with subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True
        ) as stranger:
            path = Path(journal_path(str(bench.journals), engine.owner, 1))
            path.write_bytes(path.read_bytes().replace(b'"pid": %d' % pid, b'"pid": %d' % stranger.pid))
            recover(bench, engine, launch)
            assert bench.end_of(launch).ending is Ending.LOST
            assert stranger.poll() is None
            stranger.communicate(b"\n")
        assert stranger.returncode == 0


def test_a_masked_task_stays_masked_and_its_kept_stream_arrives(bench: Bench) -> None:
    launch = bench.launch(
        ScriptWork(UNTIL_GO + 'printf "%s" hunter2-; echo hunter2 $PASSWORD'),
        env={"PASSWORD": SECRET},
        secrets=(SECRET,),
        outputs=declared(text={"from": "stdout"}),
    )
    with doomed(bench, launch) as engine:
        pid_in(bench, launch)
        engine.kill()
        recover(bench, engine, launch)
        go(bench)
        outcome = bench.end_of(launch)
    assert str(outcome.output["text"]).endswith(f"{MASK} {MASK}")
    assert SECRET not in log_of(launch)
    written = b"".join(path.read_bytes() for path in bench.journals.iterdir())
    assert SECRET.encode() not in written
    assert SECRET.encode().hex().encode() not in written


def test_a_loud_masked_task_does_not_notice_that_its_engine_is_gone(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO + f"yes {SECRET} | head -n 400000; exit 4"), secrets=(SECRET,))
    with doomed(bench, launch) as engine:
        pid_in(bench, launch)
        engine.kill()
        go(bench)
        line = bench.await_journal(launch, "ended")
        assert (line["how"], line["value"]) == ("exit", 4)
        assert log_of(launch).count(f"{MASK}\n") == 400_000
        recover(bench, engine, launch)
        assert bench.end_of(launch).exit_code == 4


def test_an_engine_that_dies_while_taking_over_passes_everything_on(bench: Bench) -> None:
    ended, running = bench.launch(ScriptWork("exit 5")), bench.launch(ScriptWork(UNTIL_GO + "exit 6"))
    with doomed(bench, ended, running) as first:
        assert first.line() == f"{ended.key.task} failed"
        pid_in(bench, running)
        first.kill()
        with doomed(bench, ended, running, origin=first.owner) as second:
            assert second.line() == f"{ended.key.task} failed"
            second.kill()
            recover(bench, second, ended, running)
            assert bench.end_of(ended).exit_code == 5
            go(bench)
            assert bench.end_of(running).exit_code == 6
    nothing_is_left(bench)


def _with_token(launch: Launch, token: int) -> Launch:
    return replace(launch, token=token)


def test_of_two_engines_the_one_with_the_higher_token_has_the_attempt(bench: Bench, tmp_path: Path) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO + "exit 7"), token=3)
    with doomed(bench, launch) as engine:
        pid_in(bench, launch)
        recover(bench, engine, _with_token(launch, 2))
        assert "another engine" in failure_of(bench.end_of(launch))
        bench.outcomes.clear()
        recover(bench, engine, _with_token(launch, 4))
        assert engine.line() == f"{launch.key.task} lost"  # it was told that it has it no more
        go(bench)
        assert bench.end_of(launch).exit_code == 7


def test_the_stop_of_an_engine_that_has_lost_its_attempt_is_refused(bench: Bench, tmp_path: Path) -> None:
    launch = bench.start(ScriptWork(UNTIL_GO + "exit 7"))
    other = bench.launch(CommandWork(("true",)))
    pid_in(bench, launch)
    following = Bench(tmp_path / "next", owner="next", journals=bench.journals)
    following.runner.recover([replace(launch, token=2), other], origin=bench.owner)
    following.end_of(other)  # lost, once the spawner has answered
    bench.stop(launch, grace_s=0)
    outcome = bench.end_of(launch)
    assert (outcome.ending, "another engine" in failure_of(outcome)) == (Ending.LOST, True)
    go(bench)
    assert following.end_of(launch).exit_code == 7
    following.close()


def test_an_engine_that_leaves_lets_its_tasks_run_on(bench: Bench, tmp_path: Path) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO))
    bench.runner.start(launch)
    (pid,) = pid_in(bench, launch)
    spawners = spawners_in(bench)
    bench.runner.leave()
    bench.runner.leave()
    assert is_alive(pid)
    following = Bench(tmp_path / "next", owner="next", journals=bench.journals)
    following.runner.recover([launch], origin=bench.owner)
    go(bench)
    assert following.end_of(launch).ending is Ending.SUCCEEDED
    following.close()
    await_end(*spawners)


def test_a_call_of_a_dead_engine_is_lost_and_its_worker_ended(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(
        "import os, subprocess, time\n"
        "def hang():\n"
        "    child = subprocess.Popen(['sleep', '300'], start_new_session=True)\n"
        "    print(os.getpid(), child.pid, flush=True)\n"
        "    time.sleep(300)\n"
    )
    launch = bench.launch(CallWork("mine:hang", {}, tmp_path))
    with doomed(bench, launch) as engine:
        pids = pid_in(bench, launch, 2)
        engine.kill()
        recover(bench, engine, launch)
        outcome = bench.end_of(launch)
    assert outcome.ending is Ending.LOST
    await_end(*pids)


def test_an_idle_spawner_leaves_with_its_engine(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO))
    with doomed(bench, launch) as engine:
        pid_in(bench, launch)
        spawner = spawner_of(bench, engine)
        go(bench)
        assert engine.line() == f"{launch.key.task} succeeded"
        engine.kill()
        await_end(spawner)


def test_many_attempts_are_taken_over_at_once(bench: Bench) -> None:
    running = [bench.launch(ScriptWork(UNTIL_GO)) for _ in range(60)]
    ended = [bench.launch(ScriptWork("until [ -e stopped ]; do sleep 0.1; done")) for _ in range(60)]
    with doomed(bench, *running, *ended) as engine:
        for launch in running:
            pid_in(bench, launch)
        for launch in ended:
            bench.await_journal(launch, "started")
        engine.process.send_signal(signal.SIGSTOP)  # what it has read and read on after, the spawner need not keep
        (bench.run_dir / "stopped").touch()
        for launch in ended:
            bench.await_journal(launch, "ended")
        engine.kill()
        recover(bench, engine, *running, *ended)
        go(bench)
        assert {bench.end_of(launch).ending for launch in (*running, *ended)} == {Ending.SUCCEEDED}
    nothing_is_left(bench)


def test_the_start_time_in_the_journal_is_that_of_the_process(bench: Bench) -> None:
    for _ in range(20):
        launch = bench.start(ScriptWork("echo $$; exec sleep 300"))
        line = bench.await_journal(launch, "started")
        process = read_process(line["pid"])
        assert process is not None
        assert line["at"] == process.started
        bench.stop(launch, grace_s=0)
        assert bench.end_of(launch).ending is Ending.STOPPED
        assert not is_alive(process.pid)


def test_a_spawner_that_dies_under_its_engine_is_replaced(bench: Bench) -> None:
    launch = bench.start(ScriptWork("setsid sleep 300 & echo $!; echo $$; wait"), secrets=(SECRET,))
    pids = pid_in(bench, launch, 2)
    (spawner,) = spawners_in(bench)
    os.kill(spawner, signal.SIGKILL)
    outcome = bench.end_of(launch)
    assert outcome.ending is Ending.LOST
    assert not any(map(is_alive, pids))
    assert bench.command("true").ending is Ending.SUCCEEDED
    assert zombies() == []
    bench.close()
    bench.close()


@pytest.mark.parametrize("inner_dies_first", [False, True])
def test_an_engine_that_is_a_task_of_another_is_stopped_with_its_spawner_and_tasks(
    bench: Bench, tmp_path: Path, inner_dies_first: bool
) -> None:
    inner = Bench(tmp_path / "inner")
    task = inner.launch(ScriptWork("echo $$; echo $PPID; env -i setsid sleep 300 & wait"))
    launch = bench.start(CommandWork(command(inner, task)), workdir=ROOT)
    bench.turn_until(lambda: len(log_of(task).split()) == 2)
    pids = [int(word) for word in log_of(task).split()]
    if inner_dies_first:
        os.kill(bench.await_journal(launch, "started")["pid"], signal.SIGKILL)
        assert bench.end_of(launch).notes[0].startswith("left ")
    else:
        bench.stop(launch, grace_s=0)
        assert bench.end_of(launch).ending is Ending.STOPPED
    assert not any(map(is_alive, pids))
    inner.close()


def test_journals_nobody_asks_for_are_removed_in_the_end(bench: Bench) -> None:
    launch = bench.launch(ScriptWork(UNTIL_GO))
    with doomed(bench, launch) as engine:
        pid_in(bench, launch)
        engine.kill()
        for name in ("old.jsonl", "old.follows", "new.jsonl"):
            (bench.journals / name).write_text("{}\n")
        for path in bench.journals.iterdir():
            if path.name != "new.jsonl":
                os.utime(path, (1, 1))
        recover(bench, engine, launch)
        assert not list(bench.journals.glob("old*"))
        assert (bench.journals / "new.jsonl").exists()
        (bench.journals / "new.jsonl").unlink()
        go(bench)
        assert bench.end_of(launch).ending is Ending.SUCCEEDED  # old, but its spawner was there
    nothing_is_left(bench)
