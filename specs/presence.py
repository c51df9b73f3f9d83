"""Which tasks may be left out of a run, as far as branches, conditions and handlers tell without evaluating."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from specs.graph import FlowGraph, Link, Path, arm_key


class Condition(Struct, frozen=True):
    """A task is part of a run exactly if one of `arms` of `branch` is taken; an empty branch stands for any reason that
    is not followed further."""

    branch: str
    arms: frozenset[Path]


MAYBE = Condition("", frozenset())
_GATES = ("arm", "after_failure")


def skipped_together(graph: FlowGraph) -> list[str]:
    """The tasks, in file order, that wait only for tasks which may all be skipped while nothing else skips them.

    A task whose join covers all arms of a branch is not among them (arms that only fail apart), nor one that is skipped
    with its arm anyway, nor a handler; of a chain only the first task is, and none with `join: strict`.
    """
    if not any(True for _ in graph.having("condition", "branch", "switch", "after_failure", "join")):
        return []  # nothing is ever skipped
    presence = _Presence(graph)
    found = [task for task in graph.topological() if presence.judge(task)]
    return sorted(found, key=graph.positions.__getitem__)


class _Presence:
    """The condition of each task judged so far; `None` is a task that is part of every run in which nothing fails."""

    def __init__(self, graph: FlowGraph) -> None:
        self._graph = graph
        self._of: dict[str, Condition | None] = {}
        self._failing: dict[str, frozenset[Path]] = {}

    def judge(self, task: str) -> bool:
        """Settle the condition of `task`, all before it being settled, and return whether it is skipped together with
        what it waits for."""
        spec = self._graph.tasks[task]
        if self._is_plain(task):
            self._of[task] = None
            return False
        links, arms = self._graph.edges_of(task), self._graph.arms_of(task)
        gate = self._gate(arms) if arms else None
        upstream = self._deciding(links)
        strict = spec.join == "strict"
        behind, is_whole_join = self._behind(upstream, strict=strict) if upstream else (None, False)
        if behind is not None and _is_within(gate, behind):
            behind = None  # the arms that let this task run let those before it run as well
        is_handler = any(link.kind == "after_failure" for link in links)
        if is_handler or _has_condition(spec.condition):
            self._of[task] = MAYBE
        elif behind is None or gate is None or behind == gate:
            self._of[task] = behind or gate
        else:
            self._of[task] = MAYBE
        if is_handler or strict or is_whole_join:
            return False  # skipped because nothing failed; because it says so; with its branch
        return behind is not None and self._begins_here(upstream)

    def _is_plain(self, task: str) -> bool:
        """The short way for most tasks: something before it is part of every run, and nothing else decides."""
        spec, incoming = self._graph.tasks[task], self._graph.incoming[task]
        if spec.join == "strict" or spec.condition is not None or any(link.kind in _GATES for link in incoming):
            return False
        return not incoming or any(self._of.get(link.upstream) is None for link in incoming)

    def _deciding(self, links: Sequence[Link]) -> list[str]:
        """What a task waits for, without the recovering handlers of others among it: those only stand in for them."""
        names = list(dict.fromkeys(link.upstream for link in links))
        among = set(names)
        return [name for name in names if not self._stands_in(name, among)]

    def _stands_in(self, task: str, among: set[str]) -> bool:
        spec = self._graph.tasks[task]
        return spec.recovers and bool(spec.after_failure) and all(edge.task in among for edge in spec.after_failure)

    def _gate(self, arms: Sequence[Link]) -> Condition | None:
        branches = {arm.upstream for arm in arms}
        if len(branches) > 1:
            return MAYBE
        gate = Condition(branches.pop(), frozenset(arm_key(arm, self._graph) for arm in arms))
        return self._of.get(gate.branch) if self._is_every_arm(gate) else gate

    def _behind(self, upstream: Sequence[str], *, strict: bool) -> tuple[Condition | None, bool]:
        """When the edges let a task run: if any of `upstream` is part of the run, with `strict` if all are; and whether
        they are what a branch that always takes an arm leads to."""
        conditions = [self._of.get(name) for name in upstream]
        if strict:
            return next((condition for condition in conditions if condition is not None), None), False
        arms: dict[str, frozenset[Path]] = {}
        for condition in conditions:
            if condition is None:
                return None, False
            arms[condition.branch] = arms.get(condition.branch, frozenset()) | condition.arms
        joined = [Condition(branch, of_branch) for branch, of_branch in arms.items()]
        for whole in joined:
            if self._is_every_arm(whole):
                return self._of.get(whole.branch), True
        return (joined[0] if len(joined) == 1 else MAYBE), False

    def _is_every_arm(self, condition: Condition) -> bool:
        """Whether the arms are all that a branch can take in a run that succeeds: it always takes one, and what they
        leave out leads to nothing but `fail`."""
        branch = condition.branch
        if branch == "" or not self._graph.always_takes_an_arm(branch):
            return False
        if branch not in self._failing:
            self._failing[branch] = self._failing_arms(branch)
        return len(condition.arms | self._failing[branch]) == self._graph.arm_count(branch)

    def _failing_arms(self, branch: str) -> frozenset[Path]:
        leads_to: dict[Path, bool] = {}
        for link in self._graph.outgoing[branch]:
            if link.kind == "arm":
                arm = arm_key(link, self._graph)
                leads_to[arm] = leads_to.get(arm, True) and self._graph.tasks[link.task].fail is not None
        return frozenset(arm for arm, only_fails in leads_to.items() if only_fails)

    def _begins_here(self, upstream: Sequence[str]) -> bool:
        """Whether it is this task where paths are left out: not when one path before it was left out already."""
        return len({self._of.get(name) for name in upstream}) > 1 or any(
            self._has_own_reason(name) for name in upstream
        )

    def _has_own_reason(self, task: str) -> bool:
        spec, arms = self._graph.tasks[task], self._graph.arms_of(task)
        has_gate = bool(arms) and self._gate(arms) != self._of.get(arms[0].upstream)
        return has_gate or bool(spec.after_failure) or _has_condition(spec.condition)


def _has_condition(condition: object) -> bool:
    return condition is not None and condition is not True


def _is_within(gate: Condition | None, behind: Condition) -> bool:
    return gate is not None and gate.branch != "" and gate.branch == behind.branch and gate.arms <= behind.arms
