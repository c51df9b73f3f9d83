"""One decision in the making: the run, the instant, and the events that follow so far."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct, field

from engine.events import Event
from engine.evolve import evolve
from engine.plan import Plan, PlanTask
from engine.retry import Random
from engine.run import Run, TaskRun


class Decision(Struct):
    """Events are folded into the run as they are emitted, so that what follows sees what came before."""

    plan: Plan
    run: Run
    now: datetime
    random: Random
    events: list[Event] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        """Add `event` to the decision and fold it into the run."""
        evolve(self.plan, self.run, event)
        self.events.append(event)

    def task(self, name: str) -> tuple[PlanTask, TaskRun]:
        """A task as planned and as it stands."""
        return self.plan.tasks[name], self.run.tasks[name]
