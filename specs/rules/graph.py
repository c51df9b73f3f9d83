"""Edges: what they name exists, says one thing, and leads to no cycle (FLOW201 to 204, 210, 211, 217)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from specs.context import FlowContext, Path, Rule
from specs.cycles import Cycle, Step, cycles, tangled_arms
from specs.diagnostics import Diagnostic, Label
from specs.graph import FlowGraph, Link
from specs.rules.edits import Hints, without_entry

SHOWN = 20
"""How many tasks and labels of a cycle are shown; a longer one is cut and counted."""


def unknown_upstream(context: FlowContext) -> Iterator[Diagnostic]:
    """Every task named by an edge, or asked to run again, is a task of the same map."""
    hints = Hints()
    for graph in context.graphs:
        for link in graph.unknown:
            if link.kind != "arm":
                verb = "holds back" if link.kind == "before_complete" else "waits for"
                yield _unknown(context, graph, hints, link.path, link.task, verb, link.named)
        for task, path, named in _asked(graph):
            if named not in graph.tasks:
                yield _unknown(context, graph, hints, path, task, "asks for a new round of", named)


def _unknown(
    context: FlowContext, graph: FlowGraph, hints: Hints, path: Path, task: str, verb: str, named: str
) -> Diagnostic:
    return context.finding(
        "FLOW201",
        path,
        f"`{task}` {verb} `{named}`, which does not exist",
        help=hints.help(named, graph.tasks, besides=task),
        fix=hints.fix(context, path, named, graph.tasks, besides=task),
    )


def _asked(graph: FlowGraph) -> Iterator[tuple[str, Path, str]]:
    for task, spec in graph.having("retry_upstream"):
        if spec.retry_upstream is not None:
            for index, named in enumerate(spec.retry_upstream.tasks):
                yield task, (*graph.prefix, task, "retry_upstream", "tasks", index), named


def waits_for_itself(context: FlowContext) -> Iterator[Diagnostic]:
    """No edge leads from a task to itself."""
    for graph in context.graphs:
        for link in graph.own:
            if link.kind == "before_complete":
                message = f"`{link.task}` cannot be complete before itself"
            elif link.kind != "arm":
                message = f"`{link.task}` waits for itself"
            else:
                continue
            yield context.finding("FLOW202", link.path, message, help="name another task, or remove the edge")


def named_twice(context: FlowContext) -> Iterator[Diagnostic]:
    """No list of tasks names the same one twice; `after` and `after_complete` are one list."""
    for graph in context.graphs:
        links = [*graph.links, *graph.own, *graph.unknown]
        if len({link[:3] for link in links}) == len(links):  # kind, upstream and task
            links = []  # nothing is named twice anywhere, as nearly always
        lists: dict[tuple[object, ...], dict[str, Path]] = defaultdict(dict)
        for link in links:
            arm = link.path[:-1] if link.kind == "arm" else ()
            yield from _second(context, lists[link.kind, link.writer, arm], link.path, link.named)
        for task, path, named in _asked(graph):
            yield from _second(context, lists["asked", task], path, named)


def _second(context: FlowContext, seen: dict[str, Path], path: Path, named: str) -> Iterator[Diagnostic]:
    first = seen.setdefault(named, path)
    if first == path:
        return
    entry = path[:-1] if path[-1] == "task" else path
    key, first_key = _list_name(path), _list_name(first)
    where = f"`{key}`" if key == first_key else f"`{first_key}` and `{key}`, which are one list"
    yield context.finding(
        "FLOW203",
        path,
        f"`{named}` occurs twice in {where}",
        help="remove one of them",
        labels=(Label(context.places.place(first), "here before"),),
        fix=without_entry(context, entry),
    )


def _list_name(path: Path) -> str:
    names = [part for part in path if isinstance(part, str)]
    return names[-2] if path[-1] == "task" else names[-1]


def succeeded_and_failed(context: FlowContext) -> Iterator[Diagnostic]:
    """No task wants all of what it handles to have succeeded too."""
    for graph in context.graphs:
        for task, _ in graph.having("after_failure"):
            links = graph.incoming[task]
            if any(link.kind == "after_failure" for link in links):
                yield from _contradictions(context, graph, task, links)


def _contradictions(context: FlowContext, graph: FlowGraph, task: str, links: list[Link]) -> Iterator[Diagnostic]:
    wanted = {link.upstream: link for link in links if _wants_success(graph, link)}
    handled = [link for link in links if link.kind == "after_failure"]
    if not all(link.upstream in wanted for link in handled):
        return  # it can still run for the failure of another
    for link in handled:
        other = wanted[link.upstream]
        yield context.finding(
            "FLOW204",
            link.path,
            f"`{task}` wants `{link.upstream}` both succeeded and failed",
            help=f"keep one of the two, or write `after_end: [{link.upstream}]` to run however it ended",
            labels=(Label(context.places.place(other.path), "succeeded, because of this"),),
        )


def _wants_success(graph: FlowGraph, link: Link) -> bool:
    """An arm is a gate that no `join` opens. An edge can be met by a failure that is allowed, and missed where `join`
    asks for some edges only."""
    if link.kind == "arm":
        return True
    all_of_them = graph.tasks[link.task].join in ("all", "strict")
    return link.kind == "after" and all_of_them and not graph.tasks[link.upstream].allow_failure


def recovers_nothing(context: FlowContext) -> Iterator[Diagnostic]:
    """A task with `recovers` names the tasks whose failure it makes good."""
    for graph in context.graphs:
        for task, spec in graph.having("recovers"):
            if spec.recovers and not spec.after_failure:
                yield context.finding(
                    "FLOW217",
                    (*graph.prefix, task, "recovers"),
                    f"`{task}` has `recovers` and no `after_failure`, so there is nothing it makes good",
                    key=True,
                    help="name in `after_failure` what it recovers, or remove `recovers`",
                )


# --- cycles -----------------------------------------------------------------------------------------------------------


def waits_in_a_circle(context: FlowContext) -> Iterator[Diagnostic]:
    """No task waits, through others, for itself; arms that lead back are FLOW207's to report."""
    for graph in context.graphs:
        for cycle in cycles(graph, without=tangled_arms(graph)):
            yield _cycle_finding(context, graph, cycle)


def _cycle_finding(context: FlowContext, graph: FlowGraph, cycle: Cycle) -> Diagnostic:
    hidden = cycle.recovery
    labels = tuple(_label(context, graph, step) for step in cycle.steps[:SHOWN])
    if hidden is None:
        return context.finding(
            "FLOW210",
            cycle.steps[-1].link.path,
            f"cycle: {_drawn(cycle)}",
            help="remove one of these edges",
            labels=labels,
        )
    handled, handler, waiting = hidden.link.upstream, hidden.before, hidden.later
    return context.finding(
        "FLOW211",
        hidden.link.path,
        f"cycle through the recovery of `{handled}` by `{handler}`: {_drawn(cycle)}",
        help=f"what waits for `{handled}` waits for its recovery too, so `{handler}` may not come after `{waiting}`",
        labels=labels,
    )


def _drawn(cycle: Cycle) -> str:
    tasks = [f"`{task}`" for task in cycle.tasks]
    if len(tasks) <= SHOWN:
        return " → ".join([*tasks, tasks[0]])
    shown = [*tasks[: SHOWN // 2], "…", *tasks[-SHOWN // 2 :], tasks[0]]
    return f"{' → '.join(shown)} ({len(tasks)} tasks)"


_SAYS = {
    "after": "`{task}` waits for `{upstream}`",
    "after_start": "`{task}` waits for the start of `{upstream}`",
    "after_end": "`{task}` waits for the end of `{upstream}`",
    "after_failure": "`{task}` waits for the failure of `{upstream}`",
    "before_complete": "`{upstream}` is complete only after `{task}`",
    "arm": "`{upstream}` decides about `{task}`",
    "recovery": "`{task}` waits for the recovery of `{upstream}` by `{before}`",
}


def _label(context: FlowContext, graph: FlowGraph, step: Step) -> Label:
    link = step.link
    if link.kind == "after_start" and step.later == link.upstream and graph.tasks[link.upstream].service:
        text = f"the service `{link.upstream}` is stopped only after `{link.task}`"
    else:
        text = _SAYS[link.kind].format(task=link.task, upstream=link.upstream, before=step.before)
    return Label(context.places.place(link.path), text)


RULES: tuple[Rule, ...] = (
    unknown_upstream,
    waits_for_itself,
    named_twice,
    succeeded_and_failed,
    recovers_nothing,
    waits_in_a_circle,
)
