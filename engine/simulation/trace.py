"""What happened in a simulation: every event in order, every run folded from its events, every launch as it was made."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct, field

from engine.attempts import Launch
from engine.events import Event, RunSubmitted, TaskSucceeded
from engine.evolve import evolve, new_run
from engine.outcomes import Json
from engine.plan import Plan, SwitchAction
from engine.run import Run
from engine.scope import task_scope
from specs.expressions import evaluate

Unit = tuple[str, int | None]
"""A task and, of a fan-out, the position of an item."""


class Segment(Struct, frozen=True):
    """A step on the way to a run of a sub-flow: the task that called it, and of a fan-out which item."""

    task: str
    item: int | None = None
    key: str | None = None

    def __str__(self) -> str:
        return self.task if self.item is None else f"{self.task}[{self.key}]"


class TracedRun(Struct):
    """One run of the simulation.

    Attributes:
        path: from the run that was asked for to this one; empty for the first.
        run: as its events have made it.
        launches: what attempts of a unit were started with, in order, those of earlier rounds included.
        children: runs of the sub-flow that a unit called, in order.
    """

    plan: Plan
    run: Run
    path: tuple[Segment, ...] = ()
    launches: dict[Unit, list[Launch]] = field(default_factory=dict)
    children: dict[Unit, list[TracedRun]] = field(default_factory=dict)

    def label(self, task: str, item: int | None = None) -> str:
        """How a task, or an item, of this run is called in the trace: `deliver_one[7]/email`."""
        return "/".join(str(segment) for segment in (*self.path, self.segment(task, item)))

    def segment(self, task: str, item: int | None) -> Segment:
        """The step to a task, or an item, of this run."""
        items = self.run.tasks[task].items
        if item is None or items is None:
            return Segment(task)
        return Segment(task, item, items[item].key)


class Entry(Struct, frozen=True):
    """One event. `value` is what a switch compared, of the event that says what it chose; `None` for all others."""

    run: TracedRun
    seq: int
    event: Event
    value: Json = None


class Trace:
    """An observer that keeps everything; `runs` are in the order of their submission."""

    def __init__(self, plan: Plan, *, most_events: int) -> None:
        self._plan = plan
        self._most_events = most_events
        self.entries: list[Entry] = []
        self.runs: dict[str, TracedRun] = {}

    @property
    def is_full(self) -> bool:
        """Whether more has happened than a simulation is meant for."""
        return len(self.entries) > self._most_events

    @property
    def first(self) -> TracedRun:
        """The run that was asked for."""
        return next(iter(self.runs.values()))

    def __call__(self, run_id: str, seq: int, event: Event) -> None:
        """Take in an event."""
        if isinstance(event, RunSubmitted):
            self.runs[run_id] = self._begin(run_id, event)
        traced = self.runs[run_id]
        value = _switched(traced, event)
        evolve(traced.plan, traced.run, event)
        self.entries.append(Entry(traced, seq, event, value))

    def of(self, traced: TracedRun) -> Iterator[Entry]:
        """The events of one run."""
        return (entry for entry in self.entries if entry.run is traced)

    def _begin(self, run_id: str, event: RunSubmitted) -> TracedRun:
        if event.parent_run is None or event.parent_task is None:
            return TracedRun(self._plan, new_run(self._plan, run_id))
        parent = self.runs[event.parent_run]
        plan = next(one for one in parent.plan.children.values() if one.digest == event.digest)
        path = (*parent.path, parent.segment(event.parent_task, event.parent_item))
        child = TracedRun(plan, new_run(plan, run_id), path)
        parent.children.setdefault((event.parent_task, event.parent_item), []).append(child)
        return child


def _switched(traced: TracedRun, event: Event) -> Json:
    """The value that decided a switch, evaluated again: the event names the tasks only, and cases may share them."""
    if not isinstance(event, TaskSucceeded) or event.item is not None:
        return None
    action = traced.plan.tasks[event.task].action
    if not isinstance(action, SwitchAction):
        return None
    value: Json = evaluate(action.value, task_scope(traced.plan, traced.run, event.task))
    return value
