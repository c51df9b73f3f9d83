"""Flows whose shape is broken: keys, types, choices, forms (1xx)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from specs.model.task import ACTIONS
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def misspelt_key(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        for key in written:
            if key not in ACTIONS:
                yield subject.replaced(("tasks", task, key), f"«{key}{key[-1]}»", key=True)


def misspelt_key_at_the_top(subject: Subject) -> Iterator[Mutant]:
    for key in subject.document.data:
        if key not in ("version", "tasks"):
            yield subject.replaced((key,), f"«{key}{key[-1]}»", key=True)


def misspelt_key_of_a_part(subject: Subject) -> Iterator[Mutant]:
    for path, part in _parts(subject, "retry", "fan_out", "repeat"):
        for key in part:
            if key not in ("items", "matrix", "until", "max", "attempts"):
                yield subject.replaced((*path, key), f"«{key}{key[-1]}»", key=True)


def misspelt_key_without_a_value(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield from subject.with_entry(("tasks", task), "«timout»: ")
    yield from subject.with_entry((), "«colour»: ")


def key_twice(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        for key in written:
            at, value = (subject.document.place(("tasks", task, key), key=is_key) for is_key in (True, False))
            same = subject.text[value.start : value.end]
            if "\n" not in same and (same[0] in "[{" or not isinstance(written[key], dict | list)):
                yield from subject.with_entry(("tasks", task), f"{key}: {same}", at)


def task_twice(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        at = subject.document.place(("tasks", task), key=True)
        yield from subject.with_entry(("tasks",), f"{task}: {{run: x}}", at)


def without_a_field(subject: Subject) -> Iterator[Mutant]:
    required = {"repeat": ("until", "max"), "retry_upstream": ("tasks", "rounds"), "approval": ("prompt",)}
    for kind, keys in required.items():
        for path, _ in _parts(subject, kind):
            for key in keys:
                yield from subject.without((*path, key), subject.document.place(path, key=True))


def text_for_a_list(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if len(written.get("after", ())) == 1 and isinstance(written["after"][0], str):
            yield subject.replaced(("tasks", task, "after"), f"«{written['after'][0]}»")


def list_for_a_duration(subject: Subject) -> Iterator[Mutant]:
    for path, _ in _values(subject, "timeout"):
        yield subject.replaced(path, "«[1m]»")


def list_for_a_text(subject: Subject) -> Iterator[Mutant]:
    yield subject.replaced(("description",), "«[one, two]»")


def text_for_a_number(subject: Subject) -> Iterator[Mutant]:
    for path, part in _parts(subject, "retry"):
        if "attempts" in part:
            yield subject.replaced((*path, "attempts"), '«"3"»')


def text_for_a_boolean(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "allow_failure" not in written:
            yield from subject.with_entry(("tasks", task), 'allow_failure: «"true"»')


def no_such_choice(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "priority" in written:
            yield subject.replaced(("tasks", task, "priority"), "«hihg»")
        else:
            yield from subject.with_entry(("tasks", task), "priority: «hihg»")


def no_such_type(subject: Subject) -> Iterator[Mutant]:
    for name, param in subject.document.data.get("params", {}).items():
        if "type" in param:
            yield subject.replaced(("params", name, "type"), "«integer»")


def two_actions(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        for action in ACTIONS:
            if action in written and action != "run":
                yield from subject.with_entry(("tasks", task), "«run»: make")


def items_and_matrix(subject: Subject) -> Iterator[Mutant]:
    for path, part in _parts(subject, "fan_out"):
        if "items" in part:
            yield from subject.with_entry(path, "«matrix»: {a: [1]}")


def key_without_meaning(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        if spec.action in ("set", "branch", "switch", "approval", "fail", "wait"):
            yield from subject.with_entry(("tasks", task), "«workdir»: /tmp")


def bad_id(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield subject.replaced(("tasks", task), f"«{task}-1»", key=True)


def bare_duration(subject: Subject) -> Iterator[Mutant]:
    for path, _ in _values(subject, "timeout"):
        yield subject.replaced(path, "«90»")


def out_of_range(subject: Subject) -> Iterator[Mutant]:
    for path, part in _parts(subject, "retry"):
        if "attempts" in part:
            yield subject.replaced((*path, "attempts"), "«0»")
    for path, part in _parts(subject, "fan_out"):
        if "max_parallel" in part:
            yield subject.replaced((*path, "max_parallel"), "«0»")


def unknown_version(subject: Subject) -> Iterator[Mutant]:
    yield subject.replaced(("version",), "«2»")


def reserved_name(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield from subject.with_entry(("tasks", task, "env"), "«FLOW_TASK»: x")


def default_of_another_type(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("int", "bool", "float"):
        if not subject.flow.params[name].required:
            yield subject.replaced(("params", name, "default"), "«many»")


def broken_pattern(subject: Subject) -> Iterator[Mutant]:
    for name, param in subject.flow.params.items():
        if param.pattern is not None:
            yield subject.replaced(("params", name, "pattern"), '«"(a|b"»')


def edges_of_elsewhere(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "after" in written:
            yield subject.replaced(("tasks", task, "after"), "«needs»", key=True)
            yield subject.replaced(("tasks", task, "after"), "«depends_on»", key=True)


def _parts(subject: Subject, *kinds: str) -> Iterator[tuple[tuple[Any, ...], Mapping[str, Any]]]:
    """The maps of tasks under these keys, with their paths."""
    for task, written in subject.tasks.items():
        for kind in kinds:
            if isinstance(written.get(kind), dict):
                yield ("tasks", task, kind), written[kind]


def _values(subject: Subject, key: str) -> Iterator[tuple[tuple[Any, ...], Any]]:
    """What tasks have under this key, with its path."""
    for task, written in subject.tasks.items():
        if key in written:
            yield ("tasks", task, key), written[key]


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW103", key_twice),
    ("FLOW103", task_twice),
    ("FLOW110", misspelt_key),
    ("FLOW110", misspelt_key_at_the_top),
    ("FLOW110", misspelt_key_of_a_part),
    ("FLOW110", misspelt_key_without_a_value),
    ("FLOW111", without_a_field),
    ("FLOW112", list_for_a_text),
    ("FLOW112", text_for_a_boolean),
    ("FLOW112", text_for_a_list),
    ("FLOW112", text_for_a_number),
    ("FLOW113", no_such_choice),
    ("FLOW113", no_such_type),
    ("FLOW114", two_actions),
    ("FLOW115", items_and_matrix),
    ("FLOW116", key_without_meaning),
    ("FLOW117", bad_id),
    ("FLOW118", bare_duration),
    ("FLOW118", list_for_a_duration),
    ("FLOW119", out_of_range),
    ("FLOW121", unknown_version),
    ("FLOW124", reserved_name),
    ("FLOW127", default_of_another_type),
    ("FLOW128", broken_pattern),
    ("FLOW129", edges_of_elsewhere),
)
