"""Flows that declare what nobody uses, or are not written as flows are best written (6xx)."""

from __future__ import annotations

from collections.abc import Iterator

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def unused_parameter(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_section("params", "«extra»: {type: int, default: 1}")


def unused_secret(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_section("secrets", '«EXTRA»: {from: "env:EXTRA"}')


def unused_template(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_section("templates", "«extra»: {timeout: 5m}")


def unused_pool_or_connector(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_section("pools", "«extra»: {slots: 2}")
    yield from subject.with_section("connectors", "«extra»: {type: http}")


def unused_value(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks("extra: {set: {«v»: 1}}")
    for task, written in subject.tasks.items():
        if "set" in written:
            yield from subject.with_entry(("tasks", task, "set"), "«extra»: 1")


def without_a_description(subject: Subject) -> Iterator[Mutant]:
    first = "name" if "name" in subject.document.data else "version"
    yield from subject.without(("description",), subject.document.place((first,), key=True))


def unconventional_id(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks('«extra__task»: {exec: ["true"]}')
    yield from subject.with_section("params", "«extra_»: {type: int, default: 1}")


def long_name_of_after(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "after" in written:
            yield subject.replaced(("tasks", task, "after"), "«after_complete»", key=True)


def condition_of_the_task_before(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        for link in subject.graph.incoming[task]:
            condition = subject.graph.tasks[link.upstream].condition
            if spec.condition is None and link.kind == "after" and isinstance(condition, str) and '"' not in condition:
                yield from subject.with_entry(("tasks", task), f'if: «"{condition}"»')
    yield from subject.with_tasks(
        'extra_a: {if: "run.id == \'x\'", exec: ["true"]}',
        'extra_b: {after: [extra_a], if: «"run.id == \'x\'"», exec: ["true"]}',
    )


def long_script(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        start = subject.document.scalar_offset(("tasks", task, "run"), 0) if "run" in written else None
        if start is not None and "\n" in written["run"]:
            indent = start - subject.text.rfind("\n", 0, start) - 1
            lines = ("# a line\n" + " " * indent) * 30
            yield subject.edited(start, start, lines, subject.document.place(("tasks", task, "run"), key=True))


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW601", unused_parameter),
    ("FLOW602", unused_secret),
    ("FLOW603", unused_template),
    ("FLOW604", unused_pool_or_connector),
    ("FLOW605", unused_value),
    ("FLOW606", without_a_description),
    ("FLOW607", unconventional_id),
    ("FLOW608", long_name_of_after),
    ("FLOW609", condition_of_the_task_before),
    ("FLOW610", long_script),
)
