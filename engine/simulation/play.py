"""Play a flow from submission to its end, in no time and without effects."""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from msgspec import Struct, field

from engine.errors import FlowctlError
from engine.ids import encode
from engine.launching import Surroundings
from engine.loop import Engine, Observer
from engine.outcomes import Json
from engine.parts import EngineParts
from engine.plan import Plan
from engine.run_files import RunFiles
from engine.secrets import Secrets
from engine.simulation.clockwork import Clockwork, VirtualClock
from engine.simulation.runner import StubRunner
from engine.simulation.stubs import StubSet
from engine.simulation.trace import Trace, TracedRun
from engine.store.port import Store
from engine.store.sqlite import SqliteStore
from engine.submission import Submission, passed_environment
from specs.context import Catalogue

BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)
"""When simulated runs begin unless told otherwise: always the same, so that a trace is."""

FOLDER = Path("/simulated")
"""Where the files of simulated runs would be: those of the first run in `1`, of the next in `2`."""

SURROUNDINGS: Mapping[str, str] = {"PATH": "/usr/bin:/bin", "HOME": "/home/simulated", "LANG": "C.UTF-8"}
"""The engine's own environment: never that of the machine, on which a trace would depend."""

MOST_EVENTS = 2_000_000


class SimulationTooLong(FlowctlError):
    """More happens in the run than a simulation can hold."""

    code = "simulation_too_long"


class Setup(Struct, frozen=True):
    """What a simulation starts from.

    Attributes:
        params: complete, as `bind_parameters` returns them.
        env: variables given for the run, as on the command line.
        host: variables of the machine, of which flows get those that their `host_env` lets through.
        secrets: by the name the flow gives them; others are invented.
        seed: of the jitter of retries and of run ids.
        at: when the run is submitted.
        catalogue: knows the outputs of connectors.
    """

    plan: Plan
    params: Mapping[str, Json]
    env: Mapping[str, str] = field(default_factory=dict)
    host: Mapping[str, str] = field(default_factory=dict)
    trigger: Mapping[str, Json] = field(default_factory=lambda: {"kind": "manual"})
    stubs: StubSet = field(default_factory=StubSet)
    secrets: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    at: datetime = BEGINNING
    catalogue: Catalogue | None = None


class Played(Struct, frozen=True):
    """A run that was simulated to its end, everything that happened, and the store that holds it."""

    first: TracedRun
    trace: Trace
    store: Store


def play(setup: Setup, *, observers: Iterable[Observer] = (), most_events: int = MOST_EVENTS) -> Played:
    """Simulate a run. The same setup gives the same events, ids and instants included.

    Raises:
        SimulationTooLong: there are more than `most_events`, or the calendar ends before the run does.
    """
    trace = Trace(setup.plan, most_events=most_events)
    store = SqliteStore.in_memory()
    engine = Engine(_parts(setup, trace, store), observers=[trace, *observers])
    try:
        env = passed_environment(setup.plan, setup.host, setup.env)
        run_id = engine.submit(Submission(setup.plan, setup.params, env=env, trigger=setup.trigger))
        traced = trace.runs[run_id]
        while not traced.run.state.is_final:
            engine.turn()
            if trace.is_full:
                raise SimulationTooLong(
                    f"more than {most_events:,} events happen in this run", hint="simulate it with fewer items"
                )
    except OverflowError:
        raise SimulationTooLong(
            "the run does not end before the year 9999", hint="look at its waits, or begin earlier with `--at`"
        ) from None
    return Played(traced, trace, store)


def _parts(setup: Setup, trace: Trace, store: Store) -> EngineParts:
    clock = VirtualClock(setup.at)
    clockwork = Clockwork(clock)
    runner = StubRunner(setup.stubs, trace=trace, clock=clock, clockwork=clockwork, catalogue=setup.catalogue)
    return EngineParts(
        store=store,
        waiter=clockwork,
        runner=runner,
        clock=clock,
        ids=SeededIds(setup.seed),
        random=random.Random(setup.seed).random,  # noqa: S311 - jitter, and the same each time
        around=Surroundings({**setup.host, **SURROUNDINGS}, ImaginaryFiles(FOLDER), GivenSecrets(setup.secrets)),
        owner="simulation",
    )


class SeededIds:
    """Ids of the usual form whose random part comes from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"ids {seed}")  # noqa: S311 - ids of runs that never were

    def new(self, at: datetime) -> str:
        """The next id."""
        return encode(int(at.timestamp() * 1000) << 80 | self._random.getrandbits(80))


class ImaginaryFiles(RunFiles):
    """Paths with nothing behind them, short and the same each time: runs are numbered in the order they are met."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self._numbers: dict[str, str] = {}

    def make_run(self, run_id: str) -> None:
        """Nothing: a simulation leaves no trace on the machine."""

    def run_folder(self, run_id: str) -> str:
        """The folder a run would have."""
        return f"{self.root}/{self._numbers.setdefault(run_id, str(len(self._numbers) + 1))}"


class GivenSecrets(Secrets):
    """Secrets that a test gives, by name; any other has a value made of its name."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__({})
        self._given = given

    def get(self, name: str, source: str) -> str:  # noqa: ARG002 - it is looked up nowhere
        """The value given for `name`, else an invented one."""
        return self._given.get(name, f"secret-{name}")

    def resolved(self, sources: Mapping[str, str]) -> tuple[str, ...]:
        """The values of all secrets that `sources` names."""
        return tuple(self.get(name, source) for name, source in sources.items())
