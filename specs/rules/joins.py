"""`join`: whether it can be met, whether it says anything, and who is skipped with it (FLOW212 to 214, 230)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Label
from specs.graph import FlowGraph, Link, arm_key
from specs.presence import skipped_together
from specs.suggest import listed


def join_wants_too_many(context: FlowContext) -> Iterator[Diagnostic]:
    """A number in `join` is at most the number of edges; arms are a gate before the join and do not count."""
    for graph in context.graphs:
        unclear = _with_refused_edges(graph)
        for task, spec in graph.having("join"):
            if isinstance(spec.join, int):
                there_are = len(graph.edges_of(task))
                if spec.join > there_are and task not in unclear:
                    edges = "is 1 edge" if there_are == 1 else f"are {there_are} edges"
                    yield context.finding(
                        "FLOW212",
                        (*graph.prefix, task, "join"),
                        f"`join: {spec.join}`, and there {edges}",
                        help="arms and `before_complete` do not count; lower the number, or add an edge",
                    )


def _with_refused_edges(graph: FlowGraph) -> set[str]:
    """Tasks with an edge that another rule refuses: how many they will have is not known yet."""
    return {link.task for link in (*graph.unknown, *graph.own) if link.kind != "arm"}


def join_says_nothing(context: FlowContext) -> Iterator[Diagnostic]:
    """`join` is about several edges; `strict` says something about a single one too."""
    for graph in context.graphs:
        unclear = _with_refused_edges(graph)
        for task, spec in graph.having("join"):
            path = (*graph.prefix, task, "join")
            if "join" not in spec.model_fields_set or spec.join == "strict" or context.places.inherited(path):
                continue
            count = len(graph.edges_of(task))
            too_many = isinstance(spec.join, int) and spec.join > count
            if count <= 1 and not too_many and task not in unclear:
                edges = "one edge" if count == 1 else "no edge"
                message = f"`join` has no effect with {edges}"
                yield context.finding("FLOW214", path, message, key=True, help="remove it")


def strict_over_different_arms(context: FlowContext) -> Iterator[Diagnostic]:
    """A strict join does not wait for tasks of which only one can be part of a run."""
    for graph in context.graphs:
        for task, spec in graph.having("join"):
            if spec.join == "strict":
                pair = _exclusive_pair(graph, task)
                if pair is not None:
                    yield _can_never_run(context, graph, task, pair)


def _exclusive_pair(graph: FlowGraph, task: str) -> tuple[Link, Link, str] | None:
    first: dict[str, list[tuple[Link, frozenset[Path]]]] = {}
    for link in graph.edges_of(task):
        arms = graph.arms_of(link.upstream)
        branches = {arm.upstream for arm in arms}
        if len(branches) != 1 or link.kind == "after_failure":
            continue
        branch = branches.pop()
        own = frozenset(arm_key(arm, graph) for arm in arms)
        for other, others in first.setdefault(branch, []):
            if own.isdisjoint(others):
                return other, link, branch
        first[branch].append((link, own))
    return None


def _can_never_run(context: FlowContext, graph: FlowGraph, task: str, pair: tuple[Link, Link, str]) -> Diagnostic:
    one, other, branch = pair
    return context.finding(
        "FLOW213",
        (*graph.prefix, task, "join"),
        f"`{task}` can never run: it wants tasks of different arms of `{branch}`",
        help="write `join: all` to wait for whichever is part of the run",
        labels=tuple(
            Label(context.places.place(link.path), f"`{link.upstream}` is in one arm only") for link in (one, other)
        ),
    )


# --- skipped with all it waits for ------------------------------------------------------------------------------------


def skipped_with_all(context: FlowContext) -> Iterator[Diagnostic]:
    """Tells of a task that waits only for tasks that may all be skipped, unless `join: strict` says it is meant."""
    for graph in context.graphs:
        unclear = _with_refused_edges(graph) | graph.misnamed
        for task in skipped_together(graph):
            if task in unclear:
                continue
            links = graph.edges_of(task)
            upstream = dict.fromkeys(link.upstream for link in links)
            yield context.finding(
                "FLOW230",
                links[0].path[:-2],
                f"`{task}` waits only for tasks that may be skipped ({listed(upstream)}) and is skipped with them",
                key=True,
                help="add one that always runs, or write `join: strict` to say so",
            )


RULES: tuple[Rule, ...] = (
    join_wants_too_many,
    join_says_nothing,
    strict_over_different_arms,
    skipped_with_all,
)
