"""`retry_upstream`: who may be asked, who runs again, and who may have seen the round before (FLOW240 to 243)."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Label, Place
from specs.graph import FlowGraph, reset_members
from specs.model import TaskSpec
from specs.model.parts import RetryUpstreamSpec
from specs.suggest import listed

_READ = re.compile(r"\btasks\.([a-z][a-z0-9_]*)")
_NEVER_READ = {"run", "description", "labels", "outputs"}


class _Request(Struct, frozen=True):
    """A task that may ask others to run again, and the path of its `retry_upstream`."""

    graph: FlowGraph
    task: str
    spec: RetryUpstreamSpec

    @property
    def path(self) -> Path:
        return (*self.graph.prefix, self.task, "retry_upstream")


def _requests(context: FlowContext) -> Iterator[_Request]:
    for graph in context.graphs:
        for task, spec in graph.having("retry_upstream"):
            if spec.retry_upstream is not None:
                yield _Request(graph, task, spec.retry_upstream)


def _admitted(context: FlowContext) -> list[_Request]:
    """The requests, none where their rounds are too many: what they would reset is looked at once that is mended."""
    requests = list(_requests(context))
    return requests if sum(request.spec.rounds for request in requests) <= context.flow.limits.resets else []


def asks_who_is_not_upstream(context: FlowContext) -> Iterator[Diagnostic]:
    """A task asks only tasks it comes after, over end and start edges."""
    for request in _admitted(context):
        graph, task = request.graph, request.task
        named = frozenset(name for name in request.spec.tasks if name in graph.tasks)
        upstream = graph.upstream_of(task, until=named)
        for index, name in enumerate(request.spec.tasks):
            is_apart = name not in upstream and task not in graph.misnamed
            if name in named and (is_apart or name == task):
                who = "it cannot ask itself" if name == task else f"`{name}` is not"
                yield context.finding(
                    "FLOW240",
                    (*request.path, "tasks", index),
                    f"`{task}` can only ask tasks upstream of it to run again; {who}",
                    help="`retry` runs the task itself again" if name == task else f"let `{task}` come after `{name}`",
                )


def what_runs_again(context: FlowContext) -> Iterator[Diagnostic]:
    """Warns of what a new round does that may not be meant."""
    for request in _admitted(context):
        if all(name in request.graph.tasks for name in request.spec.tasks):
            members = reset_members(request.graph, request.spec.tasks, request.task, request.spec.scope)
            yield from _acts_again(context, request, members)
            if request.spec.scope == "between":
                yield from _may_have_seen_the_old_round(context, request, members)


def _acts_again(context: FlowContext, request: _Request, members: Iterable[str]) -> Iterator[Diagnostic]:
    """Approvals and tasks with `undo` in the reset set."""
    tasks = request.graph.tasks
    approvals = [member for member in members if tasks[member].approval is not None]
    undone = [member for member in members if tasks[member].undo is not None]
    for found, what, again in ((approvals, "an approval", "ask"), (undone, "a task with `undo`", "act")):
        if found:
            yield context.finding(
                "FLOW242",
                request.path,
                f"the reset set of `{request.task}` holds {what}: {listed(found)} will {again} again",
                key=True,
                help="name tasks that come after it, if that is not meant",
                labels=tuple(Label(_task_place(context, request.graph, name), "runs again") for name in found),
            )


def _may_have_seen_the_old_round(
    context: FlowContext, request: _Request, members: Iterable[str]
) -> Iterator[Diagnostic]:
    """Tasks that are not reset with what they depend on, and need not have waited for the request."""
    for outside, member in _stale(request, set(members)):
        yield context.finding(
            "FLOW241",
            request.path,
            f"`{outside}` depends on `{member}`, is not reset with it and may have seen the old round",
            key=True,
            help="write `scope: descendants` to reset it as well",
            labels=(Label(_task_place(context, request.graph, outside), "this task"),),
        )


def _stale(request: _Request, members: set[str]) -> Iterator[tuple[str, str]]:
    """Pairs of a task outside the set and a member it depends on, each task once, in file order."""
    graph = request.graph
    held_back = _held_back(graph, request.task)
    behind = _downstream(graph, members) - members - held_back
    for task in sorted(behind, key=graph.positions.__getitem__):
        named = [link.upstream for link in graph.incoming[task] if link.upstream in members]
        member = named[0] if named else next((name for name in _reads(graph.tasks[task]) if name in members), None)
        if member is not None:
            yield task, member


def _downstream(graph: FlowGraph, tasks: Iterable[str]) -> set[str]:
    found = set(tasks)
    waiting = deque(found)
    while waiting:
        for link in graph.outgoing[waiting.popleft()]:
            if link.task not in found:
                found.add(link.task)
                waiting.append(link.task)
    return found


def _held_back(graph: FlowGraph, asking: str) -> set[str]:
    """The tasks that cannot have been decided before `asking` has ended, and so wait for its new round.

    A join of some edges may be met before; an arm never is.
    """
    found = {asking}
    waiting = deque([asking])
    while waiting:
        task = waiting.popleft()
        for link in graph.outgoing[task]:
            all_edges = link.kind == "arm" or graph.tasks[link.task].join in ("all", "strict")
            ended = task != asking or link.kind != "after_start"
            if all_edges and ended and link.task not in found:
                found.add(link.task)
                waiting.append(link.task)
    return found


def _reads(spec: TaskSpec) -> Iterator[str]:
    """Tasks whose values the expressions of a task look at."""
    level: list[object] = [
        value for key, value in spec.model_dump(exclude_unset=True).items() if key not in _NEVER_READ
    ]
    while level:
        texts = [part for part in level if isinstance(part, str)]
        yield from (match for text in texts for match in _READ.findall(text))
        inner = [part.values() if isinstance(part, dict) else part for part in level if isinstance(part, dict | list)]
        level = [value for values in inner for value in values]


def _task_place(context: FlowContext, graph: FlowGraph, task: str) -> Place:
    return context.places.place((*graph.prefix, task), key=True)


def too_many_rounds(context: FlowContext) -> Iterator[Diagnostic]:
    """The requests of all tasks together stay within `limits.resets`."""
    limit = context.flow.limits.resets
    requests = list(_requests(context))
    total = sum(request.spec.rounds for request in requests)
    if total > limit:
        largest = max(requests, key=lambda request: request.spec.rounds)
        yield context.finding(
            "FLOW243",
            (*largest.path, "rounds"),
            f"the sum of `rounds` is {total}, which exceeds `limits.resets` ({limit})",
            help="allow fewer rounds, or raise `limits.resets`",
        )


RULES: tuple[Rule, ...] = (asks_who_is_not_upstream, what_runs_again, too_many_rounds)
