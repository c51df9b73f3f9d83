"""The host of connectors: many calls at once, cancelled, killed when deaf, started again."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest

from engine.attempts import ConnectorWork, Launch
from engine.outcomes import Ending, Outcome
from tests.engine.runners.bench import Bench, is_alive, log_of, open_descriptors, zombies

MODULE = """
import asyncio, os, time

class Own:
    actions = {}
    made = 0
    def __init__(self, config):
        Own.made += 1
        self.config = config
        self.arrived = 0
        self.all_here = asyncio.Event()
    async def call(self, action, arguments, context):
        return await getattr(self, action)(context, **arguments)
    async def pid(self, context): return {"pid": os.getpid(), "made": Own.made, "config": self.config}
    async def meet(self, context, count):
        self.arrived += 1
        if self.arrived == count: self.all_here.set()
        await self.all_here.wait()
        return {}
    async def sleep(self, context):
        context.log(f"asleep {os.getpid()}")
        try:
            await asyncio.sleep(300)
        finally:
            context.log("cancelled")
    async def block(self, context):
        context.log(f"blocked {os.getpid()}")
        time.sleep(0.05)
        while True: time.sleep(0.01)
    async def crash(self, context): os._exit(3)
    async def fail(self, context): raise KeyError("which")
    async def odd(self, context, what): return {"set": {"a": {1}}, "list": [], "int": {"a": 10 ** 5000}}[what]
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "own_connector.py").write_text(MODULE)
    return folder


def start(bench: Bench, root: Path, action: str, **arguments: Any) -> Launch:
    config = arguments.pop("config", {})
    return bench.start(ConnectorWork("own_connector:Own", action, config, arguments, root))


def call(bench: Bench, root: Path, action: str, **arguments: Any) -> Outcome:
    return bench.end_of(start(bench, root, action, **arguments))


def test_calls_run_at_the_same_time_in_one_process(bench: Bench, root: Path) -> None:
    launches = [start(bench, root, "meet", count=50) for _ in range(50)]
    assert {bench.end_of(launch).ending for launch in launches} == {Ending.SUCCEEDED}


def test_a_connector_is_made_once_for_each_configuration(bench: Bench, root: Path) -> None:
    first = call(bench, root, "pid", config={"a": 1}).output
    again = call(bench, root, "pid", config={"a": 1}).output
    other = call(bench, root, "pid", config={"a": 2}).output
    assert first == again
    assert (other["pid"], other["made"], other["config"]) == (first["pid"], 2, {"a": 2})


def test_names_of_the_project_stand_for_its_classes(tmp_path: Path, root: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    bench = Bench(folder, connector_types={"ours": "own_connector:Own"})
    outcome = bench.run(ConnectorWork("ours", "pid", {}, {}, root))
    bench.close()
    assert outcome.output["made"] == 1


def test_a_cancelled_call_ends_and_the_others_go_on(bench: Bench, root: Path) -> None:
    other = start(bench, root, "meet", count=2)
    launch = start(bench, root, "sleep")
    bench.turn_until(lambda: "asleep" in log_of(launch))
    bench.stop(launch, grace_s=20)
    assert bench.end_of(launch).ending is Ending.STOPPED
    assert log_of(launch).endswith("cancelled\n")
    assert call(bench, root, "meet", count=2).ending is Ending.SUCCEEDED
    assert bench.end_of(other).ending is Ending.SUCCEEDED


def test_a_host_that_does_not_hear_is_killed_and_started_again(bench: Bench, root: Path) -> None:
    other = start(bench, root, "sleep")
    bench.turn_until(lambda: "asleep" in log_of(other))
    deaf = start(bench, root, "block")
    bench.turn_until(lambda: "asleep" in log_of(other))
    bench.stop(deaf, grace_s=0.2)
    assert bench.end_of(deaf).ending is Ending.STOPPED
    assert bench.end_of(other).ending is Ending.LOST
    assert call(bench, root, "pid").ending is Ending.SUCCEEDED


def test_a_crash_loses_the_calls_and_the_next_starts_another_host(bench: Bench, root: Path) -> None:
    before = call(bench, root, "pid").output["pid"]
    launches = [start(bench, root, "sleep"), start(bench, root, "crash")]
    outcomes = [bench.end_of(launch) for launch in launches]
    assert {outcome.ending for outcome in outcomes} == {Ending.LOST}
    assert {outcome.failure.kind for outcome in outcomes if outcome.failure} == {"lost"}
    assert call(bench, root, "pid").output["pid"] != before
    assert zombies() == []


def test_a_killed_host_is_noticed(bench: Bench, root: Path) -> None:
    pid = call(bench, root, "pid").output["pid"]
    launch = start(bench, root, "sleep")
    bench.turn_until(lambda: "asleep" in log_of(launch))
    assert isinstance(pid, int)
    os.kill(pid, signal.SIGKILL)
    assert bench.end_of(launch).ending is Ending.LOST


def test_an_exception_is_an_error_with_the_name_of_its_class(bench: Bench, root: Path) -> None:
    failure = call(bench, root, "fail").failure
    assert failure is not None
    assert (failure.kind, failure.name) == ("error", "KeyError")
    assert failure.message == "`own_connector:Own.fail` raised `KeyError`: 'which'"


@pytest.mark.parametrize("what", ["set", "list", "int"])
def test_an_output_that_is_no_map_of_json_is_a_failure(bench: Bench, root: Path, what: str) -> None:
    assert call(bench, root, "odd", what=what).ending is Ending.FAILED


@pytest.mark.parametrize("type_name", ["nothing", "missing_module:Class", "own_connector:Missing"])
def test_a_type_that_cannot_be_had_is_an_error(bench: Bench, root: Path, type_name: str) -> None:
    outcome = bench.run(ConnectorWork(type_name, "act", {}, {}, root))
    assert outcome.failure is not None
    assert outcome.failure.kind == "error"


def test_closing_ends_the_host_and_frees_descriptors(tmp_path: Path, root: Path) -> None:
    before = open_descriptors()
    folder = tmp_path / "other"
    folder.mkdir()
    bench = Bench(folder)
    pid = call(bench, root, "pid").output["pid"]
    start(bench, root, "sleep")
    bench.close()
    assert isinstance(pid, int)
    assert not is_alive(pid)
    assert open_descriptors() == before
    assert zombies() == []
