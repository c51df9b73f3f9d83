"""`flowctl cancel`: of a run that another process drives, that nobody drives, that has ended."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.flowctl.commands import is_alive
from tests.flowctl.staging import Stage, until


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    # Long beats: what is asked must not wait for one.
    stage = Stage(tmp_path, beat="1h", lease="3h")
    yield stage
    stage.close()


def drainings(stage: Stage) -> list[dict[str, object]]:
    code, out, err = stage.call("events", "latest", "--json")
    assert code == 0, err
    return [event for event in map(json.loads, out.splitlines()) if event["type"] == "run_draining"]


def test_a_run_of_another_process_is_cancelled_by_it_at_once(stage: Stage) -> None:
    driver = stage.start("run", stage.flow("chain", held=["b"]), "-q")
    stage.wait_for("chain b")
    code, out, err = stage.call("cancel", "latest", "--reason", "not needed")
    assert (code, out) == (0, "")
    assert err.endswith((" is being cancelled\n", " is cancelled\n"))
    assert stage.ended(driver)[0] == 1
    [draining] = drainings(stage)
    assert (draining["reason"], draining["note"]) == ("cancelled", "not needed")
    assert ": not needed" in stage.call("events", "latest")[1]
    assert not any(is_alive(pid) for pid in stage.pids())


def test_waiting_returns_when_the_run_has_ended(stage: Stage) -> None:
    driver = stage.start("run", stage.flow("chain", held=["b"]), "-q")
    stage.wait_for("chain b")
    code, out, err = stage.call("cancel", "latest", "--wait", "--json")
    assert code == 0, err
    assert json.loads(out)["run"]["state"] == "cancelled"
    stage.ended(driver)


def test_cancelling_twice_is_once_and_force_ends_cleanup_too(stage: Stage) -> None:
    stage.flow("chain", held=["a", "clean"], tasks=("a", "clean"))
    path = stage.folder / "flows" / "chain.yaml"
    path.write_text(path.read_text().replace("after: [a]", "after_end: [a]"))
    driver = stage.start("run", "chain", "-q")
    stage.wait_for("chain a")
    assert stage.call("cancel", "latest")[0] == 0
    stage.wait_for("chain clean")
    code, _, err = stage.call("cancel", "latest")
    assert (code, len(drainings(stage))) == (0, 1)
    assert err.endswith(" is being cancelled already\n")
    assert driver.poll() is None
    code, _, err = stage.call("cancel", "latest", "--force", "--wait")
    assert code == 0, err
    assert stage.ended(driver)[0] == 1
    assert "clean 1 end" not in stage.noted("chain")


def test_a_run_that_nobody_drives_is_ended_here_with_what_still_runs_of_it(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    code, _, err = stage.call("cancel", "latest")
    assert code == 0, err
    assert err.endswith(" is cancelled\n")
    assert not any(is_alive(pid) for pid in stage.pids())
    assert "b 1 end" not in stage.noted("chain")
    assert stage.call("resume")[2] == "nothing to resume: no run is interrupted\n"


def test_a_run_of_a_process_that_was_stopped_is_ended_when_its_lease_has_run_out(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    try:
        driver = stage.start("run", stage.flow("chain", held=["b"]), "-q")
        stage.wait_for("chain b")
        driver.send_signal(signal.SIGSTOP)
        code, _, err = stage.call("cancel", "latest")
        assert code == 0, err
        driver.send_signal(signal.SIGCONT)
        assert stage.ended(driver)[0] == 5
        assert len(drainings(stage)) == 1
    finally:
        stage.close()


def test_a_process_that_dies_before_it_has_answered_leaves_the_cancelling_to_whoever_asked(tmp_path: Path) -> None:
    stage = Stage(tmp_path, beat="1h", lease="3h")
    try:
        driver = stage.start("run", stage.flow("chain", held=["b"]), "-q")
        stage.wait_for("chain b")
        driver.send_signal(signal.SIGSTOP)
        asking = stage.start("cancel", "latest")
        until(lambda: _asked(stage) == 1, "nothing was asked")
        driver.kill()
        driver.wait()
        code, _, err = stage.ended(asking)
        assert code == 0, err
        assert err.endswith(" is cancelled\n")
    finally:
        stage.close()


def _asked(stage: Stage) -> int:
    import sqlite3

    connection = sqlite3.connect(stage.folder / "home" / "data" / "flowctl.db")
    try:
        found: int = connection.execute("SELECT count(*) FROM inbox").fetchone()[0]
        return found
    finally:
        connection.close()


def test_a_run_that_has_ended_is_not_cancelled(stage: Stage) -> None:
    stage.call("run", stage.flow("chain", held=[]), "-q")
    code, _, err = stage.call("cancel", "latest")
    assert code == 5
    assert err.endswith(" has ended: it succeeded\n")
    assert stage.call("cancel", "nosuchrun")[0] == 4


def test_a_run_that_was_cancelled_is_cancelled(stage: Stage) -> None:
    stage.interrupted(stage.flow("chain", held=["b"]), "b")
    for _ in range(2):
        code, _, err = stage.call("cancel", "latest", "--force")
        assert code == 0
        assert err.endswith(" is cancelled\n")
