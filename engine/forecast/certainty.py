"""What certainly will not run, whatever happens: conditions that parameters alone decide, and all that hangs on them.

Follows `LANGUAGE.md` 5 with what an edge *can* become instead of what it is: a task is ruled out only when no course of
events, failures included, makes it run. Cancelling a run is not foreseen.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain

from msgspec import Struct

from engine.outcomes import Json
from engine.plan import BranchAction, Edge, EdgeKind, Plan, PlanTask, SwitchAction
from specs.expressions import EvaluationError, Expression, evaluate, references


class Unknown:
    """The value of an expression that reads more than the parameters there are."""


UNKNOWN = Unknown()


class Certainty(Struct, frozen=True):
    """`never` maps tasks that cannot run to the reason; `passed` are tasks whose `if` is true with these parameters."""

    never: Mapping[str, str]
    passed: frozenset[str]


def certainty(plan: Plan, params: Mapping[str, Json]) -> Certainty:
    """What the parameters alone decide about the flow's own tasks."""
    return _Search(plan, params).result()


def known_value(expression: Expression, params: Mapping[str, Json]) -> Json | Unknown:
    """The value of an expression that reads nothing but these parameters, `UNKNOWN` of any other or of one that fails."""
    for reference in references(expression):
        if reference.root != "params" or not reference.keys or reference.keys[0] not in params:
            return UNKNOWN
    try:
        return evaluate(expression, {"params": params})
    except EvaluationError:
        return UNKNOWN


class _Search:
    """Goes through the tasks in an order in which everything upstream is settled."""

    def __init__(self, plan: Plan, params: Mapping[str, Json]) -> None:
        self.plan = plan
        self.params = params
        self.never: dict[str, str] = {}
        self.skipped: set[str] = set()  # never runs, and cannot be blocked either: its edges are off
        self.passed: set[str] = set()
        self.dead_arms: set[tuple[str, str]] = set()

    def result(self) -> Certainty:
        for id_ in chain.from_iterable(self.plan.waves):
            task = self.plan.tasks[id_]
            reason = self._reason(task)
            if reason is not None:
                self.never[id_] = reason
                if all(self._can_only_be_off(edge) for edge in task.edges):
                    self.skipped.add(id_)
            self.dead_arms.update((id_, target) for target in _targets_ruled_out(task, self.params))
        return Certainty(self.never, frozenset(self.passed))

    def _reason(self, task: PlanTask) -> str | None:
        """Why the task cannot run, or `None`."""
        if task.condition is not None:
            value = known_value(task.condition, self.params)
            if value is False:
                return f"`if: {task.condition.text}` is false"
            if value is True:
                self.passed.add(task.id)
        if not self.never and not self.dead_arms:
            return None  # an edge can fail to be met only where something was ruled out
        arms = [edge for edge in task.edges if edge.kind is EdgeKind.ARM]
        flat = [edge for edge in task.edges if edge.kind is not EdgeKind.ARM]
        if arms and not any(self._can_be_met(edge, task) for edge in arms):
            return self._arms_reason(arms)
        return self._join_reason(task, flat) if flat else None

    def _arms_reason(self, arms: list[Edge]) -> str:
        alive = [edge.upstream for edge in arms if edge.upstream not in self.never]
        return f"`{alive[0]}` takes another arm" if alive else f"`{arms[0].upstream}` does not run"

    def _join_reason(self, task: PlanTask, flat: list[Edge]) -> str | None:
        dead = next((edge.upstream for edge in flat if not self._can_be_met(edge, task)), None)
        if dead is None:
            return None
        possible = [edge for edge in flat if self._can_be_met(edge, task)]
        reason = f"`{dead}` does not run"
        if task.join == "any" or isinstance(task.join, int):
            return reason if len(possible) < (1 if task.join == "any" else task.join) else None
        kinds = {edge.kind for edge in possible}
        asked = {edge.kind for edge in flat}
        if EdgeKind.AFTER_FAILURE in asked - kinds or not kinds:
            return reason
        wanted = [edge for edge in flat if edge.kind is not EdgeKind.AFTER_FAILURE]  # of failures one is enough
        strict = task.join == "strict" and any(edge.upstream in self.skipped for edge in wanted)
        return reason if strict else None

    def _can_be_met(self, edge: Edge, task: PlanTask) -> bool:
        if edge.kind is EdgeKind.ARM and (edge.upstream, task.id) in self.dead_arms:
            return False
        if edge.kind is EdgeKind.AFTER_END:
            return edge.upstream not in self.skipped  # what is blocked has ended, too
        return edge.upstream not in self.never

    def _can_only_be_off(self, edge: Edge) -> bool:
        """Whether the edge cannot break, so that a task with such edges alone is skipped and never blocked."""
        return edge.kind in (EdgeKind.AFTER_END, EdgeKind.AFTER_FAILURE) or edge.upstream in self.skipped


# --- choices ----------------------------------------------------------------------------------------------------------


def _targets_ruled_out(task: PlanTask, params: Mapping[str, Json]) -> set[str]:
    """Tasks that a branch or a switch names and certainly does not take."""
    if isinstance(task.action, BranchAction):
        arms = list(_branch_arms(task.action, params))
    elif isinstance(task.action, SwitchAction):
        arms = list(_switch_arms(task.action, params))
    else:
        return set()
    possible = {target for targets, open_ in arms if open_ for target in targets}
    return {target for targets, _ in arms for target in targets} - possible


def _branch_arms(action: BranchAction, params: Mapping[str, Json]) -> Iterator[tuple[tuple[str, ...], bool]]:
    """Each arm's tasks, and whether it can be the one taken: the first true one is, so what follows it is not."""
    decided = False
    for arm in action.arms:
        value = True if arm.condition is None else known_value(arm.condition, params)
        yield arm.tasks, value is not False and not decided
        decided = decided or value is True


def _switch_arms(action: SwitchAction, params: Mapping[str, Json]) -> Iterator[tuple[tuple[str, ...], bool]]:
    value = known_value(action.value, params)
    matched = False
    for case, tasks in action.cases:
        here = isinstance(value, Unknown) or _equal(value, case)
        matched = matched or (here and not isinstance(value, Unknown))
        yield tasks, here
    if action.default is not None:
        yield action.default, not matched


def _equal(value: Json, case: str | int | float | bool) -> bool:
    """Typed equality: a text is no number and a boolean is neither."""
    if isinstance(value, bool) or isinstance(case, bool):
        return value is case
    return isinstance(value, str) == isinstance(case, str) and value == case
