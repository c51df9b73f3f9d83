"""A world of engines on one store: time, processes, deaths and faults, all drawn from one seed.

The loop, the decisions, admission, the leases and the store are the real ones. What is played is what is outside of them: the
clock, the processes of tasks (which outlive the engine that started them, as a spawner has it), and what befalls engines.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from engine import inbox
from engine.attempts import AttemptEnded, AttemptKey, Launch, Report
from engine.errors import StoreConflict, StoreError
from engine.ids import encode
from engine.launching import Surroundings
from engine.loop import Engine
from engine.outcomes import Ending, Failure, Outcome
from engine.ownership import Terms
from engine.parameters import bind_parameters
from engine.parts import EngineParts, Keeping
from engine.plan import Plan
from engine.secrets import Secrets
from engine.store.rows import RunBatch, RunFilter
from engine.store.sqlite import SqliteStore
from engine.submission import Submission
from tests.checker import Noted, check_all, every_run
from tests.engine.looping import NoFolders

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
SLOTS = 6
MOST_ENGINES = 3
MOST_STEPS = 20_000
FINAL = ("succeeded", "failed", "cancelled")


class Killed(BaseException):
    """An engine dies here; nothing of it goes on."""


class WorldStore(SqliteStore):
    """The store in memory, its leases timed by the world."""

    world: World

    def _lease_clock(self) -> tuple[str, int]:
        return "world", int(self.world.elapsed * 1_000_000)


@dataclass
class Process:
    """The process of an attempt."""

    key: AttemptKey
    token: int
    engine: str
    ends_at: float
    outcome: Outcome
    ended: bool = False
    told: bool = False

    @property
    def unit(self) -> tuple[str, str, int | None]:
        return (self.key.run_id, self.key.task, self.key.item)


@dataclass(frozen=True)
class Watch:
    """The clock of an engine: right or wrong as the system's was when it started, and steady since."""

    world: World
    skew: timedelta

    def now(self) -> datetime:
        """What it shows."""
        return START + timedelta(seconds=self.world.elapsed) + self.skew


class Post:
    """Where one engine waits: it is never blocked, but says until when it would be."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.mail: list[Report] = []
        self.until: float = 0.0

    def wait(self, timeout_s: float | None) -> list[Report]:
        """What has come."""
        self.until = float("inf") if timeout_s is None else self._world.elapsed + timeout_s
        found, self.mail = self.mail, []
        if self._world.draw.random() < 0.3:
            self._world.draw.shuffle(found)
        return found

    def wake(self) -> None:
        """Look again soon."""
        self.until = self._world.elapsed

    def post(self, report: Report) -> None:
        """Hand in a report."""
        self.mail.append(report)


class Doorkeeper:
    """The store as one engine has it: it may die before a commit, or right after one."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.dies: str | None = None

    def commit(self, batches: Sequence[RunBatch], **also: Any) -> None:
        """Write, unless the engine dies first."""
        if self.dies == "before":
            raise Killed
        self._world.store.commit(batches, **also)
        if self.dies == "after":
            raise Killed

    def __getattr__(self, name: str) -> Any:
        found: object = getattr(self._world.store, name)
        return found


class Hands:
    """A runner: its processes belong to the world."""

    def __init__(self, world: World, name: str, post: Post) -> None:
        self._world = world
        self._name = name
        self._post = post

    def start(self, launch: Launch) -> None:
        """Begin an attempt."""
        self._world.begin(launch, self._name)

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:
        """End an attempt, unless it is another engine's by now."""
        process = self._world.processes.get(key)
        if process is not None and process.engine == self._name and not process.told:
            stubborn = self._world.draw.random() < 0.2
            process.ends_at = min(process.ends_at, self._world.elapsed + (grace.total_seconds() if stubborn else 0.0))
            process.outcome = Outcome(Ending.STOPPED)

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:
        """Adopt what runs, tell of what has ended, and say of the rest that it is lost."""
        for launch in launches:
            process = self._world.processes.get(launch.key)
            if process is None or process.told or process.token > launch.token:
                failure = Failure("lost", f"nothing is known of it since {origin}")
                self._post.post(AttemptEnded(launch.key, Outcome(Ending.LOST, failure)))
            else:
                process.engine, process.token = self._name, launch.token

    def leave(self) -> None:
        """Processes go on."""

    def close(self) -> None:
        """Processes go on."""


@dataclass
class Being:
    """An engine in the world."""

    name: str
    engine: Engine
    post: Post
    door: Doorkeeper
    asleep_until: float = 0.0
    steps: int = 0


@dataclass
class World:
    """Everything there is."""

    plans: Mapping[str, Plan]
    seed: int
    trace: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self.elapsed = 0.0
        self.skew = timedelta(0)
        self.processes: dict[AttemptKey, Process] = {}
        self.beings: list[Being] = []
        self.acknowledged: list[str] = []
        self.ledger: list[Noted] = []
        self.asked_to_end: set[str] = set()
        self.by_digest = {plan.digest: plan for top in self.plans.values() for plan in (top, *top.children.values())}
        self.store = WorldStore.in_memory()
        assert isinstance(self.store, WorldStore)
        self.store.world = self
        self._ids = 0
        self._born = 0

    # --- what engines are lent ------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The clock on the wall, which somebody may have set."""
        return START + timedelta(seconds=self.elapsed) + self.skew

    def new(self, at: datetime) -> str:
        """The next id."""
        self._ids += 1
        return encode(self._ids)

    def plan(self, digest: str, *, base: str) -> Plan:
        """The plan of a stored run."""
        return self.by_digest[digest]

    def begin(self, launch: Launch, engine: str) -> None:
        """An engine starts a process: it must be allowed to."""
        key = launch.key
        log = [
            (row.type, row.task, row.item, row.data.get("round"), row.data.get("attempt"))
            for row in self.store.events(key.run_id)
        ]
        assert ("attempt_started", key.task, key.item, key.round, key.attempt) in log, f"{key} is not in the log"
        assert key not in self.processes, f"{key} is started a second time"
        for other in self.processes.values():
            if other.unit == (key.run_id, key.task, key.item) and not other.told and other.engine == engine:
                raise AssertionError(f"{key} starts while {other.key} runs")
        mine = sum(1 for each in self.processes.values() if each.engine == engine and not each.told)
        assert mine < SLOTS, f"{engine} runs {mine} already"
        chance = self.draw.random()
        outcome = Outcome(Ending.SUCCEEDED, output={"n": 1} if launch.outputs else {})
        if chance < 0.12:
            outcome = Outcome(Ending.FAILED, Failure("exit", "exit code 1", exit_code=1), exit_code=1)
        elif chance < 0.15:
            outcome = Outcome(Ending.LOST, Failure("lost", "the worker is gone"))
        took = self.draw.choice((0.0, 0.1, 1.0, 5.0, 30.0)) * (0.5 + self.draw.random())
        self.processes[key] = Process(key, launch.token, engine, self.elapsed + took, outcome)
        self._write_down(key, "start")

    def _write_down(self, key: AttemptKey, what: str) -> None:
        """A process writes to the ledger, which counts moments."""
        self.ledger.append(Noted(key.run_id, key.task, key.item, key.round, key.attempt, what, len(self.ledger)))

    # --- what happens ---------------------------------------------------------------------------------------------------

    def live(self, *, steps: int) -> None:
        """Let things happen, then let everything that was begun come to its end."""
        self.be_born()
        for _ in range(steps):
            self._happen()
            self.step()
        self.settle()

    def settle(self) -> None:
        """Nothing befalls anybody any more: everything that was begun comes to its end."""
        for being in self.beings:
            being.asleep_until = 0.0
            being.door.dies = None
        for _ in range(MOST_STEPS):
            if not self._open_runs():
                return
            if not self.beings:
                self.be_born()
            self.step()
        raise AssertionError(f"these runs do not end: {self._open_runs()}")

    def _open_runs(self) -> list[str]:
        every = RunFilter(top_level_only=False)
        return [row.id for row in self.store.runs(every, limit=1000).items if row.state not in FINAL]

    def _happen(self) -> None:
        """Draw what befalls whom, most often nothing."""
        chance = self.draw.random()
        for share, act in (
            (0.10, self.submit),
            (0.03, self.be_born),
            (0.03, self.kill),
            (0.04, self.doom),
            (0.03, self.suspend),
            (0.01, self.cancel),
            (0.01, self.set_clock),
            (0.015, self.cut_power),
        ):
            chance -= share
            if chance < 0:
                act()
                return

    def kill(self) -> None:
        """An engine dies."""
        if self.beings:
            self._note("kill", self._die(self.draw.choice(self.beings)))

    def doom(self) -> None:
        """An engine will die just before its next commit, or right after it."""
        if self.beings:
            being = self.draw.choice(self.beings)
            being.door.dies = self.draw.choice(("before", "after"))
            self._note("will die", being.name, being.door.dies)

    def suspend(self) -> None:
        """An engine does nothing for a while, perhaps longer than its lease lasts."""
        if self.beings:
            being = self.draw.choice(self.beings)
            being.asleep_until = self.elapsed + self.draw.choice((3.0, 20.0, 90.0))
            self._note("suspend", being.name)

    def set_clock(self) -> None:
        """Somebody sets the system's clock; engines that start later see it."""
        self.skew += timedelta(seconds=self.draw.choice((-3600, -1, 1, 3600)))
        self._note("set the clock", self.skew)

    def step(self) -> None:
        """One engine takes a turn; if none has anything to do, time passes."""
        self._deliver()
        ready = [being for being in self.beings if self._is_ready(being)]
        if not ready:
            self._pass_time()
            return
        being = self.draw.choice(ready)
        being.steps += 1
        try:
            being.engine.turn()
        except Killed:
            self._note("died at a commit", self._die(being))
        except StoreConflict:
            raise
        except StoreError as error:
            self._note("gave up", self._die(being), error)

    def _is_ready(self, being: Being) -> bool:
        return being.asleep_until <= self.elapsed and (bool(being.post.mail) or being.post.until <= self.elapsed)

    def _pass_time(self) -> None:
        moments = [each.ends_at for each in self.processes.values() if not each.told]
        moments += [max(being.post.until, being.asleep_until) for being in self.beings]
        later = [moment for moment in moments if moment > self.elapsed]
        self.elapsed = min(later, default=self.elapsed + 1.0) if later else self.elapsed + 1.0
        if self.elapsed == float("inf"):
            raise AssertionError("nothing will ever happen")

    def _deliver(self) -> None:
        homes = {being.name: being for being in self.beings}
        for process in self.processes.values():
            if not process.ended and process.ends_at <= self.elapsed:
                process.ended = True
                self._write_down(process.key, "end")
            being = homes.get(process.engine)
            if process.ended and not process.told and being is not None:
                process.told = True
                being.post.mail.append(AttemptEnded(process.key, process.outcome))

    def be_born(self) -> None:
        """An engine starts, unless there are enough."""
        if len(self.beings) >= MOST_ENGINES:
            return
        self._born += 1
        name = f"elsewhere/boot/{self._born}/{self._born}/0"
        post, door = Post(self), Doorkeeper(self)
        host = {"PATH": "/bin"}
        parts = EngineParts(
            store=door,
            waiter=post,
            runner=Hands(self, name, post),
            clock=Watch(self, self.skew),
            ids=self,
            random=self.draw.random,
            around=Surroundings(host, NoFolders(Path("/runs")), Secrets(host)),
            owner=name,
            slots=SLOTS,
            keeping=Keeping(self, terms=Terms(), takes_over=True, elapsed=lambda: self.elapsed),
        )
        self.beings.append(Being(name, Engine(parts), post, door))
        self._note("born", name)

    def _die(self, being: Being) -> str:
        """What it was told and had not committed is told to the next one: a spawner keeps it until it is settled."""
        self.beings.remove(being)
        for process in self.processes.values():
            if process.engine == being.name and process.told and not self._is_recorded(process.key):
                process.told = False
        return being.name

    def _is_recorded(self, key: AttemptKey) -> bool:
        return any(
            (row.round, row.attempt) == (key.round, key.attempt) and row.ended_at is not None
            for row in self.store.attempts(key.run_id, task=key.task, item=-1 if key.item is None else key.item)
        )

    def cut_power(self) -> None:
        """A machine loses power: nobody will ever know of the processes of one engine, which is gone, too."""
        if not self.processes:
            return
        engine = self.draw.choice(sorted({process.engine for process in self.processes.values()}))
        for being in [each for each in self.beings if each.name == engine]:
            self._die(being)
        self._note("power off", engine)
        for process in self.processes.values():
            if process.engine == engine:
                if not process.ended:
                    process.ended = True
                    self._write_down(process.key, "end")
                process.told = True

    def submit(self) -> None:
        """Somebody asks an engine for a run, and is told its id unless the engine dies."""
        awake = [being for being in self.beings if being.asleep_until <= self.elapsed]
        if not awake:
            return
        being = self.draw.choice(awake)
        name = self.draw.choice(sorted(self.plans))
        plan = self.plans[name]
        try:
            run_id = being.engine.submit(Submission(plan, bind_parameters(plan.params, {}, {})))
        except Killed:
            self._note("died submitting", self._die(being))
            return
        self.acknowledged.append(run_id)
        self._note("submit", name, run_id, being.name)

    def cancel(self) -> None:
        """Somebody asks for the end of a run."""
        runs = self._open_runs()
        if runs:
            run_id = self.draw.choice(runs)
            force = self.draw.random() < 0.3
            message = inbox.cancel_message(
                self.new(self.now()), run_id, by="somebody", note=None, force=force, at=self.now()
            )
            self.store.ask(message)
            self.asked_to_end.add(run_id)
            self._note("cancel", run_id, force)

    def _note(self, *words: object) -> None:
        self.trace.append(f"{self.elapsed:.1f} " + " ".join(map(str, words)))

    # --- what must be so ------------------------------------------------------------------------------------------------

    def judge(self) -> None:
        """Hold the store against the guarantees (`tests.checker`)."""
        plan_of = lambda row: self.by_digest[row.digest]  # noqa: E731
        check_all(
            self.store,
            plan_of,
            acknowledged=self.acknowledged,
            ledger=self.ledger,
            limits={"each": 3},
        )
        left = [process.key for process in self.processes.values() if not process.told]
        assert not left, f"I7: {left} still run"
        for row in every_run(self.store):
            by_parent = row.parent_run is not None
            assert row.state != "cancelled" or by_parent or row.id in self.asked_to_end, (
                f"nobody asked for the end of {row.id}"
            )
