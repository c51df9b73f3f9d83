from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.graphs import BANDS, Graph, chain, has_edges, layers, levels, montage, pairs, wide
from bench.shapes import SHAPES

MAKERS = (wide, chain, layers, pairs)


def assert_is_in_order(graph: Graph) -> None:
    seen: set[str] = set()
    for task in graph:
        assert seen.issuperset(task.needs), task
        assert task.name not in seen
        seen.add(task.name)


@settings(deadline=None)
@given(maker=st.sampled_from(MAKERS), count=st.integers(1, 500))
def test_a_graph_has_its_tasks_once_and_each_after_what_it_needs(maker: type, count: int) -> None:
    graph = maker(count)
    assert len(graph) == count
    assert_is_in_order(graph)


def test_layers_are_a_hundred_wide_and_need_three_of_the_layer_before() -> None:
    graph = layers(10_000)
    assert [len(level) for level in levels(graph)] == [100] * 100
    assert {len(task.needs) for task in graph[100:]} == {3}


@settings(deadline=None)
@given(size=st.integers(12, 500), seed=st.integers(0, 2**32))
def test_a_mosaic_is_the_same_for_a_seed_and_no_larger_than_asked(size: int, seed: int) -> None:
    graph = montage(size, seed=seed)
    assert graph == montage(size, seed=seed)
    assert_is_in_order(graph)
    assert len(graph) <= max(size, len(montage(1, seed=seed)))


def test_a_mosaic_joins_every_image_of_a_band_twice() -> None:
    graph = {task.name: task for task in montage(200)}
    for band in BANDS:
        projects = {name for name in graph if name.startswith(f"{band}_project_")}
        fitted = {need for name in graph[f"{band}_concat"].needs for need in graph[name].needs}
        corrected = {need for name in graph[f"{band}_table"].needs for need in graph[name].needs} - {f"{band}_model"}
        assert projects == fitted == corrected


def test_levels_hold_every_task_once_with_what_it_needs_in_earlier_ones() -> None:
    graph = montage(60)
    depth = {name: number for number, level in enumerate(levels(graph)) for name in level}
    assert depth.keys() == {task.name for task in graph}
    assert all(depth[need] < depth[task.name] for task in graph for need in task.needs)


@pytest.mark.parametrize(("graph", "expected"), [(wide(5), False), (chain(1), False), (chain(2), True)])
def test_edges_are_seen(graph: Graph, *, expected: bool) -> None:
    assert has_edges(graph) is expected


def test_names_of_shapes_are_unique() -> None:
    assert len({shape.name for shape in SHAPES}) == len(SHAPES)
