"""`flowctl resume`, and what engines do for each other's runs: through processes that are killed, stopped and started."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.sqlite import SqliteStore
from tests.checker import check_ended, check_nothing_is_held, every_run
from tests.flowctl.commands import environment
from tests.flowctl.staging import PATIENCE_S, Stage, until

ONCE = [f"{task} 1 {what}" for task in "abc" for what in ("begin", "end")]


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(tmp_path)
    yield stage
    stage.close()


def runs(stage: Stage) -> list[dict[str, object]]:
    code, out, err = stage.call("runs", "--json")
    assert code == 0, err
    found: list[dict[str, object]] = json.loads(out)["items"]
    return found


def check_store(stage: Stage) -> None:
    store = SqliteStore.open(stage.folder / "home" / "data" / "flowctl.db", create=False)
    try:
        check_ended(store)
        check_nothing_is_held(store)
        assert every_run(store)
    finally:
        store.close()


def test_a_killed_run_goes_on_with_what_still_runs_and_does_nothing_twice(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    _, out, _ = stage.call("runs")
    assert " running, interrupted " in out
    heir = stage.start("resume")
    until(lambda: "run_taken_over" in stage.call("events", "latest")[1], "nobody took the run over")
    stage.let_go()
    code, _, err = stage.ended(heir)
    assert code == 0, err
    assert "goes on: 1 of 3 tasks done" in err
    assert " succeeded in " in err
    assert stage.noted("chain") == ONCE
    check_store(stage)


def test_what_ended_while_nobody_looked_is_not_done_again(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    stage.let_go()
    until(lambda: "b 1 end" in stage.noted("chain"), "the task did not go on")
    code, _, err = stage.call("resume")
    assert code == 0, err
    assert stage.noted("chain") == ONCE


def test_what_was_killed_with_its_engine_is_done_again(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"], last="false"), "b")
    os.killpg(stage.pids()[-1], signal.SIGKILL)
    heir = stage.start("resume", "latest", "--json")
    code, out, err = stage.ended(heir)
    assert code == 1, err
    events = [json.loads(line) for line in out.splitlines()]
    assert {"run_taken_over", "run_finished"} <= {event.get("type") for event in events}
    assert events[-1]["run"]["state"] == "failed"


def test_a_run_keeps_the_flow_it_was_submitted_with(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    (stage.folder / "flows" / "chain.yaml").write_text("version: 1\ntasks: {b: {run: echo other}}\n")
    stage.let_go()
    assert stage.call("resume")[0] == 0
    assert stage.noted("chain") == ONCE


def test_with_nothing_to_resume_it_says_so(stage: Stage) -> None:
    assert stage.call("resume") == (0, "", "nothing to resume: no run is interrupted\n")
    stage.call("run", stage.flow("chain", held=[]), "-q")
    assert stage.call("resume")[0] == 0
    code, _, err = stage.call("resume", "latest")
    assert code == 0
    assert err.startswith("nothing to resume: run ")
    stage.call("run", stage.flow("broken", held=[], last="exit 3"), "-q")
    assert stage.call("resume", "latest")[0] == 1
    assert stage.call("resume", "nosuchrun")[0] == 4


def test_a_run_that_another_process_drives_is_left_to_it(stage: Stage) -> None:
    driver = stage.start("run", stage.flow("chain", held=["b"]), "-q")
    stage.wait_for("chain b")
    code, _, err = stage.call("resume", "latest")
    assert code == 5
    assert f"is driven by process {driver.pid}" in err
    assert stage.call("resume") == (0, "", "nothing to resume: no run is interrupted\n")
    stage.let_go()
    assert stage.ended(driver)[0] == 0
    assert stage.noted("chain") == ONCE


def test_many_runs_are_resumed_by_several_processes_at_once_each_by_one(stage: Stage) -> None:
    names = [stage.flow(f"flow{n}", held=["b"]) for n in range(6)]
    engines = [stage.start("run", name, "-q") for name in names]
    stage.wait_for(*(f"{name} b" for name in names))
    for engine in engines:
        engine.kill()
        engine.wait()
    for _ in names:
        stage.let_go()
    heirs = [stage.start("resume", "-q") for _ in range(3)]
    ends = [stage.ended(heir) for heir in heirs]
    assert {code for code, _, _ in ends} <= {0, 5}, ends
    assert not any("locked" in err for _, _, err in ends)
    assert stage.call("resume")[0] == 0
    for name in names:
        assert stage.noted(name) == ONCE
    assert [row["state"] for row in runs(stage)] == ["succeeded"] * len(names)
    check_store(stage)


def test_an_engine_that_was_stopped_loses_its_run_and_finds_out(stage: Stage) -> None:
    stopped = stage.start("run", stage.flow("chain", held=["b"]), "-v")
    stage.wait_for("chain b")
    stopped.send_signal(signal.SIGSTOP)
    until(lambda: " running, interrupted " in stage.call("runs")[1], "the lease does not run out")
    heir = stage.start("resume")
    until(lambda: "run_taken_over" in stage.call("events", "latest")[1], "nobody took the run over")
    stopped.send_signal(signal.SIGCONT)
    code, _, err = stage.ended(stopped)
    assert code == 5, err
    assert f"was taken over by process {heir.pid} and goes on there" in err
    stage.let_go()
    assert stage.ended(heir)[0] == 0
    assert stage.noted("chain") == ONCE
    check_store(stage)


def test_an_engine_that_was_stopped_and_lost_nothing_goes_on(stage: Stage) -> None:
    stopped = stage.start("run", stage.flow("chain", held=["b"]), "-q")
    stage.wait_for("chain b")
    stopped.send_signal(signal.SIGSTOP)
    until(lambda: " running, interrupted " in stage.call("runs")[1], "the lease does not run out")
    stopped.send_signal(signal.SIGCONT)
    until(lambda: " running, interrupted " not in stage.call("runs")[1], "the lease is not renewed")
    stage.let_go()
    assert stage.ended(stopped)[0] == 0
    assert stage.noted("chain") == ONCE


def test_a_run_in_the_foreground_takes_up_others_while_it_goes_on(stage: Stage) -> None:
    stage.interrupted(stage.flow("old", held=["b"]), "b")
    stage.let_go()
    own = stage.start("run", stage.flow("own", held=["b"]))
    stage.wait_for("own b")
    until(lambda: [row["state"] for row in runs(stage)] == ["running", "succeeded"], "the old run was not taken up")
    stage.let_go()
    code, _, err = stage.ended(own)
    assert code == 0
    assert "1 run is interrupted" in err
    assert "flowctl resume" in err
    assert "old" not in err
    assert stage.noted("old") == stage.noted("own") == ONCE
    check_store(stage)


def test_what_a_run_in_the_foreground_has_taken_up_does_not_keep_it_and_is_left_as_it_is(stage: Stage) -> None:
    stage.interrupted(stage.flow("old", held=["b", "c"]), "b")
    stage.let_go()
    own = stage.start("run", stage.flow("own", held=["b"]), "-q")
    stage.wait_for("own b", "old c")
    stage.let_go()  # whichever of the two
    stage.let_go()
    assert stage.ended(own)[0] == 0
    assert stage.call("resume")[0] == 0
    assert stage.noted("old") == ONCE
    check_store(stage)


def test_a_setting_keeps_engines_from_taking_over(stage: Stage) -> None:
    stage.interrupted(stage.flow("old", held=["b"]), "b")
    stage.let_go()
    own = stage.start("run", stage.flow("own", held=["b"]), "-q", env={"FLOWCTL_RECOVERY_TAKE_OVER": "false"})
    stage.wait_for("own b")
    before = len(stage.call("events", "old" if False else str(runs(stage)[1]["id"]))[1].splitlines())
    until(lambda: _beats(stage) > 3, "the lease is not renewed")
    assert len(stage.call("events", str(runs(stage)[1]["id"]))[1].splitlines()) == before
    stage.let_go()
    assert stage.ended(own)[0] == 0
    assert stage.call("resume")[0] == 0


def _beats(stage: Stage) -> int:
    store = SqliteStore.open(stage.folder / "home" / "data" / "flowctl.db", create=False)
    try:
        return max(each.engine.beats for each in store.holdings() if each.engine is not None)
    finally:
        store.close()


def test_a_secret_that_came_with_the_run_is_given_again(stage: Stage) -> None:
    flow = stage.flow("chain", held=["b"])
    path = stage.folder / "flows" / "chain.yaml"
    path.write_text(
        path.read_text()
        .replace("tasks:\n", 'secrets: {TOKEN: {from: "env:TOKEN"}}\ntasks:\n', 1)
        .replace("    run: |", '    env: {TOKEN: "${{ secrets.TOKEN }}"}\n    run: |')
    )
    engine = stage.start("run", flow, "-q", env={"TOKEN": "correct-horse"})
    stage.wait_for("chain b")
    engine.kill()
    engine.wait()
    stage.let_go()
    until(lambda: "b 1 end" in stage.noted("chain"), "the task did not go on")
    code, _, err = stage.call("resume", "--env", "TOKEN=correct-horse")
    assert code == 0, err
    assert stage.noted("chain") == ONCE


def test_names_of_files_start_from_where_they_did_wherever_it_is_resumed(stage: Stage) -> None:
    (stage.folder / "flowctl.yaml").touch()
    (stage.folder / "flows").mkdir()
    (stage.folder / "flows" / "ours.py").write_text("def go(): return {'who': 'ours'}\n")
    (stage.folder / "flows" / "sub.yaml").write_text(
        "version: 1\ntasks: {x: {call: 'ours:go', outputs: {who: {type: string}}}}\n"
        'outputs: {who: "${{ tasks.x.output.who }}"}\n'
    )
    flow = stage.flow("chain", held=["b"])
    path = stage.folder / "flows" / "chain.yaml"
    path.write_text(
        path.read_text() + '  last: {after: [c], flow: sub.yaml}\noutputs: {who: "${{ tasks.last.output.who }}"}\n'
    )
    elsewhere = stage.folder / "else" / "where"
    elsewhere.mkdir(parents=True)
    engine = stage.start("-C", str(elsewhere), "run", str(stage.folder / "flows" / f"{flow}.yaml"), "-q")
    stage.wait_for("chain b")
    engine.kill()
    engine.wait()
    stage.let_go()
    code, out, err = stage.call("-C", "/", "resume")
    assert (code, out) == (0, "who=ours\n"), err


def test_a_signal_cancels_what_is_resumed(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    heir = stage.start("resume")
    until(lambda: "run_taken_over" in stage.call("events", "latest")[1], "nobody took the run over")
    heir.send_signal(signal.SIGINT)
    code, _, err = stage.ended(heir)
    assert code == 130, err
    assert [row["state"] for row in runs(stage)] == ["cancelled"]
    check_store(stage)


FAILING = """
import sys
from engine.errors import StoreUnavailable
from engine.store.sqlite import SqliteStore
from flowctl.cli.main import main

left, commit = int(sys.argv.pop(1)), SqliteStore.commit

def failing(store, batches, **also):
    global left
    left -= 1
    if left < 0:
        raise StoreUnavailable("the disk is full")
    commit(store, batches, **also)

SqliteStore.commit = failing
sys.exit(main())
"""


def test_a_store_that_fails_interrupts_a_run_and_ends_none_of_its_tasks(stage: Stage) -> None:
    flow = stage.flow("chain", held=["b"])
    environ = {**environment(stage.folder), **stage.env}
    command = [sys.executable, "-c", FAILING, "3", "run", flow]
    with subprocess.Popen(command, cwd=stage.folder, env=environ, stderr=subprocess.PIPE, text=True) as engine:
        stage.wait_for("chain b")
        code, err = engine.wait(PATIENCE_S), engine.stderr.read() if engine.stderr else ""
    assert code == 1
    assert "the disk is full" in err
    assert "is interrupted, its tasks run on: `flowctl resume` takes it up" in err
    stage.let_go()
    assert stage.call("resume")[0] == 0
    assert stage.noted("chain") == ONCE
    check_store(stage)
