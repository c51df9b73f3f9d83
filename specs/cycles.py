"""Cycles of a flow's graph: one, as short as can be found, for each knot of tasks that wait for each other.

First over the edges as written, then over what is left with the hidden edges of recovery added (`LANGUAGE.md` 5): what
waits for a task waits for its recovering handlers too, and for theirs.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeAlias

from specs.graph import FlowGraph, Link

SEARCH = 400_000
"""How many edges the search for the shortest cycle of one knot looks at; then the shortest found so far is shown."""

Edges: TypeAlias = dict[tuple[int, int], Link]


class Step(NamedTuple):
    """`before` has to come before `later`, because of what `link` says."""

    before: str
    later: str
    link: Link


class Cycle(NamedTuple):
    """Steps that lead round, from the task that comes first in the file back to it."""

    steps: tuple[Step, ...]

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks passed, from the first; a task that is passed twice occurs twice."""
        return tuple(step.before for step in self.steps)

    @property
    def recovery(self) -> Step | None:
        """The first hidden edge it needs, `None` when every edge is written."""
        return next((step for step in self.steps if step.link.kind == "recovery"), None)


def tangled_arms(graph: FlowGraph) -> list[Link]:
    """The arms that name a task which their branch waits for, or the branch itself."""
    arms = [link for task, _ in graph.having("branch", "switch") for link in graph.outgoing[task] if link.kind == "arm"]
    own = [link for link in graph.own if link.kind == "arm"]
    if not arms:
        return own
    member = {vertex: number for number, knot in enumerate(knots(graph.successors)) for vertex in knot}
    pairs = ((link, *graph.vertex_edges(link)[0]) for link in arms)
    return own + [link for link, end, start in pairs if end in member and member[end] == member.get(start)]


def cycles(graph: FlowGraph, *, without: Collection[Link] = ()) -> Iterator[Cycle]:
    """One cycle for each knot, the links of `without` taken as absent: first over written edges, then, among the tasks
    on none of those, with hidden ones."""
    if not without and not graph.handlers and not knots(graph.successors):
        return  # as nearly always; what follows needs a name for every edge
    written = _written(graph, frozenset(without))
    tangled: set[int] = set()
    for cycle, knot in _cycles(graph, written, 2 * len(graph.ids)):
        tangled |= {vertex // 2 for vertex in knot}
        yield cycle
    if graph.handlers:
        free = {pair: link for pair, link in written.items() if tangled.isdisjoint((pair[0] // 2, pair[1] // 2))}
        hidden, size = _hidden(graph, tangled)
        for cycle, _ in _cycles(graph, free | hidden, size):
            yield cycle


def knots(successors: Sequence[Sequence[int]]) -> list[set[int]]:
    """The strongly connected components with more than one vertex, by Kosaraju's two searches."""
    unsorted = _unsorted(successors)
    backwards: dict[int, list[int]] = {vertex: [] for vertex in unsorted}
    for vertex in unsorted:
        for later in successors[vertex]:
            if later in unsorted:
                backwards[later].append(vertex)
    left = set(unsorted)
    found = []
    for root in reversed(_finished(successors, unsorted)):
        if root in left:
            component = _flood(root, backwards, left)
            if len(component) > 1:
                found.append(component)
    return found


def _unsorted(successors: Sequence[Sequence[int]]) -> set[int]:
    """The vertices that a topological sort cannot place: those on a cycle and those behind one."""
    missing = [0] * len(successors)
    for row in successors:
        for later in row:
            missing[later] += 1
    ready = [vertex for vertex, count in enumerate(missing) if count == 0]
    while ready:
        for later in successors[ready.pop()]:
            missing[later] -= 1
            if missing[later] == 0:
                ready.append(later)
    return {vertex for vertex, count in enumerate(missing) if count > 0}


def _finished(successors: Sequence[Sequence[int]], among: set[int]) -> list[int]:
    """The vertices of `among` in the order in which a depth-first search leaves them."""
    seen: set[int] = set()
    order: list[int] = []
    for root in sorted(among):
        if root in seen:
            continue
        seen.add(root)
        path = [(root, iter(successors[root]))]
        while path:
            vertex, rest = path[-1]
            new = next((later for later in rest if later in among and later not in seen), None)
            if new is None:
                order.append(vertex)
                path.pop()
            else:
                seen.add(new)
                path.append((new, iter(successors[new])))
    return order


def _flood(root: int, neighbours: Mapping[int, Sequence[int]], left: set[int]) -> set[int]:
    component = {root}
    left.discard(root)
    waiting = [root]
    while waiting:
        for other in neighbours[waiting.pop()]:
            if other in left:
                left.discard(other)
                component.add(other)
                waiting.append(other)
    return component


# --- from vertices to tasks -------------------------------------------------------------------------------------------


def _written(graph: FlowGraph, without: frozenset[Link]) -> Edges:
    edges: Edges = {}
    for link in graph.links:
        if link not in without:
            for pair in graph.vertex_edges(link):
                edges.setdefault(pair, link)
    return edges


def _hidden(graph: FlowGraph, tangled: set[int]) -> tuple[Edges, int]:
    """Edges through one further vertex for each handled task, which stands for all that can still recover it, so that
    there are no more of them than written ones; and the number of vertices then."""
    size = 2 * len(graph.ids)
    handled = [task for task in graph.handlers if graph.positions[task] not in tangled]
    recovered = {task: size + number for number, task in enumerate(handled)}
    edges: Edges = {}
    for task, vertex in recovered.items():
        handlers = [handler for handler in graph.handlers[task] if graph.positions[handler] not in tangled]
        for link in graph.outgoing[task]:
            # a handler that is `after` what it handles, or in its arm, is contradictory in itself (FLOW204)
            if link.kind in ("after", "arm") and link.task not in handlers:
                hidden = Link("recovery", task, link.task, link.path)
                edges[vertex, 2 * graph.positions[link.task]] = hidden
        for handler in handlers:
            hidden = Link("recovery", task, handler, graph.prefix)
            edges[2 * graph.positions[handler] + 1, vertex] = hidden
            if handler in recovered:
                edges[recovered[handler], vertex] = hidden
    return edges, size + len(handled)


def _cycles(graph: FlowGraph, edges: Edges, size: int) -> Iterator[tuple[Cycle, set[int]]]:
    successors: list[list[int]] = [[] for _ in range(size)]
    for position in range(len(graph.ids)):
        successors[2 * position].append(2 * position + 1)
    for before, later in edges:
        successors[before].append(later)
    for knot in knots(successors):
        circle = _shortest(successors, knot)
        yield Cycle(_steps(graph, circle, edges)), knot


def _shortest(successors: Sequence[Sequence[int]], knot: set[int]) -> list[int]:
    """The vertices of a shortest cycle of the knot, within the bounds of `SEARCH`."""
    best: list[int] = []
    looked = 0
    for root in sorted(knot):
        came: dict[int, int] = {}
        waiting = deque([(root, 1)])
        while waiting and root not in came:
            vertex, length = waiting.popleft()
            if best and length >= len(best):
                break
            for later in successors[vertex]:
                looked += 1
                if later in knot and later not in came:
                    came[later] = vertex
                    waiting.append((later, length + 1))
        if root in came:
            best = _walk_back(root, came)
        if looked > SEARCH:
            break
    return best


def _walk_back(root: int, came: Mapping[int, int]) -> list[int]:
    circle = [root]
    while came[circle[-1]] != root:
        circle.append(came[circle[-1]])
    return [root, *reversed(circle[1:])]


def _steps(graph: FlowGraph, circle: Sequence[int], edges: Edges) -> tuple[Step, ...]:
    """The cycle as tasks: moves within one task drop out, the two halves of a hidden edge become one step from the
    handler to the task that waits for what it handles."""
    steps: list[Step] = []
    own = 2 * len(graph.ids)
    at = next(number for number, vertex in enumerate(circle) if vertex < own)
    turned = [*circle[at:], *circle[: at + 1]]
    handler = ""
    for before, later in pairwise(turned):
        link = edges.get((before, later))
        if link is None:
            continue
        if later >= own:
            handler = graph.ids[before // 2] if before < own else handler
        elif before >= own:
            steps.append(Step(handler, link.task, link))
        else:
            steps.append(Step(graph.ids[before // 2], graph.ids[later // 2], link))
    first = min(range(len(steps)), key=lambda number: graph.positions[steps[number].before])
    return tuple(steps[first:] + steps[:first])
