"""Flows with a broken expression: names, fields, filters, types, reads (3xx)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from specs.expressions.uses import Use
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def _in_expressions(subject: Subject, pattern: str, new: str) -> Iterator[Mutant]:
    """Each match of `pattern` in an expression, with its group `name` written as `new` says (`NAME` is what it was)."""
    for use, match in _matches(subject, pattern):
        start = subject.document.scalar_offset(use.path, match.start("name"))
        if start is not None and subject.text.startswith(match["name"], start):
            end = start + len(match["name"])
            yield subject.edited(start, end, new.replace("NAME", match["name"]))


def _matches(subject: Subject, pattern: str) -> Iterator[tuple[Use, re.Match[str]]]:
    for read in subject.context.expressions.reads:
        if read.parts and subject.document.depth_of(read.use.path) == len(read.use.path):
            for match in re.finditer(pattern, read.use.text):
                yield read.use, match


def unknown_root(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\b(?P<name>params)\.", "«parms»")


def unknown_parameter(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\bparams\.(?P<name>[a-z_]+)", "«NAMEx»")


def unknown_task(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\btasks\.(?P<name>[a-z_0-9]+)\.status", "«NAMEx»")
    yield from _in_expressions(subject, r"\btasks\.(?P<name>[a-z_0-9]+)\.output\b", "«NAMEx»")


def unknown_secret(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\bsecrets\.(?P<name>[A-Z_]+)", "«NAMEX»")


def unknown_field(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\btasks\.[a-z_0-9]+\.(?P<name>output)\b", "«outptu»")
    yield from _in_expressions(subject, r"\brun\.(?P<name>[a-z_]+)", "«NAMEx»")


def unknown_filter(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\| (?P<name>[a-z_0-9]+)", "«NAMEx»")


def called(subject: Subject) -> Iterator[Mutant]:
    for use, match in _matches(subject, r"\bparams\.(?P<name>[a-z_]+)\b"):
        start = subject.document.scalar_offset(use.path, match.end())
        if start is not None:
            yield subject.edited(start, start, ".upper«(»)")


def output_of_a_fan_out(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\btasks\.[a-z_0-9]+\.(?P<name>outputs)\b", "«output»")


def outputs_without_a_fan_out(subject: Subject) -> Iterator[Mutant]:
    yield from _in_expressions(subject, r"\btasks\.[a-z_0-9]+\.(?P<name>output)\b", "«outputs»")


def undeclared_output(subject: Subject) -> Iterator[Mutant]:
    for use, match in _matches(subject, r"\btasks\.(?P<task>[a-z_0-9]+)\.output\.(?P<name>[a-z_0-9]+)"):
        task = subject.flow.tasks.get(match["task"])
        start = subject.document.scalar_offset(use.path, match.start("name"))
        if task is not None and (task.outputs or task.set) and start is not None:
            yield subject.edited(start, start + len(match["name"]), f"«{match['name']}x»")


# --- a further condition of a task that nothing waits for -----------------------------------------------------------------


def _condition(subject: Subject, condition: str) -> Iterator[Mutant]:
    for task in subject.leaves():
        yield from subject.with_entry(("tasks", task), f"if: {condition}")


def not_an_expression(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "run.id =«=»")


def item_elsewhere(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "«item» == 1")


def braces_in_an_expression(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "\"«${{ run.id == 'x' }}»\"")


def always_true(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "«true»")


def text_for_a_condition(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "«run.id»")


def number_compared_with_text(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("int"):
        yield from _condition(subject, f"«params.{name} == '3'»")


def text_multiplied(subject: Subject) -> Iterator[Mutant]:
    yield from _condition(subject, "«run.id * 3» == 'x'")


def statement(subject: Subject) -> Iterator[Mutant]:
    yield from _element(subject, '"${{ «{%» if run.id %} }}"')


# --- a further argument of a command --------------------------------------------------------------------------------------


def _element(subject: Subject, element: str) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "exec" in written:
            yield from subject.with_last_element(("tasks", task, "exec"), element)


def list_in_a_text(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("list"):
        yield from _element(subject, f'"all=${{{{ «params.{name}» }}}}"')


def never_closed(subject: Subject) -> Iterator[Mutant]:
    yield from _element(subject, '"«${{» run.id"')


def wrong_argument(subject: Subject) -> Iterator[Mutant]:
    yield from _element(subject, '"${{ [run.id] | «join(3)» }}"')
    yield from _element(subject, "\"${{ run.id | «replace('a')» }}\"")
    yield from _element(subject, '"${{ «3 | trim» }}"')


def map_as_an_argument(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("map"):
        yield from _element(subject, f'"${{{{ «params.{name}» }}}}"')
    yield from _element(subject, "\"${{ «{'a': run.id}» }}\"")


def dash_in_a_name(subject: Subject) -> Iterator[Mutant]:
    for name in subject.flow.params:
        if "_" in name:
            first, _, rest = name.partition("_")
            yield from _element(subject, f'"${{{{ params.«{first}-{rest}» }}}}"')


def too_long(subject: Subject) -> Iterator[Mutant]:
    yield from _element(subject, f'"${{{{«{" " * 4096}run.id »}}}}"')


def too_deep(subject: Subject) -> Iterator[Mutant]:
    yield from _element(subject, f'"${{{{ {"(" * 32}«(»run.id{")" * 33} }}}}"')


def read_without_an_edge(subject: Subject) -> Iterator[Mutant]:
    """A task reads one that comes later."""
    for task, written in subject.tasks.items():
        if "exec" in written:
            for link in subject.graph.outgoing[task][:1]:
                element = f'"${{{{ tasks.«{link.task}».status }}}}"'
                yield from subject.with_last_element(("tasks", task, "exec"), element)


def fan_out_over_a_number(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if isinstance(written.get("fan_out", {}).get("items"), str):
            for name in subject.params("int", "string"):
                yield subject.replaced(("tasks", task, "fan_out", "items"), f"«params.{name}»")


def expression_for_a_name(subject: Subject) -> Iterator[Mutant]:
    paths: list[tuple[Any, ...]] = [("tasks", task, "use") for task in subject.tasks if "use" in subject.tasks[task]]
    for path in paths:
        if f"tasks.{path[1]}." not in subject.text:
            yield subject.replaced(path, '"«${{ run.id }}»"')


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW301", not_an_expression),
    ("FLOW302", unknown_root),
    ("FLOW303", unknown_parameter),
    ("FLOW303", unknown_secret),
    ("FLOW303", unknown_task),
    ("FLOW304", unknown_field),
    ("FLOW305", unknown_filter),
    ("FLOW306", called),
    ("FLOW307", statement),
    ("FLOW308", wrong_argument),
    ("FLOW309", item_elsewhere),
    ("FLOW310", braces_in_an_expression),
    ("FLOW311", always_true),
    ("FLOW312", text_for_a_condition),
    ("FLOW313", number_compared_with_text),
    ("FLOW314", text_multiplied),
    ("FLOW315", list_in_a_text),
    ("FLOW316", map_as_an_argument),
    ("FLOW317", never_closed),
    ("FLOW318", dash_in_a_name),
    ("FLOW319", too_deep),
    ("FLOW319", too_long),
    ("FLOW320", read_without_an_edge),
    ("FLOW321", output_of_a_fan_out),
    ("FLOW321", outputs_without_a_fan_out),
    ("FLOW322", undeclared_output),
    ("FLOW340", fan_out_over_a_number),
    ("FLOW341", expression_for_a_name),
)
