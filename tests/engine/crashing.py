"""Engines that die at commits and are followed by others, on one store and in one played world of processes.

The loop and the store are the real ones. A process goes on when its engine dies, as one does whose spawner lives; what the
next engine finds of it is as the test says: its end on record, itself still running, or nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.attempts import AttemptEnded, AttemptKey, Launch
from engine.errors import FlowctlError
from engine.identity import boot_id
from engine.launching import Surroundings
from engine.loop import Engine
from engine.outcomes import Ending, Outcome
from engine.parameters import bind_parameters
from engine.parts import EngineParts, Keeping
from engine.plan import Plan
from engine.secrets import Secrets
from engine.simulation.clockwork import Clockwork, VirtualClock
from engine.store.rows import RunBatch, RunRow
from engine.store.sqlite import SqliteStore
from engine.submission import Submission
from tests.checker import Noted
from tests.engine.looping import START, CountedIds, NoFolders, Script, one_second

NOBODY = 1 << 23
"""No process has such a number, so an engine that calls itself by it is dead."""


MOST_TURNS = 30_000
"""A day of nothing but beats is less; a run that takes more never ends."""


class Crash(BaseException):
    """The engine dies here; nothing of it goes on."""


class PlanGone(FlowctlError):
    """A plan cannot be made any more."""


@dataclass
class KeptPlans:
    """Plans by digest."""

    known: dict[str, Plan] = field(default_factory=dict)

    def add(self, plan: Plan) -> None:
        """Know a plan and those it calls."""
        self.known[plan.digest] = plan
        for child in plan.children.values():
            self.add(child)

    def plan(self, digest: str, *, base: str) -> Plan:
        """The plan with this digest."""
        if digest not in self.known:
            raise PlanGone("the flow as it was then is not valid for this flowctl")
        return self.known[digest]

    def of(self, row: RunRow) -> Plan:
        """The plan of a run."""
        return self.known[row.digest]


class CrashingStore:
    """A store whose n-th commit, counted from 1, ends the engine: before anything is written, or when all of it is."""

    def __init__(self, store: SqliteStore, *, at: int | None, written: bool) -> None:
        self._store = store
        self._left = at
        self._written = written
        self.crashed = False

    def commit(self, batches: Sequence[RunBatch], **also: Any) -> None:
        """Write, or die before or after it."""
        if self._left is not None:
            self._left -= 1
            if self._left == 0:
                self.crashed = True
                if self._written:
                    self._store.commit(batches, **also)
                raise Crash
        self._store.commit(batches, **also)

    def __getattr__(self, name: str) -> Any:
        found: object = getattr(self._store, name)
        return found


@dataclass
class Process:
    """The process of an attempt."""

    key: AttemptKey
    ends_at: float
    outcome: Outcome


@dataclass
class World:
    """One store, and the processes that engines have started. `kept` says whether a process outlives its engine."""

    scripts: Mapping[str, Script] = field(default_factory=dict)
    kept: Callable[[AttemptKey], bool] = lambda key: True
    clock: VirtualClock = field(default_factory=lambda: VirtualClock(START))
    store: SqliteStore = field(default_factory=SqliteStore.in_memory)
    plans: KeptPlans = field(default_factory=KeptPlans)
    ids: CountedIds = field(default_factory=CountedIds)
    processes: dict[AttemptKey, Process] = field(default_factory=dict)
    ledger: list[Noted] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    recovered: list[tuple[AttemptKey, str, str]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: {"PATH": "/bin"})
    engines: int = 0

    def seconds(self) -> float:
        """How much time has passed."""
        return (self.clock.now() - START).total_seconds()

    def note(self, key: AttemptKey, what: str, at: float) -> None:
        """Write a line of the ledger."""
        self.ledger.append(Noted(key.run_id, key.task, key.item, key.round, key.attempt, what, at))

    def settle(self) -> None:
        """Note the ends of processes whose time has passed, whether anybody watches them or not."""
        for process in sorted(self.processes.values(), key=lambda each: each.ends_at):
            if process.ends_at <= self.seconds():
                self._end(process)

    def end_early(self, key: AttemptKey) -> None:
        """A process is killed."""
        process = self.processes.get(key)
        if process is not None:
            process.ends_at = self.seconds()
            self._end(process)

    def _end(self, process: Process) -> None:
        del self.processes[process.key]
        self.note(process.key, "end", process.ends_at)


class WorldRunner:
    """A runner whose processes are the world's."""

    def __init__(self, world: World, waiter: Clockwork, name: str) -> None:
        self._world = world
        self._waiter = waiter
        self._name = name
        self._ended: dict[AttemptKey, Outcome] = {}
        self.stopped: list[AttemptKey] = []

    def start(self, launch: Launch) -> None:
        """Begin an attempt."""
        took, outcome = self._world.scripts.get(launch.key.task, one_second)(launch)
        self._world.note(launch.key, "start", self._world.seconds())
        self._world.processes[launch.key] = Process(launch.key, self._world.seconds() + took, outcome)
        self._post(launch.key)

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:
        """End an attempt."""
        self.stopped.append(key)
        if key in self._world.processes:
            self._world.end_early(key)
            self._waiter.post(AttemptEnded(key, Outcome(Ending.STOPPED)))

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:
        """Tell of attempts that an earlier engine had started."""
        for launch in launches:
            self._world.recovered.append((launch.key, origin, self._name))
            if launch.key in self._world.processes and self._world.kept(launch.key):
                self._post(launch.key)
            else:
                self._world.end_early(launch.key)
                self._waiter.post(AttemptEnded(launch.key, Outcome(Ending.LOST)))

    def leave(self) -> None:
        """Processes go on."""

    def close(self) -> None:
        """Processes go on: an engine that dies closes nothing."""

    def _post(self, key: AttemptKey) -> None:
        process = self._world.processes[key]
        self._waiter.post_at(START + timedelta(seconds=process.ends_at), AttemptEnded(key, process.outcome))


class Living:
    """An engine in the world, until it dies at a commit or is left alone."""

    def __init__(
        self,
        world: World,
        *,
        crash_at: int | None = None,
        written: bool = True,
        takes_over: bool = False,
        slots: int = 64,
        boot: str | None = None,
        most: int | None = None,
    ) -> None:
        world.engines += 1
        self.world = world
        self.name = f"here/{boot or boot_id()}/{NOBODY + world.engines}/1"
        self.store = CrashingStore(world.store, at=crash_at, written=written)
        self.waiter = Clockwork(world.clock)
        self.runner = WorldRunner(world, self.waiter, self.name)
        self.parts = EngineParts(
            store=self.store,
            waiter=self.waiter,
            runner=self.runner,
            clock=world.clock,
            ids=world.ids,
            random=lambda: 0.5,
            around=Surroundings(world.environment, NoFolders(Path("/runs")), Secrets(world.environment)),
            owner=self.name,
            slots=slots,
            keeping=Keeping(world.plans, takes_over=takes_over, most=most, elapsed=world.seconds),
        )
        self.engine = Engine(self.parts)

    def submit(self, plan: Plan, **params: Any) -> str:
        """Submit a run; it is acknowledged when this returns."""
        self.world.plans.add(plan)
        run_id = self.engine.submit(Submission(plan, bind_parameters(plan.params, {}, params)))
        self.world.acknowledged.append(run_id)
        return run_id

    def turn(self) -> None:
        """One turn of the loop."""
        self.engine.turn()
        self.world.settle()

    def drive(self, *run_ids: str) -> None:
        """Turn the loop until these runs have ended."""
        for _ in range(MOST_TURNS):
            if all(str((self.world.store.run(run_id) or _none()).state) in _FINAL for run_id in run_ids):
                return
            self.turn()
        raise AssertionError(f"stuck: one of {run_ids} does not end")


_FINAL = ("succeeded", "failed", "cancelled")


def _none() -> Any:
    raise AssertionError("there is no such run")


def finish(world: World) -> None:
    """Let a last engine take over everything and drive it to its end."""
    last = Living(world)
    taken = [run.id for run, _ in last.engine.take_over()]
    last.drive(*taken)
    last.engine.turn() if world.store.holdings() else None
    world.settle()
