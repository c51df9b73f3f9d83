"""The truth table of edges and joins, whole: every DAG of up to four tasks, every outcome, every join rule.

The expectation is an interpreter of its own, written from the table and the rule of `LANGUAGE.md` 5 over tasks that are
decided in topological order; the engine is driven event by event. Every way in which a last task can hang on the tasks
before it, and every join rule of it, is a task of its own in the same run, so each graph of earlier tasks and each
combination of their outcomes is driven once.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pytest

from engine.attempts import AttemptEnded
from tests.engine.driving import OK, Driving, failed
from tests.engine.plans import make_plan

KINDS = ("after", "after_start", "after_end", "after_failure")
NAMES = "abcd"
OUTCOMES = ("succeeded", "failed", "skipped", "allowed")
Graph = tuple[str | None, ...]
"""For each pair (earlier, later) of tasks, in the order of `pairs`, the kind of the edge between them or `None`."""


def pairs(size: int) -> list[tuple[int, int]]:
    return [(a, b) for b in range(size) for a in range(b)]


def graphs(size: int) -> Iterator[Graph]:
    yield from itertools.product((None, *KINDS), repeat=len(pairs(size)))


def edge(kind: str, state: str, *, started: bool) -> str:
    """One row of the table: what an edge of `kind` says once its upstream is in `state`."""
    rows = {
        "succeeded": ("met", "met", "met", "no"),
        "failed": ("broken", "met" if started else "broken", "met", "met"),
        "allowed": ("met", "met", "met", "met"),
        "skipped": ("off", "off", "off", "off"),
        "blocked": ("broken", "broken", "met", "no"),
    }
    return rows[state][KINDS.index(kind)]


def expected(size: int, graph: Graph, outcomes: tuple[str, ...]) -> list[str]:
    """The final state of each task; all of them join all."""
    states: list[str] = []
    for task in range(size):
        mine = [(a, kind) for (a, b), kind in zip(pairs(size), graph, strict=True) if b == task and kind]
        decided = decide_last(mine, states, "all")
        states.append(outcomes[task] if decided == "run" else decided)
    return states


def decide_last(edges: Sequence[tuple[int, str]], states: Sequence[str], join: str | int) -> str:
    """What a task with `edges` to tasks in `states` is decided to do."""
    groups: dict[str, list[str]] = {}
    for upstream, kind in edges:
        groups.setdefault(kind, []).append(edge(kind, states[upstream], started=True))
    return joined(groups, join)


def joined(groups: Mapping[str, list[str]], join: str | int) -> str:
    flat = [state for states in groups.values() for state in states]
    if not flat:
        return "run"
    if join == "any" or isinstance(join, int):
        if flat.count("met") >= (1 if join == "any" else int(join)):
            return "run"
        return "blocked" if "broken" in flat else "skipped"
    says = []
    for kind, states in groups.items():
        if kind == "after_failure":
            says.append("met" if "met" in states else "no")
        elif "broken" in states:
            says.append("broken")
        elif all(state == "off" for state in states):
            says.append("off")
        elif join == "strict" and "off" in states:
            says.append("no")
        else:
            says.append("met")
    if "broken" in says:
        return "blocked"
    if "no" in says or "met" not in says or (join == "strict" and "off" in says):
        return "skipped"
    return "run"


def words_of(size: int, graph: Graph, outcomes: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """The earlier tasks in the words of `make_plan`."""
    tasks: dict[str, dict[str, Any]] = {}
    for task in range(size):
        words: dict[str, Any] = {kind: [] for kind in KINDS}
        for (a, b), kind in zip(pairs(size), graph, strict=True):
            if b == task and kind:
                words[kind].append(NAMES[a])
        words["allow_failure"] = outcomes[task] == "allowed"
        if outcomes[task] == "skipped":
            words["if"] = "false"
        tasks[NAMES[task]] = words
    return tasks


def last_tasks(size: int, joins: tuple[str | int, ...]) -> dict[str, tuple[list[tuple[int, str]], str | int]]:
    """Every last task: its edges to the `size` tasks before it, and its join."""
    found: dict[str, tuple[list[tuple[int, str]], str | int]] = {}
    for kinds in itertools.product((None, *KINDS), repeat=size):
        edges = [(upstream, kind) for upstream, kind in enumerate(kinds) if kind]
        for join in joins if edges else ("all",):
            found[f"last_{len(found)}"] = edges, join
    return found


def check_all(
    size: int, joins: tuple[str | int, ...], *, part: int, parts: int, outcomes_of: tuple[str, ...] = OUTCOMES
) -> int:
    """Drive every graph of `size` earlier tasks with every combination of outcomes; how many states were compared."""
    compared = 0
    lasts = last_tasks(size, joins)
    hanging = {
        name: {**{kind: [NAMES[u] for u, k in edges if k == kind] for kind in KINDS}, "join": join}
        for name, (edges, join) in lasts.items()
    }
    cases = itertools.product(graphs(size), itertools.product(outcomes_of, repeat=size))
    for graph, outcomes in itertools.islice(cases, part, None, parts):
        run = Driving(make_plan({**words_of(size, graph, outcomes), **hanging})).start()
        finish(run, {NAMES[i] for i, outcome in enumerate(outcomes) if outcome in ("failed", "allowed")})
        found = run.states()
        before = expected(size, graph, outcomes)
        assert [found[NAMES[i]] for i in range(size)] == [s.replace("allowed", "failed") for s in before], (
            graph,
            outcomes,
        )
        for name, (edges, join) in lasts.items():
            decided = decide_last(edges, before, join)
            assert found[name] == ("succeeded" if decided == "run" else decided), (graph, outcomes, edges, join)
        compared += len(found)
    return compared


def finish(run: Driving, failing: set[str]) -> None:
    """End everything, many units at a time: there are hundreds of last tasks."""
    while not run.run.state.is_final:
        for name, item in run.queued():
            run.admit(name, item)
        for key in run.live():
            run.tell(AttemptEnded(key, failed() if key.task in failing else OK))


@pytest.mark.parametrize("size", [0, 1, 2])
def test_every_graph_of_up_to_three_tasks_ends_as_the_table_says(size: int) -> None:
    assert check_all(size, ("all", "strict", "any", 1, 2, 3), part=0, parts=1) > 0


def test_a_share_of_the_graphs_of_four_tasks_ends_as_the_table_says() -> None:
    assert check_all(3, ("all", "strict", "any", 2), part=17, parts=97) > 0


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_every_graph_of_four_tasks_ends_as_the_table_says(part: int) -> None:
    outcomes = ("succeeded", "failed", "skipped")
    assert check_all(3, ("all", "strict", "any", 2), part=part, parts=4, outcomes_of=outcomes) > 0
