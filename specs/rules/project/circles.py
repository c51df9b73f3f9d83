"""Circles among things that point at each other by name: one for each knot of them, as short as it can be from its
first name."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from specs.cycles import knots

Edge = TypeVar("Edge")


def circles(edges: Mapping[tuple[str, str], Edge]) -> Iterator[list[tuple[str, Edge]]]:
    """Each circle as its names in order, every name with the edge that leads on from it. `edges` go from the first name
    to the second; names come in the order in which edges first have them."""
    numbers: dict[str, int] = {}
    for pair in edges:
        for name in pair:
            numbers.setdefault(name, len(numbers))
    names = list(numbers)
    successors: list[list[int]] = [[] for _ in names]
    for source, target in edges:
        successors[numbers[source]].append(numbers[target])
    own = [{number} for number, row in enumerate(successors) if number in row]
    knotted = knots([[later for later in row if later != number] for number, row in enumerate(successors)])
    apart = [knot for knot in own if not any(knot <= larger for larger in knotted)]
    for knot in sorted([*knotted, *apart], key=min):
        circle = [names[number] for number in _shortest(successors, knot)]
        yield [(name, edges[name, circle[(at + 1) % len(circle)]]) for at, name in enumerate(circle)]


def _shortest(successors: Sequence[Sequence[int]], knot: set[int]) -> list[int]:
    """A shortest way from the first vertex of the knot back to it."""
    root = min(knot)
    came: dict[int, int] = {}
    waiting = deque([root])
    while root not in came:
        vertex = waiting.popleft()
        for later in successors[vertex]:
            if later in knot and later not in came:
                came[later] = vertex
                waiting.append(later)
    way = [root]
    while came[way[-1]] != root:
        way.append(came[way[-1]])
    return [root, *reversed(way[1:])]
