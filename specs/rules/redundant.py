"""Edges that say what other edges say already (FLOW205)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import reduce
from itertools import islice
from operator import or_

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic
from specs.graph import FlowGraph, Link

MOST = 500
"""Edges that are told of; each takes a look at all others of its task."""


def waits_already(context: FlowContext) -> Iterator[Diagnostic]:
    """No `after` names a task that another entry of it waits for in every run."""
    for graph in context.graphs:
        for link, through in islice(_redundant(graph), MOST):
            yield context.finding(
                "FLOW205",
                link.path,
                f"`{link.task}` waits for `{link.upstream}` already through `{through}`",
                help="remove it, unless it is there to be read",
            )


def _redundant(graph: FlowGraph) -> Iterator[tuple[Link, str]]:
    """Each such edge, and a task between. One integer for a task is the set of those it always waits for."""
    before: dict[str, int] = {}
    certain: set[str] = set()
    for task in graph.topological():
        incoming = graph.incoming[task]
        if _is_certain(graph, task, certain):
            certain.add(task)
        waits = [link for link in incoming if link.kind == "after"]
        # only what certainly runs passes on what it waited for
        through = {link.upstream: before[link.upstream] for link in waits if link.upstream in certain}
        if len(waits) > 1 and graph.tasks[task].join in ("all", "strict"):
            everything = reduce(or_, through.values(), 0)
            for link in waits if everything else ():
                bit = 1 << graph.positions[link.upstream]
                if not everything & bit:
                    continue
                found = next((name for name, set_ in through.items() if set_ & bit), None)
                if found is not None and not _has_limit(graph, link):
                    yield link, found
        reached = 0
        for link in waits:
            reached |= 1 << graph.positions[link.upstream] | through.get(link.upstream, 0)
        before[task] = reached


def _is_certain(graph: FlowGraph, task: str, certain: set[str]) -> bool:
    """Whether a task is never left out of a run, and starts only after all it names."""
    spec, incoming = graph.tasks[task], graph.incoming[task]
    if spec.condition not in (None, True) or spec.join not in ("all", "strict") or spec.allow_failure:
        return False
    if any(link.kind in ("arm", "after_failure", "after_end", "after_start") for link in incoming):
        return False
    if any(edge.timeout is not None for _, _, edge in spec.edges()) or graph.handlers.get(task):
        return False
    if spec.fan_out is not None and spec.fan_out.on_empty == "skip":
        return False
    return not incoming or all(link.upstream in certain for link in incoming)


def _has_limit(graph: FlowGraph, link: Link) -> bool:
    """Whether the entry limits the wait: then it says more than the other way does."""
    key, index = str(link.path[-3]), link.path[-2]
    return getattr(graph.tasks[link.task], key)[index].timeout is not None


RULES: tuple[Rule, ...] = (waits_already,)
