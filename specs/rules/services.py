"""Services and what waits on them (FLOW215, 216, 221)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Edit, Fix, Place
from specs.graph import FlowGraph, Link
from specs.rules.edits import entry_removal


def after_a_service(context: FlowContext) -> Iterator[Diagnostic]:
    """A service has no success of its own to wait for: it runs until nothing needs it any more."""
    for graph in context.graphs:
        for link in (link for task, _ in graph.having("service") for link in graph.outgoing[task]):
            if link.kind == "after" and graph.tasks[link.upstream].service:
                yield context.finding(
                    "FLOW215",
                    link.path,
                    f"`{link.task}` would wait for ever: `{link.upstream}` is a service and runs until it is stopped",
                    help=f"write `after_start: [{link.upstream}]`",
                    fix=_to_after_start(context, graph, link),
                )


def _to_after_start(context: FlowContext, graph: FlowGraph, link: Link) -> Fix | None:
    spec = graph.tasks[link.task]
    list_path = link.path[:-2]
    if spec.after_start or context.places.inherited(list_path):
        return None
    title = f"write `after_start: [{link.upstream}]`"
    key = context.places.place(list_path, key=True)
    entries = len(getattr(spec, str(list_path[-1])))
    if entries == 1:
        return Fix(title, (Edit(key, "after_start"),))
    return _split(context, link, key, entries=entries, title=title)


def _split(context: FlowContext, link: Link, key: Place, *, entries: int, title: str) -> Fix | None:
    """Take the service out of a longer list and write a list of its own in front of it."""
    entry: Path = link.path[:-1]
    removed = entry_removal(context, entry, count=entries)
    separator = _separator(key)
    if removed is None or separator is None:
        return None
    written = context.places.place(entry)
    text = written.source.text[written.start : written.end]
    inserted = Edit(Place(key.source, key.start, key.start), f"after_start: [{text}]{separator}")
    return Fix(title, (inserted, removed)) if "\n" not in text else None


def _separator(key: Place) -> str | None:
    """What goes between a new entry and the map entry that starts at `key`, in the style the map is written in."""
    text = key.source.text
    before = text[text.rfind("\n", 0, key.start) + 1 : key.start]
    if before.rstrip().endswith(("{", ",")):
        return ", "
    outside = text[: key.start].rstrip()
    is_block = not before.strip() and not outside.endswith(("{", ","))
    return "\n" + before if is_block else None


def start_of_no_service(context: FlowContext) -> Iterator[Diagnostic]:
    """`after_start` waits for readiness only where there is a service; together with `before_complete` on the same task
    it is the way to run beside a task, and meant."""
    for graph in context.graphs:
        for link in (link for task, _ in graph.having("after_start") for link in graph.incoming[task]):
            if link.kind != "after_start" or graph.tasks[link.upstream].service:
                continue
            if any(edge.task == link.upstream for edge in graph.tasks[link.task].before_complete):
                continue
            yield context.finding(
                "FLOW216",
                link.path,
                f"`{link.upstream}` is not a service; `after_start` is met as soon as its process starts",
                help=f"write `after: [{link.upstream}]` to wait for its success, or make it a service",
            )


def useless_service(context: FlowContext) -> Iterator[Diagnostic]:
    """A service is there for the tasks that wait on its start."""
    for graph in context.graphs:
        for task, spec in graph.having("service"):
            if spec.service and not any(link.kind == "after_start" for link in graph.outgoing[task]):
                yield context.finding(
                    "FLOW221",
                    (*graph.prefix, task, "service"),
                    f"service `{task}`: nothing waits for its start",
                    key=True,
                    help=f"write `after_start: [{task}]` on the tasks that need it",
                )


RULES: tuple[Rule, ...] = (after_a_service, start_of_no_service, useless_service)
