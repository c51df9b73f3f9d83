"""The graph of a plan as `networkx` has it: what comes before what, with a start and an end for every task."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Literal, TypeAlias

from engine.plan import Edge, EdgeKind, Plan

if TYPE_CHECKING:
    import networkx as nx

Vertex: TypeAlias = tuple[str, Literal["start", "end"]]
"""A task's beginning, or its end."""


def plan_graph(plan: Plan) -> nx.DiGraph[Vertex]:
    """The graph of the flow's own tasks (`LANGUAGE.md` 5).

    Vertices are `(id, "start")` and `(id, "end")`, with the attribute `task`; edges lead from what comes first and have
    the attribute `kinds`, the sorted kinds of edge that say so: those of the language, `task` from the start of a task
    to its end, `service` from the end of a task to that of the service it waited for, and `recovery` for the hidden
    edges from a recovering handler to what waits for the task it handles.
    """
    import networkx as nx

    found: dict[tuple[Vertex, Vertex], set[str]] = {}
    for before, later, kind in _edges(plan):
        found.setdefault((before, later), set()).add(kind)
    graph: nx.DiGraph[Vertex] = nx.DiGraph()
    for name in plan.main:
        graph.add_node((name, "start"), task=name)
        graph.add_node((name, "end"), task=name)
    graph.add_edges_from((before, later, {"kinds": tuple(sorted(kinds))}) for (before, later), kinds in found.items())
    return graph


def _edges(plan: Plan) -> Iterator[tuple[Vertex, Vertex, str]]:
    for name in plan.main:
        spec = plan.tasks[name]
        yield (name, "start"), (name, "end"), "task"
        for edge in spec.edges:
            yield from _written(plan, name, edge)
        for held in spec.before_complete:
            yield (name, "end"), (held, "end"), "before_complete"
        yield from _hidden(plan, name)


def _hidden(plan: Plan, failed: str) -> Iterator[tuple[Vertex, Vertex, str]]:
    """What waits for a task waits for its recovering handlers too, and for theirs."""
    affected = plan.affected.get(failed, ())
    waiting = [task for task, index in affected if plan.tasks[task].edges[index].kind in (EdgeKind.AFTER, EdgeKind.ARM)]
    handlers = list(plan.recoverers.get(failed, ())) if waiting else []
    seen: set[str] = set()
    while handlers:
        handler = handlers.pop()
        if handler not in seen:
            seen.add(handler)
            handlers.extend(plan.recoverers.get(handler, ()))
            for task in waiting:
                yield (handler, "end"), (task, "start"), "recovery"


def _written(plan: Plan, name: str, edge: Edge) -> Iterator[tuple[Vertex, Vertex, str]]:
    if edge.kind is not EdgeKind.AFTER_START:
        yield (edge.upstream, "end"), (name, "start"), str(edge.kind)
        return
    yield (edge.upstream, "start"), (name, "start"), str(edge.kind)
    if plan.tasks[edge.upstream].service:
        yield (name, "end"), (edge.upstream, "end"), "service"
