"""Drive a plan without processes, files or time: what the loop does, in memory, under a test's hand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from textwrap import dedent
from typing import Any

from engine.attempts import AttemptEnded, AttemptKey, AttemptReady
from engine.commands import Admit, Cancel, Command, Start, Tick
from engine.compile import compile_flow
from engine.decide import decide
from engine.events import TYPE_NAMES, Event, RunSubmitted, decode, encode
from engine.evolve import evolve, fold, new_run
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.parameters import bind_parameters
from engine.plan import Plan
from engine.run import Run
from engine.states import RunState, TaskState
from specs.check import check_text

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OK = Outcome(Ending.SUCCEEDED)


def plan_of(text: str) -> Plan:
    """The plan of a flow written without `version`; the flow must be valid."""
    checked = check_text(f"version: 1\nname: flow\n{dedent(text)}".encode(), "flow.yaml", None)
    assert checked.ok, [f"{d.code}: {d.message}" for d in checked.diagnostics]
    return compile_flow(checked, base=Path("/flows"))


def failed(kind: str = "exit", *, exit_code: int | None = 1, **facts: Any) -> Outcome:
    """A failed attempt."""
    return Outcome(Ending.FAILED, Failure(kind, f"failed with {kind}", exit_code=exit_code, **facts))


@dataclass
class Driving:
    """A run and the clock it lives by. Jitter is drawn as `draw` says, 1/2 by default."""

    plan: Plan
    params: Mapping[str, Json] = field(default_factory=dict)
    draw: Callable[[], float] = lambda: 0.5
    now: datetime = START
    log: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.run: Run = new_run(self.plan, "run")
        bound = bind_parameters(self.plan.params, {}, self.params)
        self._append(RunSubmitted(self.now, self.plan.name, self.plan.digest, bound, directory="/runs/run/work"))

    def _append(self, event: Event) -> None:
        evolve(self.plan, self.run, event)
        self.log.append(event)

    def tell(self, command: Command) -> list[Event]:
        """Decide a command; the events that followed."""
        events = decide(self.plan, self.run, command, now=self.now, random=self.draw)
        self.log.extend(events)
        return events

    def start(self) -> Driving:
        """Begin the run."""
        self.tell(Start())
        return self

    def queued(self) -> list[tuple[str, int | None]]:
        """Units that wait to be admitted, in file order."""
        found: list[tuple[str, int | None]] = []
        for name, task in self.run.tasks.items():
            if task.items is not None:
                found += [(name, i) for i, item in enumerate(task.items) if item.state is TaskState.QUEUED]
            elif task.state is TaskState.QUEUED:
                found.append((name, None))
        return found

    def live(self) -> list[AttemptKey]:
        """Attempts that are being made."""
        found: list[AttemptKey] = []
        for name, task in self.run.tasks.items():
            units = [(None, task)] if task.items is None else list(enumerate(task.items))
            found += [AttemptKey("run", name, i, task.round, unit.attempt) for i, unit in units if unit.live]
        return found

    def admit(self, name: str, item: int | None = None) -> Driving:
        """Start the next attempt of a queued unit."""
        self.tell(Admit(name, item, child="child" if self.plan.tasks[name].kind == "flow" else None))
        return self

    def end(self, name: str, outcome: Outcome = OK, item: int | None = None) -> Driving:
        """Report the end of the attempt that a unit is making."""
        key = next(key for key in self.live() if key.task == name and key.item == item)
        self.tell(AttemptEnded(key, outcome))
        return self

    def ready(self, name: str) -> Driving:
        """Report that a service is ready."""
        key = next(key for key in self.live() if key.task == name)
        self.tell(AttemptReady(key))
        return self

    def do(self, name: str, outcome: Outcome = OK, item: int | None = None) -> Driving:
        """Admit a unit and report its end."""
        return self.admit(name, item).end(name, outcome, item)

    def wait(self, *, seconds: float = 0, until: datetime | None = None) -> Driving:
        """Let time pass."""
        self.now = until or self.now + timedelta(seconds=seconds)
        self.tell(Tick())
        return self

    def cancel(self, *, force: bool = False) -> Driving:
        """Ask for the end of the run."""
        self.tell(Cancel(force=force))
        return self

    def finish(self, outcomes: Mapping[str, Outcome] | None = None) -> Driving:
        """Admit and end everything until nothing moves; attempts end as `outcomes` says for their task, else well.

        Attempts that were told to stop end as stopped; timers are run down when nothing else is left to do.
        """
        ends = outcomes or {}
        while not self.run.state.is_final:
            if queued := self.queued():
                self.admit(*queued[0])
            elif live := self.live():
                unit = self.run.tasks[live[0].task].unit(live[0].item)
                stopped = Outcome(Ending.STOPPED) if unit.stopping else None
                self.tell(AttemptEnded(live[0], stopped or ends.get(live[0].task, OK)))
            elif self.run.timers:
                self.wait(until=max(self.now, self.run.timers[0].at))
            else:
                raise AssertionError(f"stuck: {self.states()}")
        return self

    def states(self) -> dict[str, str]:
        """The state of every task of the flow itself."""
        return {name: str(self.run.tasks[name].state) for name in self.plan.main}

    def state(self, name: str) -> str:
        """The state of one task."""
        return str(self.run.tasks[name].state)

    def failure(self, name: str) -> Failure:
        """Why a task failed."""
        failure = self.run.tasks[name].failure
        assert failure is not None
        return failure

    @property
    def result(self) -> RunState:
        """The state of the run."""
        return self.run.state

    def require_replay(self) -> None:
        """The log, written and read back, folds to the run that was driven."""
        copies = [
            decode(TYPE_NAMES[type(e)], e.at, getattr(e, "task", None), getattr(e, "item", None), encode(e))
            for e in self.log
        ]
        assert copies == self.log
        assert fold(self.plan, "run", copies) == self.run
