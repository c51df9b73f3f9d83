"""Flows whose graph is broken: edges, arms, joins, templates, calls, fan-outs (2xx)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def edge_to_nowhere(subject: Subject) -> Iterator[Mutant]:
    """The target of an edge renamed, where nothing but the edge is lost with it."""
    for path, upstream in _edges(subject):
        if f"tasks.{upstream}." not in subject.text and not subject.flow.tasks[upstream].service:
            yield subject.replaced(path, f"«{upstream}_»")


def further_edge_to_nowhere(subject: Subject) -> Iterator[Mutant]:
    for path in _edge_lists(subject):
        yield from subject.with_element(path, "«xxxxx»")


def edge_to_itself(subject: Subject) -> Iterator[Mutant]:
    for path in _edge_lists(subject):
        yield from subject.with_element(path, f"«{path[1]}»")


def edge_twice(subject: Subject) -> Iterator[Mutant]:
    for path, upstream in _edges(subject):
        yield subject.replaced(path, f"{upstream}, «{upstream}»")


def succeeded_and_failed(subject: Subject) -> Iterator[Mutant]:
    for path, upstream in _edges(subject):
        is_read = subject.is_read(path[1])
        is_allowed = subject.flow.tasks[upstream].allow_failure  # its failure is both
        if path[2] == "after" and "after_failure" not in subject.tasks[path[1]] and not is_read and not is_allowed:
            yield from subject.with_entry(path[:2], f"after_failure: [«{upstream}»]")


def arm_to_nowhere(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        for below in sorted({path[:-1] for path, _ in spec.arms()}, key=str):
            yield from subject.with_element(("tasks", task, *below), "«xxxxx»")


def arm_to_an_ancestor(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        upstream = [link.upstream for link in subject.graph.incoming[task] if link.kind == "after"]
        for below in sorted({path[:-1] for path, _ in spec.arms()}, key=str):
            if upstream:
                yield from subject.with_element(("tasks", task, *below), f"«{upstream[0]}»")


def cycle(subject: Subject) -> Iterator[Mutant]:
    """An edge back along one there is, from a task without edges of its own."""
    for path, upstream in _edges(subject):
        first, second = subject.flow.tasks[upstream], subject.flow.tasks[path[1]]
        is_plain = path[2] == "after" and not subject.graph.incoming[upstream] and not second.service
        is_plain &= not subject.graph.arms_of(path[1])
        if is_plain and not list(first.arms()) and subject.graph.positions[upstream] < subject.graph.positions[path[1]]:
            yield from subject.with_entry(("tasks", upstream), f"after: [«{path[1]}»]")


def join_of_too_many(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "join" not in written and "after" in written and f"tasks.{task}." not in subject.text:
            yield from subject.with_entry(("tasks", task), "join: «99»")


def after_a_service(subject: Subject) -> Iterator[Mutant]:
    services = [task for task, spec in subject.flow.tasks.items() if spec.service]
    for service in services:
        for task in subject.leaves():
            if service not in [link.upstream for link in subject.graph.incoming[task]]:
                yield from subject.with_element(("tasks", task, "after"), f"«{service}»")


def recovers_nothing(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "after_failure" not in written:
            yield from subject.with_entry(("tasks", task), "«recovers»: true")


def unknown_template(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "extends" not in written:
            yield from subject.with_entry(("tasks", task), "extends: «nowhere»")


def more_than_the_pool(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if isinstance(written.get("pool"), str) and written["pool"] in subject.flow.pools:
            yield subject.replaced(("tasks", task, "pool"), f"{{{written['pool']}: «999»}}")


def edge_in_defaults(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_entry(("defaults",), f"«after»: [{next(iter(subject.tasks))}]")


def unknown_connector(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "use" in written and f"tasks.{task}." not in subject.text:
            yield subject.replaced(("tasks", task, "use"), "«htp.request»")


def unknown_field_of_a_connector(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if written.get("use", "").startswith(("http.", "file.")):
            yield from subject.with_entry(("tasks", task, "with"), "«colour»: red")


def without_a_field_of_a_connector(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if written.get("use") == "http.request":
            yield from subject.without(("tasks", task, "with", "url"), subject.document.place(("tasks", task, "use")))


def value_of_another_type_for_a_connector(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if written.get("use") == "http.request" and "method" in written["with"]:
            yield subject.replaced(("tasks", task, "with", "method"), "«[GET]»")


def only_upstream_can_run_again(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        later = [link.task for link in subject.graph.outgoing[task] if link.kind == "after"]
        if "retry_upstream" in written and later:
            yield from subject.with_element(("tasks", task, "retry_upstream", "tasks"), f"«{later[0]}»")


def unknown_flow(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "flow" in written and f"tasks.{task}.output" not in subject.text:
            yield subject.replaced(("tasks", task, "flow"), "«flows/nowhere.yaml»")


def unknown_parameter_of_a_flow(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "flow" in written:
            yield from subject.with_entry(("tasks", task, "with"), "«nonsense»: 1")


def empty_axis(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        fan = written.get("fan_out", {})
        if isinstance(fan.get("matrix"), dict) and "exclude" not in fan and "include" not in fan:
            yield from subject.with_entry(("tasks", task, "fan_out", "matrix"), "further: «[]»")


def tolerates_too_much(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "tolerate" in written.get("fan_out", {}):
            yield subject.replaced(("tasks", task, "fan_out", "tolerate"), '«"200%"»')


def _edges(subject: Subject) -> Iterator[tuple[tuple[Any, ...], str]]:
    """Edges written as an id in brackets: paths and upstream tasks."""
    for path in _edge_lists(subject):
        for number, edge in enumerate(subject.document.value(path)):
            if isinstance(edge, str):
                yield (*path, number), edge


def _edge_lists(subject: Subject) -> Iterator[tuple[Any, ...]]:
    for task, written in subject.tasks.items():
        for key in ("after", "after_start", "after_end", "after_failure"):
            if key in written and subject.text[subject.document.place(("tasks", task, key)).start] == "[":
                yield ("tasks", task, key)


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW201", edge_to_nowhere),
    ("FLOW201", further_edge_to_nowhere),
    ("FLOW202", edge_to_itself),
    ("FLOW203", edge_twice),
    ("FLOW204", succeeded_and_failed),
    ("FLOW206", arm_to_nowhere),
    ("FLOW207", arm_to_an_ancestor),
    ("FLOW210", cycle),
    ("FLOW212", join_of_too_many),
    ("FLOW215", after_a_service),
    ("FLOW217", recovers_nothing),
    ("FLOW218", unknown_template),
    ("FLOW219", more_than_the_pool),
    ("FLOW220", edge_in_defaults),
    ("FLOW222", unknown_connector),
    ("FLOW223", unknown_field_of_a_connector),
    ("FLOW223", without_a_field_of_a_connector),
    ("FLOW224", value_of_another_type_for_a_connector),
    ("FLOW240", only_upstream_can_run_again),
    ("FLOW250", unknown_flow),
    ("FLOW252", unknown_parameter_of_a_flow),
    ("FLOW260", empty_axis),
    ("FLOW266", tolerates_too_much),
)
