"""Circles among names: each is one, and there is one for each knot."""

from __future__ import annotations

import networkx
from hypothesis import given
from hypothesis import strategies as st

from specs.rules.project.circles import circles

NAMES = st.sampled_from("abcdefg")
PAIRS = st.lists(st.tuples(NAMES, NAMES), max_size=25, unique=True)


@given(PAIRS)
def test_there_is_one_circle_for_each_knot_and_it_is_one(pairs: list[tuple[str, str]]) -> None:
    edges = {pair: f"{pair[0]} to {pair[1]}" for pair in pairs}
    graph: networkx.DiGraph[str] = networkx.DiGraph(pairs)
    knots = [knot for knot in networkx.strongly_connected_components(graph) if graph.subgraph(knot).size() > 0]
    found = list(circles(edges))
    assert len(found) == len(knots)
    for circle in found:
        names = [name for name, _ in circle]
        assert len(set(names)) == len(names)
        assert [edge for _, edge in circle] == [
            f"{a} to {b}" for a, b in zip(names, [*names[1:], names[0]], strict=True)
        ]
        assert any(set(names) <= knot for knot in knots)


@given(PAIRS)
def test_a_circle_is_as_short_as_it_can_be_from_its_first_name(pairs: list[tuple[str, str]]) -> None:
    graph: networkx.DiGraph[str] = networkx.DiGraph(pairs)
    for circle in circles({pair: pair for pair in pairs}):
        first = circle[0][0]
        ways = [
            1 + networkx.shortest_path_length(graph, later, first)
            for later in graph[first]
            if networkx.has_path(graph, later, first)
        ]
        assert len(circle) == min(ways)


def test_a_long_way_round_needs_no_stack() -> None:
    size = 50_000
    (circle,) = circles({(str(n), str((n + 1) % size)): n for n in range(size)})
    assert [edge for _, edge in circle] == list(range(size))
