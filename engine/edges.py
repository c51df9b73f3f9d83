"""What an edge says, and what a task's edges together decide: the normative tables of `LANGUAGE.md` 5.

`edge_state` is the table, `verdict` the rule. Both are pure and read only the states they are given.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, TypeAlias

from engine.plan import Edge, EdgeKind, Plan
from engine.run import BROKEN, MET, NO, OFF, WAITING, TaskRun
from engine.states import TaskState

Verdict: TypeAlias = Literal["run", "skipped", "blocked"]
Recovery: TypeAlias = Literal["waiting", "recovered", "lost"]
Answers: TypeAlias = dict[str, Recovery]
"""What has been found out about failed tasks; it holds as long as no task changes."""

S = TaskState
_BY_NOT_REACHED = {
    EdgeKind.AFTER: BROKEN,
    EdgeKind.AFTER_START: BROKEN,
    EdgeKind.AFTER_END: MET,
    EdgeKind.AFTER_FAILURE: NO,
    EdgeKind.ARM: BROKEN,
}


def recovery(plan: Plan, tasks: Mapping[str, TaskRun], failed: str, answers: Answers | None = None) -> Recovery:
    """Whether the failure of `failed` is made good by a recovering handler, itself recovered or not.

    A handler that failed and was recovered counts as one that succeeded. The handlers of a task form no cycle (the
    compiler refuses one), so the walk ends; it is iterative because chains are as long as an author likes. Who asks for
    several tasks hands in `answers`, so that no part of a chain is walked twice.
    """
    answers = {} if answers is None else answers
    stack = [] if failed in answers else [failed]
    while stack:
        task = stack[-1]
        open_below = [h for h in plan.recoverers.get(task, ()) if tasks[h].state is S.FAILED and h not in answers]
        if open_below:
            stack.extend(open_below)
            continue
        answers[task] = _recovery_by_handlers(plan, tasks, task, answers)
        stack.pop()
    return answers[failed]


def _recovery_by_handlers(
    plan: Plan, tasks: Mapping[str, TaskRun], task: str, answers: Mapping[str, Recovery]
) -> Recovery:
    found: Recovery = "lost"
    for handler in plan.recoverers.get(task, ()):
        state = tasks[handler].state
        if state is S.SUCCEEDED or (state is S.FAILED and answers[handler] == "recovered"):
            return "recovered"
        if not state.is_final or (state is S.FAILED and answers[handler] == "waiting"):
            found = "waiting"
    return found


def recovered_by(plan: Plan, handler: str) -> Iterator[str]:
    """The tasks whose failure `handler` makes good itself."""
    spec = plan.tasks[handler]
    return (edge.upstream for edge in spec.edges if spec.recovers and edge.kind is EdgeKind.AFTER_FAILURE)


def edge_state(plan: Plan, tasks: Mapping[str, TaskRun], task: str, edge: Edge, answers: Answers | None = None) -> str:
    """The state of `edge`, which belongs to `task`, by the state of its upstream; `answers` as for `recovery`."""
    upstream = tasks[edge.upstream]
    state, kind = upstream.state, edge.kind
    if not state.is_final:
        return MET if kind is EdgeKind.AFTER_START and upstream.started else WAITING
    if state is S.SKIPPED:
        return OFF
    if state is S.SUCCEEDED:
        if kind is EdgeKind.ARM:
            return MET if task in upstream.chosen else OFF
        return NO if kind is EdgeKind.AFTER_FAILURE else MET
    if state is S.FAILED:
        return _after_failure(plan, tasks, edge, answers, started=upstream.started)
    if state is S.CANCELLED and kind is EdgeKind.AFTER_START and upstream.started:
        return MET
    return _BY_NOT_REACHED[kind]


def _after_failure(
    plan: Plan, tasks: Mapping[str, TaskRun], edge: Edge, answers: Answers | None, *, started: bool
) -> str:
    """The three rows of the table for a failed upstream: allowed, with a recovering handler, and neither."""
    kind = edge.kind
    if kind in (EdgeKind.AFTER_END, EdgeKind.AFTER_FAILURE):
        return MET
    if plan.tasks[edge.upstream].allow_failure:
        return OFF if kind is EdgeKind.ARM else MET
    if kind is EdgeKind.AFTER_START:
        return MET if started else BROKEN
    if not plan.recoverers.get(edge.upstream):
        return BROKEN
    return {"waiting": WAITING, "recovered": OFF, "lost": BROKEN}[recovery(plan, tasks, edge.upstream, answers)]


def verdict(
    edges: Sequence[Edge], states: Sequence[str], join: Literal["all", "strict", "any"] | int
) -> Verdict | None:
    """What the edges decide for a task that is pending, or `None` while it has to wait. `if` comes after this."""
    if isinstance(join, str) and states.count(MET) == len(states):
        return "run"
    arms = [state for edge, state in zip(edges, states, strict=True) if edge.kind is EdgeKind.ARM]
    flat = [state for edge, state in zip(edges, states, strict=True) if edge.kind is not EdgeKind.ARM]
    taken = not arms or MET in arms
    if WAITING in arms:
        return None
    if taken and not flat:
        return "run"
    if taken and (join == "any" or isinstance(join, int)):
        return _enough(flat, 1 if join == "any" else int(join))
    if WAITING in flat:
        return None
    if not taken:
        return "blocked" if BROKEN in arms else "skipped"
    return _all_groups(edges, states, strict=join == "strict")


def _enough(flat: Sequence[str], wanted: int) -> Verdict | None:
    if flat.count(MET) >= wanted:
        return "run"
    if WAITING in flat:
        return None
    return "blocked" if BROKEN in flat else "skipped"


def _all_groups(edges: Sequence[Edge], states: Sequence[str], *, strict: bool) -> Verdict:
    by_kind: dict[EdgeKind, list[str]] = {}
    for edge, state in zip(edges, states, strict=True):
        if edge.kind is not EdgeKind.ARM:
            by_kind.setdefault(edge.kind, []).append(state)
    groups = [_group(kind, members, strict=strict) for kind, members in by_kind.items()]
    if BROKEN in groups:
        return "blocked"
    if NO in groups or (strict and OFF in groups) or MET not in groups:
        return "skipped"
    return "run"


def _group(kind: EdgeKind, states: Sequence[str], *, strict: bool) -> str:
    if kind is EdgeKind.AFTER_FAILURE:
        return MET if MET in states else NO
    if BROKEN in states:
        return BROKEN
    if all(state == OFF for state in states):
        return OFF
    return NO if strict and OFF in states else MET
