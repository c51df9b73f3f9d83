"""The real loop and the real store, in memory; attempts are made by a script and time jumps to what comes next."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from engine.attempts import AttemptEnded, AttemptFiles, AttemptKey, Launch
from engine.compile import compile_flow
from engine.events import TYPE_NAMES, Event, decode
from engine.evolve import fold
from engine.ids import encode
from engine.launching import Surroundings
from engine.loop import Engine
from engine.outcomes import Ending, Outcome
from engine.parameters import bind_parameters
from engine.parts import EngineParts
from engine.plan import Plan
from engine.run import Run
from engine.run_files import RunFiles
from engine.secrets import Secrets
from engine.simulation.clockwork import Clockwork, VirtualClock
from engine.store.port import Store
from engine.store.rows import RunBatch
from engine.store.sqlite import SqliteStore
from engine.submission import Submission, passed_environment
from specs.check import check_text
from specs.files import FileProblem

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OK = Outcome(Ending.SUCCEEDED)
Script = Callable[[Launch], tuple[float, Outcome]]
"""How long an attempt takes, in seconds, and how it ends."""


def one_second(launch: Launch) -> tuple[float, Outcome]:
    """What attempts do for which there is no script."""
    return 1.0, OK


@dataclass
class FlowFiles:
    """Called flows by name of file."""

    texts: Mapping[str, str]

    def read(self, path: str) -> bytes:
        if path not in self.texts:
            raise FileProblem("it does not exist")
        return f"version: 1\n{dedent(self.texts[path])}".encode()

    def root_of(self, path: str) -> str:
        return "."

    def siblings(self, path: str) -> list[str]:
        return sorted(self.texts)


def plan_of(text: str, **called: str) -> Plan:
    """The plan of a flow; `called` are flows it may call as `NAME.yaml`, all without `version`."""
    files = FlowFiles({f"{name}.yaml": flow for name, flow in called.items()})
    checked = check_text(f"version: 1\nname: top\n{dedent(text)}".encode(), "top.yaml", files)
    assert checked.ok, [f"{d.code}: {d.message}" for d in checked.diagnostics]
    return compile_flow(checked, base=Path("/flows"))


class NoFolders(RunFiles):
    """Files that are never made."""

    def make_run(self, run_id: str) -> None:
        """Nothing is written."""

    def make_attempt(self, key: AttemptKey, files: AttemptFiles) -> None:
        """Nothing either."""


class CountedIds:
    """Ids that count."""

    def __init__(self) -> None:
        self._last = 0

    def new(self, at: datetime) -> str:
        """The next id."""
        self._last += 1
        return encode(self._last)


@dataclass
class ScriptedRunner:
    """Makes attempts as a script says, and reports them through the waiter when their time has come.

    `committed` tells of an attempt whether the store knows that it was started; nothing else may be.
    """

    waiter: Clockwork
    clock: VirtualClock
    scripts: Mapping[str, Script]
    committed: Callable[[AttemptKey], bool]
    launches: list[Launch] = field(default_factory=list)
    stops: list[tuple[str, float]] = field(default_factory=list)
    recovered: list[tuple[Launch, str]] = field(default_factory=list)
    stubborn: frozenset[str] = frozenset()

    def start(self, launch: Launch) -> None:
        """Begin an attempt."""
        assert self.committed(launch.key), f"{launch.key} was started and is not in the store"
        self.launches.append(launch)
        took, outcome = self.scripts.get(launch.key.task, one_second)(launch)
        self.waiter.post_at(self.clock.now() + timedelta(seconds=took), AttemptEnded(launch.key, outcome))

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:
        """End an attempt at once, a stubborn one after its grace. The engine drops what is reported later."""
        if all(launch.key != key for launch in self.launches):
            return  # not an attempt of ours, but a called flow
        self.stops.append((key.task, grace.total_seconds()))
        waits = grace if key.task in self.stubborn else timedelta(0)
        self.waiter.post_at(self.clock.now() + waits, AttemptEnded(key, Outcome(Ending.STOPPED)))

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:
        """Attempts of an engine that is gone are lost."""
        self.recovered += [(launch, origin) for launch in launches]
        for launch in launches:
            self.waiter.post(AttemptEnded(launch.key, Outcome(Ending.LOST)))

    def leave(self) -> None:
        """Nothing is left."""

    def close(self) -> None:
        """Nothing is left."""


class FailingStore:
    """A store that raises at its n-th commit, counted from 1, with nothing written."""

    def __init__(self, store: Store, *, at: int, error: Exception) -> None:
        self._store = store
        self._left = at
        self._error = error
        self.commits = 0

    def commit(self, batches: Sequence[RunBatch], **also: Any) -> None:
        """Write, or fail."""
        self._left -= 1
        if self._left == 0:
            raise self._error
        self._store.commit(batches, **also)
        self.commits += 1

    def __getattr__(self, name: str) -> Any:
        found: object = getattr(self._store, name)
        return found


class Loop:
    """An engine with everything it is built from."""

    def __init__(
        self,
        scripts: Mapping[str, Script] | None = None,
        *,
        slots: int = 64,
        host: Mapping[str, str] | None = None,
        failing: tuple[int, Exception] | None = None,
        stubborn: Sequence[str] = (),
        draw: float = 0.5,
        files: RunFiles | None = None,
    ) -> None:
        self.clock = VirtualClock(START)
        self.waiter = Clockwork(self.clock)
        self.memory = SqliteStore.in_memory()
        self.store: Any = FailingStore(self.memory, at=failing[0], error=failing[1]) if failing else self.memory
        self.runner = ScriptedRunner(self.waiter, self.clock, scripts or {}, self._is_committed)
        self.runner.stubborn = frozenset(stubborn)
        self.host = {"PATH": "/bin", **(host or {})}
        self.told: list[tuple[str, int, Event]] = []
        parts = EngineParts(
            store=self.store,
            waiter=self.waiter,
            runner=self.runner,
            clock=self.clock,
            ids=CountedIds(),
            random=lambda: draw,
            around=Surroundings(self.host, files or NoFolders(Path("/runs")), Secrets(self.host)),
            owner="test",
            slots=slots,
        )
        self.engine = Engine(parts, observers=[lambda run_id, seq, event: self.told.append((run_id, seq, event))])

    def _is_committed(self, key: AttemptKey) -> bool:
        return any(
            row.type == "attempt_started"
            and (row.task, row.item, row.data["round"], row.data["attempt"])
            == (key.task, key.item, key.round, key.attempt)
            for row in self.memory.events(key.run_id)
        )

    def submit(self, plan: Plan, *, env: Mapping[str, str] | None = None, **facts: Any) -> str:
        """Submit a run; `facts` are parameters, and `priority`."""
        priority = facts.pop("priority", None)
        params = bind_parameters(plan.params, {}, facts)
        return self.engine.submit(
            Submission(plan, params, env=passed_environment(plan, self.host, env or {}), priority=priority)
        )

    def run(self, plan: Plan, **facts: Any) -> Run:
        """Submit a run and drive it to its end."""
        return self.engine.drive(self.submit(plan, **facts))

    def until(self, moment: Callable[[], bool]) -> None:
        """Turn the loop until something is so."""
        while not moment():
            self.engine.turn()

    @property
    def started(self) -> list[str]:
        """Tasks in the order in which their attempts were started."""
        return [launch.key.task for launch in self.runner.launches]

    def seconds(self) -> float:
        """How much time has passed."""
        return (self.clock.now() - START).total_seconds()

    def logged(self, run_id: str) -> list[Event]:
        """The events of a run as the store has them."""
        return [decode(row.type, row.at, row.task, row.item, row.data) for row in self.memory.events(run_id)]

    def require_replay(self, plan: Plan, run: Run) -> None:
        """The log in the store folds to the run that was driven."""
        assert fold(plan, run.id, self.logged(run.id)) == run
        assert [event for run_id, _, event in self.told if run_id == run.id] == self.logged(run.id)


def names(events: Iterator[Event] | Sequence[Event]) -> list[str]:
    """The types of events, in order."""
    return [TYPE_NAMES[type(event)] for event in events]
