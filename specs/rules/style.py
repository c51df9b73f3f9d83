"""How flows are best written (FLOW606 to 610); off unless asked for."""

from __future__ import annotations

import re
from collections.abc import Iterator

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Edit, Fix
from specs.graph import FlowGraph

CONVENTION = "words_of_lower_case_letters_and_digits"
LONG_SCRIPT = 30
"""Lines from which a script is better kept in a file of its own."""

_ID = re.compile(r"[a-z][a-z0-9]*(?:_[a-z0-9]+)*")


def no_description(context: FlowContext) -> Iterator[Diagnostic]:
    """A flow says what it is for."""
    if not context.flow.description:
        path: Path = ("name",) if context.flow.name is not None else ("version",)
        yield context.finding("FLOW606", path, "no description", key=True, help="say in `description` what it is for")


def unconventional_ids(context: FlowContext) -> Iterator[Diagnostic]:
    """Ids are words joined by single underscores."""
    named: list[tuple[Path, str]] = [(("params", name), name) for name in context.flow.params]
    for graph in context.graphs:
        named += [((*graph.prefix, task), task) for task in graph.tasks]
    for path, name in named:
        if not _ID.fullmatch(name):
            help_ = f"write `{re.sub('_+', '_', name).strip('_')}`"
            yield context.finding("FLOW607", path, f"id `{name}` does not match `{CONVENTION}`", key=True, help=help_)


def long_name_of_after(context: FlowContext) -> Iterator[Diagnostic]:
    """One edge kind has one name."""
    for graph in context.graphs:
        for task, spec in graph.having("after_complete"):
            path = (*graph.prefix, task, "after_complete")
            fix = None
            if not spec.after and not context.places.inherited(path):
                fix = Fix("write `after`", (Edit(context.places.place(path, key=True), "after"),))
            yield context.finding(
                "FLOW608", path, "`after_complete` is written `after`", key=True, help="write `after`", fix=fix
            )


def same_condition(context: FlowContext) -> Iterator[Diagnostic]:
    """A condition that holds for a chain of tasks stands once, in a branch before them."""
    for graph in context.graphs:
        for task, spec in graph.having("condition"):
            before = _same_before(graph, task) if isinstance(spec.condition, str) else None
            if before is not None:
                yield context.finding(
                    "FLOW609",
                    (*graph.prefix, task, "if"),
                    f"the same `if` as that of `{before}`, which `{task}` waits for",
                    help="decide once in a `branch`, or leave it out: what hangs on a skipped task is skipped with it",
                )


def _same_before(graph: FlowGraph, task: str) -> str | None:
    condition = str(graph.tasks[task].condition).split()
    for link in graph.incoming[task]:
        other = graph.tasks[link.upstream].condition
        if link.kind == "after" and isinstance(other, str) and other.split() == condition:
            return link.upstream
    return None


def long_scripts(context: FlowContext) -> Iterator[Diagnostic]:
    """A long script is a program, and has a file, an editor and tests of its own."""
    for graph in context.graphs:
        for task, spec in graph.having("run"):
            lines = (spec.run or "").rstrip("\n").count("\n") + 1
            if lines > LONG_SCRIPT:
                path = (*graph.prefix, task, "run")
                help_ = "keep it in a file beside the flow and run that"
                yield context.finding("FLOW610", path, f"script of {lines} lines", key=True, help=help_)


RULES: tuple[Rule, ...] = (no_description, unconventional_ids, long_name_of_after, same_condition, long_scripts)
