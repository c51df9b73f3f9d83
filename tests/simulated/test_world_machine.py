"""The same deeds in any order, against engines that are played and against real ones, held to the same small model:
what was acknowledged is there and ends, and ends cancelled only if somebody asked for that."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Protocol

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from tests.faults.rig import Rig
from tests.simulated.flows import make_plans
from tests.simulated.world import World

pytestmark = pytest.mark.slow


class Deeds(Protocol):
    """What can be done to engines and runs."""

    def be_born(self) -> None: ...
    def submit(self) -> None: ...
    def cancel(self) -> None: ...
    def kill(self) -> None: ...
    def suspend(self) -> None: ...
    def step(self) -> None: ...
    def settle(self) -> None: ...
    def judge(self) -> None: ...


class Machine(RuleBasedStateMachine):
    """Deeds in any order; the end is always that everything settles and is judged."""

    world: Deeds

    @rule()
    def start_an_engine(self) -> None:
        self.world.be_born()

    @rule()
    def submit(self) -> None:
        self.world.submit()

    @rule()
    def cancel(self) -> None:
        self.world.cancel()

    @rule()
    def kill(self) -> None:
        self.world.kill()

    @rule()
    def suspend(self) -> None:
        self.world.suspend()

    @rule()
    def let_time_pass(self) -> None:
        self.world.step()

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.settle()
            self.world.judge()


class PlayedMachine(Machine):
    """Engines in a world of their own, where more can befall them."""

    played: World

    @initialize(seed=st.integers(0, 1 << 32))
    def begin(self, seed: int) -> None:
        self.world = self.played = World(make_plans(), seed)
        self.played.be_born()

    @rule(turns=st.integers(1, 30))
    def take_turns(self, turns: int) -> None:
        for _ in range(turns):
            self.played.step()

    @rule()
    def die_at_a_commit(self) -> None:
        self.played.doom()

    @rule()
    def set_the_clock(self) -> None:
        self.played.set_clock()

    @rule()
    def cut_the_power(self) -> None:
        self.played.cut_power()


class RealMachine(Machine):
    """Real engines, real processes, a real store."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="flowctl-machine-"))
        self.world = RealDeeds(Rig(self.folder))

    def teardown(self) -> None:
        try:
            super().teardown()
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)


class RealDeeds:
    """The deeds, done to processes of the program."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._flow = rig.flow()
        self._engines: list[subprocess.Popen[bytes]] = []
        self._asked: set[str] = set()

    def be_born(self) -> None:
        self._engines.append(self._rig.start("resume", "-q", "--json"))

    def submit(self) -> None:
        count = len(self._rig.acknowledged())
        self._engines.append(self._rig.start("run", str(self._flow), "--json"))
        self._rig.await_acknowledged(count + 1)

    def cancel(self) -> None:
        runs = sorted(self._rig.acknowledged())
        if runs:
            self._asked.add(runs[-1])
            self._rig.start("cancel", runs[-1], "-q").wait(60)

    def kill(self) -> None:
        if self._engines:
            self._rig.kill(self._engines.pop(0), 0)

    def suspend(self) -> None:
        self._rig.suspend(self._engines)

    def step(self) -> None:
        if self._engines:
            self._rig.let_be(self._engines[-1], 0.1)

    def settle(self) -> None:
        for engine in self._engines:
            engine.wait(60)
        assert self._rig.settle() in (0, 1), self._rig.told()

    def judge(self) -> None:
        if self._rig.store.exists():
            self._rig.judge()
            for run_id, state in self._rig.rows("SELECT id, state FROM runs"):
                assert state == "succeeded" or (state == "cancelled" and run_id in self._asked), (run_id, state)


def test_engines_that_are_played_hold_to_the_model() -> None:
    run_state_machine_as_test(PlayedMachine, settings=settings(max_examples=120, stateful_step_count=40, deadline=None))


def test_real_engines_hold_to_the_model() -> None:
    run_state_machine_as_test(
        RealMachine,
        settings=settings(
            max_examples=4,
            stateful_step_count=8,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
        ),
    )
