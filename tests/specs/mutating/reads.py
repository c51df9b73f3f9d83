"""Flows that read of a task what is not there yet, may never be, or always is (323, 324, 331, 332)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject

NEVER = "run.id == 'x'"
"""A condition that may come out either way."""


def output_of_what_gives_none(subject: Subject) -> Iterator[Mutant]:
    for given, edge in (("wait: {for: 5s}", "after"), ("fail: no", "after_end")):
        reader = f'extra_b: {{{edge}: [extra_a], exec: [tell, "${{{{ tasks.extra_a.«output» }}}}"]}}'
        yield from subject.with_tasks(f"extra_a: {{{given}}}", reader)


def read_of_what_has_only_started(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        reader = f'extra: {{after_start: [{task}], exec: [tell, "${{{{ tasks.«{task}».status }}}}"]}}'
        if spec.service:
            yield from subject.with_tasks(reader)
    for task, written in subject.tasks.items():
        for service in written.get("after_start", ()):
            if "exec" in written and service not in written.get("after_end", ()):
                status = f'"${{{{ tasks.«{service}».status }}}}"'
                yield from subject.with_last_element(("tasks", task, "exec"), status)


def read_of_what_may_be_skipped(subject: Subject) -> Iterator[Mutant]:
    """Of a task with a condition, by one that waits for another as well."""
    yield from _optional(subject, "after: [extra_a, extra_b]")
    yield from _optional(subject, "after_end: [extra_a]")


def read_in_the_wrong_half(subject: Subject) -> Iterator[Mutant]:
    """An `if … else` reads where its condition says that the task has not succeeded."""
    path = "tasks.extra_a.output.v"
    yield from _optional(subject, "after_end: [extra_a]", f"'' if tasks.extra_a.status == 'succeeded' else «{path}»")
    yield from _optional(subject, "after_end: [extra_a]", f"«{path}» if tasks.extra_a.status != 'succeeded' else ''")


def _optional(subject: Subject, edges: str, expression: str = "«tasks.extra_a.output.v»") -> Iterator[Mutant]:
    yield from subject.with_tasks(
        f'extra_a: {{if: "{NEVER}", set: {{v: "${{{{ run.id }}}}"}}}}',
        'extra_b: {exec: ["true"]}',
        f'extra_c: {{{edges}, exec: [tell, "${{{{ {expression} }}}}"]}}',
    )


def edge_that_failure_meets(subject: Subject) -> Iterator[Mutant]:
    """`after` made `after_end`, for a task that reads once what the other gives."""
    for task, written in subject.tasks.items():
        reads = [read for read in subject.context.expressions.reads if read.use.path[:2] == ("tasks", task)]
        matches = [
            (read.use, match)
            for read in reads
            for match in re.finditer(r"\btasks\.([a-z_0-9]+)\.output\b[.\w]*", read.use.text)
        ]
        if len(matches) != 1 or "after_end" in written or len(written.get("after", ())) != 1 or "join" in written:
            continue
        use, match = matches[0]
        start = subject.document.scalar_offset(use.path, match.start())
        is_of_it = written["after"] == [match[1]] and f"tasks.{task}." not in subject.text
        if start is not None and is_of_it and "default" not in use.text and not subject.graph.outgoing[task]:
            place = subject.document.place(("tasks", task))
            at = type(place)(place.source, start, start + len(match[0]))
            yield subject.replaced(("tasks", task, "after"), "after_end", key=True, at=at)


def hook_that_reads_too_much(subject: Subject) -> Iterator[Mutant]:
    """A hook of failure reads what a task gives that may be the one that failed."""
    if "hooks" not in subject.document.data:
        task = subject.entries(("tasks",), 'extra: {set: {v: "${{ run.id }}"}}')
        tell = 'extra_tell: {exec: [tell, "${{ «tasks.extra.output.v» }}"]}'
        yield from subject.changed(subject.section("hooks", f"failure: {{{tell}}}"), task)


def needless_default(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("int", "string"):
        value = "3" if subject.flow.params[name].type == "int" else "'x'"
        for task, written in subject.tasks.items():
            if "exec" in written:
                element = f'"${{{{ params.{name} | «default({value})» }}}}"'
                yield from subject.with_last_element(("tasks", task, "exec"), element)


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW323", output_of_what_gives_none),
    ("FLOW324", read_of_what_has_only_started),
    ("FLOW331", edge_that_failure_meets),
    ("FLOW331", hook_that_reads_too_much),
    ("FLOW331", read_in_the_wrong_half),
    ("FLOW331", read_of_what_may_be_skipped),
    ("FLOW332", needless_default),
)
