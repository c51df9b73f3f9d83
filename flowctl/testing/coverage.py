"""Which of a flow's ways the cases have gone: tasks, arms, cases of a switch, conditions both ways, handlers, retries."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from msgspec import Struct, field

from engine.events import (
    AttemptStarted,
    EdgeTimedOut,
    FannedOut,
    ResetRequested,
    TaskQueued,
    TaskRetrying,
    TaskSkipped,
    TaskSucceeded,
)
from engine.plan import BranchAction, EdgeKind, Plan, PlanTask, SwitchAction
from engine.simulation import Entry, Trace
from specs.expressions import references

CONDITION_IS_FALSE = "`if` is false"
"""The reason of a skip by a task's own condition, as the engine gives it."""

Point: TypeAlias = tuple[str, str]
"""What is counted, and which one: `("arms", "arm 2 of `route`")`."""

KINDS = ("tasks", "handlers", "hooks", "undo", "arms", "conditions", "retries", "resets")


class FlowCoverage(Struct):
    """The points of one flow, each with whether any case has come by, in file order."""

    name: str
    points: dict[Point, bool] = field(default_factory=dict)

    @property
    def covered(self) -> int:
        """How many points were reached."""
        return sum(self.points.values())

    @property
    def missed(self) -> tuple[str, ...]:
        """Names of the points that were not."""
        return tuple(name for (_, name), reached in self.points.items() if not reached)

    def by_kind(self) -> Iterator[tuple[str, int, int]]:
        """For each kind that the flow has: how many points were reached, and how many there are."""
        for kind in KINDS:
            reached = [value for (one, _), value in self.points.items() if one == kind]
            if reached:
                yield kind, sum(reached), len(reached)


class Coverage:
    """What all cases together have reached, by flow."""

    def __init__(self) -> None:
        self._flows: dict[str, FlowCoverage] = {}

    def expect(self, plan: Plan, name: str) -> None:
        """Count the ways of a flow and of those it calls; repeatable. `name` is how the flow is shown."""
        if plan.digest in self._flows:
            return
        self._flows[plan.digest] = FlowCoverage(name, dict.fromkeys(points_of(plan), False))
        for text, child in plan.children.items():
            self.expect(child, _beside(name, text))

    def add(self, trace: Trace) -> None:
        """Take in what one case has reached."""
        for entry in trace.entries:
            flow = self._flows[entry.run.plan.digest]
            for point in _reached(entry):
                if point in flow.points:
                    flow.points[point] = True

    @property
    def flows(self) -> tuple[FlowCoverage, ...]:
        """Each flow once, in the order in which they were met."""
        return tuple(self._flows.values())

    @property
    def percent(self) -> float:
        """The share of all points that was reached; 100 where there is nothing to reach."""
        total = sum(len(flow.points) for flow in self.flows)
        return 100.0 if not total else 100.0 * sum(flow.covered for flow in self.flows) / total


def _beside(caller: str, text: str) -> str:
    """How a called flow is shown: its path where it is called by one, else its name."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(caller), text)) if "." in text else text


def percent_of(flow: FlowCoverage) -> float:
    """The share of the flow's points that was reached."""
    return 100.0 if not flow.points else 100.0 * flow.covered / len(flow.points)


# --- what there is ------------------------------------------------------------------------------------------------------


def points_of(plan: Plan) -> Iterator[Point]:
    """Everything a case can reach in a flow, in file order."""
    for task in plan.tasks.values():
        yield _run_of(task)
        yield from _ways_of(task)
        if task.condition is not None and any(references(task.condition)):
            yield "conditions", f"`if` of `{task.id}` true"
            yield "conditions", f"`if` of `{task.id}` false"
        if task.retry.attempts > 1:
            yield "retries", f"a retry of `{task.id}`"
        if task.retry_upstream is not None:
            yield "resets", f"a new round asked for by `{task.id}`"


def _run_of(task: PlanTask) -> Point:
    kind = "tasks"
    if task.id.startswith(("hooks.", "undo.")):
        kind = "hooks" if task.id.startswith("hooks.") else "undo"
    elif any(edge.kind is EdgeKind.AFTER_FAILURE for edge in task.edges):
        kind = "handlers"
    return kind, f"`{task.id}`"


def _ways_of(task: PlanTask) -> Iterator[Point]:
    match task.action:
        case BranchAction(arms=arms):
            for number in range(1, len(arms) + 1):
                yield _arm(task.id, number)
            if arms[-1].condition is not None:
                yield _arm(task.id, None)
        case SwitchAction(cases=cases, default=default):
            for case, _ in cases:
                yield _case(task.id, case)
            if default is not None:
                yield "arms", f"the default of `{task.id}`"


def _arm(task: str, number: object) -> Point:
    return "arms", f"no arm of `{task}`" if number is None else f"arm {number} of `{task}`"


def _case(task: str, case: object) -> Point:
    shown = str(case).lower() if isinstance(case, bool) else str(case)
    return "arms", f"case `{shown}` of `{task}`"


# --- what was reached ---------------------------------------------------------------------------------------------------


def _reached(entry: Entry) -> Iterable[Point]:
    event, plan = entry.event, entry.run.plan
    match event:
        case AttemptStarted():
            task = plan.tasks[event.task]
            return (_run_of(task), ("conditions", f"`if` of `{task.id}` true"))
        case TaskQueued() | FannedOut() | EdgeTimedOut():
            return (("conditions", f"`if` of `{event.task}` true"),)
        case TaskSkipped(reason=reason) if reason == CONDITION_IS_FALSE:
            return (("conditions", f"`if` of `{event.task}` false"),)
        case TaskSucceeded(item=None):
            return _taken(entry, plan.tasks[event.task], event.output)
        case TaskRetrying(why=why) if why != "repeat":
            return (("retries", f"a retry of `{event.task}`"),)
        case ResetRequested():
            return (("resets", f"a new round asked for by `{event.task}`"),)
        case _:
            return ()


def _taken(entry: Entry, task: PlanTask, output: object) -> Iterable[Point]:
    match task.action:
        case BranchAction() if isinstance(output, Mapping):
            return (_arm(task.id, output.get("arm")),)
        case SwitchAction(cases=cases):
            found = [case for case, _ in cases if type(case) is type(entry.value) and case == entry.value]
            return (_case(task.id, found[0]) if found else ("arms", f"the default of `{task.id}`"),)
        case _:
            return ()
