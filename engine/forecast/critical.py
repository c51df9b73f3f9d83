"""The longest chain through a plan, by how long tasks took before (`LANGUAGE.md` 5: start and end vertices)."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Mapping
from graphlib import TopologicalSorter
from itertools import chain
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
    expected = _expected(plan, never)
    length: dict[Vertex, Length] = {}
    came_from: dict[Vertex, Vertex] = {}
    for vertex in _in_order(plan, expected):
        id_, side = vertex
        longest: Length = (0.0, 0)
        if side == "end":  # the task's own work lies between its start and its end
            came_from[vertex] = (id_, "start")
            seconds, count = length[id_, "start"]
            longest = seconds + (_seconds(plan.tasks[id_], durations) or 0.0), count + 1
        for earlier in _earlier(plan, expected, vertex):
            if vertex not in came_from or length[earlier] > longest:
                longest, came_from[vertex] = length[earlier], earlier
        length[vertex] = longest
    return _path(plan, length, came_from, durations)


def _expected(plan: Plan, never: Container[str]) -> set[str]:
    """Tasks of a run in which nothing fails: no handler, nothing that hangs on handlers only."""
    expected: set[str] = set()
    for id_ in chain.from_iterable(plan.waves):
        edges = plan.tasks[id_].edges
        handles = any(edge.kind is EdgeKind.AFTER_FAILURE for edge in edges)
        if id_ not in never and not handles and (not edges or any(edge.upstream in expected for edge in edges)):
            expected.add(id_)
    return expected


def _in_order(plan: Plan, expected: Collection[str]) -> Iterable[Vertex]:
    """The vertices of the expected tasks, each after those it waits for."""
    if not plan.holders:  # then waves are an order of whole tasks
        return (vertex for wave in plan.waves for id_ in wave if id_ in expected for vertex in _sides(id_))
    order: TopologicalSorter[Vertex] = TopologicalSorter()
    for id_ in (id_ for id_ in plan.main if id_ in expected):
        start, end = _sides(id_)
        order.add(start, *_earlier(plan, expected, start))
        order.add(end, start, *_earlier(plan, expected, end))
    return order.static_order()


def _sides(id_: str) -> tuple[Vertex, Vertex]:
    return (id_, "start"), (id_, "end")


def _earlier(plan: Plan, expected: Collection[str], vertex: Vertex) -> list[Vertex]:
    """The vertices that one waits for, the start of a task before its end left out."""
    id_, side = vertex
    if side == "end":
        return [(holder, "end") for holder in plan.holders.get(id_, ()) if holder in expected] if plan.holders else []
    return [
        (edge.upstream, "start" if edge.kind is EdgeKind.AFTER_START else "end")
        for edge in plan.tasks[id_].edges
        if edge.upstream in expected
    ]


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
    passed: list[str] = []
    while vertex is not None:
        if not passed or passed[-1] != vertex[0]:
            passed.append(vertex[0])
        vertex = came_from.get(vertex)
    passed.reverse()
    unknown = tuple(id_ for id_ in passed if _seconds(plan.tasks[id_], durations) is None)
    return CriticalPath(tuple(passed), None if len(unknown) == len(passed) else seconds, unknown)
