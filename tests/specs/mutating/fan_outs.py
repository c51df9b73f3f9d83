"""Flows that fan out over too much, over the same thing twice, or beyond another limit; flows of too many tasks (26x, 270)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def more_than_allowed(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "«items»: [1, 2, 3], max_items: 2")
    yield from _fanning(subject, "«matrix»: {a: [1, 2], b: [1, 2]}, max_items: 3")
    for path, fan in _written(subject):
        sizes = [len(axis) if isinstance(axis, list) else 0 for axis in fan.get("matrix", {}).values()]
        if "max_items" not in fan and "where" not in fan and min(sizes, default=0) > 1:
            at = subject.document.place((*path, "matrix"), key=True)
            yield from subject.with_entry(path, "max_items: 1", at)


def exclusion_of_nothing(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "matrix: {a: [1, 2]}, exclude: [{a: «3»}]")
    yield from _fanning(subject, "matrix: {a: [1, 2]}, exclude: [{«b»: 1}]")
    for path, fan in _written(subject):
        for axis, values in fan.get("matrix", {}).items():
            if isinstance(values, list) and "exclude" not in fan:
                yield from subject.with_entry(path, f"exclude: [{{{axis}: «nonsense»}}]")


def exclusion_of_everything(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "matrix: {a: [1]}, «exclude»: [{a: 1}]")


def filter_that_keeps_everything(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "items: [1, 2], «where»: true")
    for path, fan in _written(subject):
        if "where" not in fan:
            yield from subject.with_entry(path, "«where»: true")


def addition_that_is_no_axis(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "matrix: {a: [1, 2]}, include: [{a: 3, «b»: 4}]")
    for path, fan in _written(subject):
        if "matrix" in fan and "include" not in fan:
            axes = ", ".join(f"{axis}: x" for axis in fan["matrix"])
            yield from subject.with_entry(path, f"include: [{{{axes}, «extra»: 1}}]")


def key_twice(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, "items: [a, b, a], key: «item»")
    yield from _fanning(subject, "items: [{id: 7}, {id: 7}], key: «item.id»")
    yield from _fanning(subject, "matrix: {a: [1, 2], b: [1, 2]}, key: «item.b»")


def more_at_once_than_other_limits(subject: Subject) -> Iterator[Mutant]:
    tasks = subject.flow.concurrency.tasks
    yield from _fanning(subject, f"items: [1, 2], max_parallel: «{tasks + 1}»")
    for pool, spec in subject.flow.pools.items():
        if pool in subject.document.data.get("pools", {}) and spec.slots < tasks:
            yield from _fanning(subject, f"items: [1, 2], max_parallel: «{spec.slots + 1}»", f"pool: {pool}, ")


def losses_nobody_hears_of(subject: Subject) -> Iterator[Mutant]:
    yield from _fanning(subject, 'items: [1, 2], tolerate: «"100%"»', "dead_letter: false, ")
    for path, fan in _written(subject):
        if "tolerate" not in fan and "dead_letter" not in subject.tasks[path[1]]:
            letters = subject.entries(path[:2], "dead_letter: false")
            yield from subject.changed(letters, subject.entries(path, 'tolerate: «"100%"»'))


def too_many_tasks(subject: Subject) -> Iterator[Mutant]:
    if len(subject.tasks) > 1 and "limits" not in subject.document.data:
        at = subject.document.place(("tasks",), key=True)
        yield from subject.with_section("limits", f"tasks: {len(subject.tasks) - 1}", at=at)


def _fanning(subject: Subject, fan_out: str, more: str = "") -> Iterator[Mutant]:
    """With a further task that fans out so."""
    yield from subject.with_tasks(f'extra: {{{more}fan_out: {{{fan_out}}}, exec: ["true"]}}')


def _written(subject: Subject) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for task, written in subject.tasks.items():
        if "fan_out" in written:
            yield ("tasks", task, "fan_out"), written["fan_out"]


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW261", more_than_allowed),
    ("FLOW262", exclusion_of_everything),
    ("FLOW262", exclusion_of_nothing),
    ("FLOW262", filter_that_keeps_everything),
    ("FLOW263", addition_that_is_no_axis),
    ("FLOW264", key_twice),
    ("FLOW265", more_at_once_than_other_limits),
    ("FLOW270", too_many_tasks),
    ("FLOW530", losses_nobody_hears_of),
)
