"""The longest chain through a plan, by how long tasks took before (`LANGUAGE.md` 5: start and end vertices)."""

from __future__ import annotations

from collections.abc import Container, Mapping
from graphlib import TopologicalSorter
from typing import Literal, TypeAlias

from engine.forecast.model import CriticalPath
from engine.plan import EdgeKind, Plan, PlanTask, WaitAction
from specs.expressions import Fixed
from specs.quantities import parse_duration

Vertex: TypeAlias = tuple[str, Literal["start", "end"]]
Length: TypeAlias = tuple[float, int]
"""Seconds known, then tasks passed: equal or unknown times are told apart by the number of tasks."""


def critical_path(plan: Plan, never: Container[str], durations: Mapping[str, float]) -> CriticalPath:
    """The chain that takes longest when nothing fails: without tasks in `never`, and without handlers of failures."""
    before = _before(plan, _expected(plan, never))
    length: dict[Vertex, Length] = {}
    came_from: dict[Vertex, Vertex] = {}
    for vertex in TopologicalSorter(before).static_order():
        id_, side = vertex
        own = (_seconds(plan.tasks[id_], durations) or 0.0, 1) if side == "end" else (0.0, 0)
        length[vertex] = (0.0, 0)
        for earlier in before[vertex]:
            seconds, count = length[earlier]
            if earlier == (id_, "start"):  # the task's own work lies between its start and its end
                seconds, count = seconds + own[0], count + own[1]
            if vertex not in came_from or (seconds, count) > length[vertex]:
                length[vertex], came_from[vertex] = (seconds, count), earlier
    return _path(plan, length, came_from, durations)


def _expected(plan: Plan, never: Container[str]) -> set[str]:
    """Tasks of a run in which nothing fails, in topological order: no handler, nothing that hangs on handlers only."""
    order = TopologicalSorter({id_: {edge.upstream for edge in plan.tasks[id_].edges} for id_ in plan.main})
    expected: set[str] = set()
    for id_ in order.static_order():
        edges = plan.tasks[id_].edges
        handles = any(edge.kind is EdgeKind.AFTER_FAILURE for edge in edges)
        if id_ not in never and not handles and (not edges or any(edge.upstream in expected for edge in edges)):
            expected.add(id_)
    return expected


def _before(plan: Plan, expected: set[str]) -> dict[Vertex, list[Vertex]]:
    """For each vertex, those it waits for."""
    before: dict[Vertex, list[Vertex]] = {}
    for id_ in plan.main:
        if id_ not in expected:
            continue
        task = plan.tasks[id_]
        before[id_, "start"] = [
            (edge.upstream, "start" if edge.kind is EdgeKind.AFTER_START else "end")
            for edge in task.edges
            if edge.upstream in expected
        ]
        before.setdefault((id_, "end"), []).append((id_, "start"))
        for held in task.before_complete:
            if held in expected:
                before.setdefault((held, "end"), []).append((id_, "end"))
    return before


def _seconds(task: PlanTask, durations: Mapping[str, float]) -> float | None:
    """How long the task takes: as long as before, a `wait` as long as it says; a service is not waited for."""
    if task.service:
        return 0.0
    if task.id in durations:
        return max(durations[task.id], 0.0)
    if isinstance(task.action, WaitAction) and isinstance(task.action.duration, Fixed):
        written = parse_duration(str(task.action.duration.value))
        return written.total_seconds() if written is not None else None
    return None


def _path(
    plan: Plan, length: Mapping[Vertex, Length], came_from: Mapping[Vertex, Vertex], durations: Mapping[str, float]
) -> CriticalPath:
    ends = [vertex for vertex in length if vertex[1] == "end"]
    if not ends:
        return CriticalPath((), None, ())
    vertex: Vertex | None = max(ends, key=length.__getitem__)
    seconds = length[vertex][0] if vertex is not None else 0.0
    chain: list[str] = []
    while vertex is not None:
        if not chain or chain[-1] != vertex[0]:
            chain.append(vertex[0])
        vertex = came_from.get(vertex)
    chain.reverse()
    unknown = tuple(id_ for id_ in chain if _seconds(plan.tasks[id_], durations) is None)
    return CriticalPath(tuple(chain), None if len(unknown) == len(chain) else seconds, unknown)
