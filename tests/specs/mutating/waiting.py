"""Flows whose tasks wait for too much, too little, or for what may never come (205, 211, 213 to 216, 221, 230, 24x)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from specs.graph import arm_key
from specs.model import TaskSpec
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def edge_around_another(subject: Subject) -> Iterator[Mutant]:
    """A task waits for what the task before it, which always runs, has waited for."""
    plain = {task for task, spec in subject.graph.tasks.items() if _always_runs(subject, task, spec)}
    first = {task for task in plain if not subject.graph.incoming[task]}
    second = {task for task in plain if {link.upstream for link in subject.graph.incoming[task]} <= first} - first
    for task, spec in subject.graph.tasks.items():
        waits = {link.upstream for link in subject.graph.incoming[task] if link.kind == "after"}
        for between in sorted(waits & second):
            for already in sorted({link.upstream for link in subject.graph.incoming[between]} - waits):
                if spec.join in ("all", "strict"):
                    yield from subject.with_element(("tasks", task, "after"), f"«{already}»")


def _always_runs(subject: Subject, task: str, spec: TaskSpec) -> bool:
    is_plain = spec.condition is None and spec.join == "all" and not spec.allow_failure and spec.fan_out is None
    is_plain &= not subject.graph.handlers.get(task) and not any(edge.timeout for _, _, edge in spec.edges())
    return is_plain and all(link.kind == "after" for link in subject.graph.incoming[task])


def recovery_in_a_circle(subject: Subject) -> Iterator[Mutant]:
    """A new handler of a task waits for another that waits for the same task."""
    for handled, later in _plain_pairs(subject):
        link = next(link for link in subject.graph.incoming[later] if link.upstream == handled)
        if not subject.is_read(handled) and not subject.graph.tasks[later].service:
            handler = f'extra: {{after: [{later}], after_failure: [{handled}], recovers: true, exec: ["true"]}}'
            yield from subject.with_tasks(handler, at=subject.document.place(link.path[:-1]))


def _plain_pairs(subject: Subject) -> Iterator[tuple[str, str]]:
    """Tasks that do something, and each the only one that waits for it, by a plain edge."""
    graph = subject.graph
    for task, spec in graph.tasks.items():
        acts = spec.action in ("run", "exec", "call", "use") and not spec.allow_failure
        links = graph.outgoing[task]
        if acts and len(links) == 1 and links[0].kind == "after":
            yield task, links[0].task


def strict_join_of_different_arms(subject: Subject) -> Iterator[Mutant]:
    """A task waits for tasks of the first and of the last arm of a branch, and wants both."""
    graph = subject.graph
    for branch, spec in graph.tasks.items():
        arms: dict[Any, list[str]] = {}
        for link in graph.outgoing[branch]:
            if link.kind == "arm" and len(graph.arms_of(link.task)) == 1 and not spec.service:
                arms.setdefault(arm_key(link, graph), []).append(link.task)
        if len(arms) > 1:
            first, *_, last = (tasks[0] for tasks in arms.values())
            yield from subject.with_tasks(f'extra: {{after: [{first}, {last}], join: «strict», exec: ["true"]}}')


def join_of_one_edge(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        if "join" not in spec.model_fields_set and len(subject.graph.edges_of(task)) <= 1:
            for join in ("any", "all", "1"):
                if join != "1" or subject.graph.edges_of(task):
                    yield from subject.with_entry(("tasks", task), f"«join»: {join}")


def start_of_what_is_no_service(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        if not spec.service:
            yield from subject.with_tasks(f'extra: {{after_start: [«{task}»], exec: ["true"]}}')


def service_for_nobody(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks("extra: {«service»: true, exec: [serve], ready: {tcp: 5999}}")
    for task in subject.leaves():
        if subject.graph.tasks[task].action in ("run", "exec") and not _ends(subject.graph.tasks[task]):
            yield from subject.with_entry(("tasks", task), "«service»: true")


def _ends(spec: TaskSpec) -> bool:
    """Whether the task has what only a task that ends can have."""
    keys = ("retry", "repeat", "fan_out", "outputs", "artifacts", "deadline", "timeout", "allow_failure", "undo")
    return bool(spec.service or {*keys, "service", "dead_letter", "cache"} & spec.model_fields_set)


def skipped_with_what_it_waits_for(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks(
        'extra_a: {if: "run.id == \'x\'", exec: ["true"]}', 'extra_b: {«after»: [extra_a], exec: ["true"]}'
    )


def condition_on_the_task_before(subject: Subject) -> Iterator[Mutant]:
    """A condition for a task of which nothing is read, where one task waits for nothing else."""
    graph = subject.graph
    for task, later in _plain_pairs(subject):
        is_plain = graph.tasks[task].condition is None and graph.tasks[later].condition is None
        is_alone = not graph.incoming[task] and len(graph.incoming[later]) == 1
        if is_plain and is_alone and not subject.is_read(task) and graph.tasks[later].join != "strict":
            at = subject.document.place(graph.incoming[later][0].path[:-2], key=True)
            yield from subject.with_entry(("tasks", task), "if: run.id == 'x'", at)


# --- new rounds ---------------------------------------------------------------------------------------------------------


def reader_of_an_old_round(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        request = spec.retry_upstream
        if request is not None and request.scope == "between":
            at = subject.document.place(("tasks", task, "retry_upstream"), key=True)
            for named in request.tasks:
                yield from subject.with_tasks(f'extra: {{after: [{named}], exec: ["true"]}}', at=at)
    for task, asking in _askable(subject):
        if subject.text.count(f"tasks.{task}.") == 0:
            reader = subject.entries(("tasks",), f'extra: {{after: [{task}], exec: ["true"]}}')
            request_ = subject.entries(("tasks", asking), f"«retry_upstream»: {{tasks: [{task}], rounds: 2}}")
            yield from subject.changed(reader, request_)


def undo_that_acts_again(subject: Subject) -> Iterator[Mutant]:
    for task, asking in _askable(subject):
        undo = subject.entries(("tasks", task), 'undo: {exec: ["true"]}')
        request = subject.entries(("tasks", asking), f"«retry_upstream»: {{tasks: [{task}], rounds: 2}}")
        yield from subject.changed(undo, request)


def too_many_rounds(subject: Subject) -> Iterator[Mutant]:
    for task, asking in _askable(subject):
        request = f"retry_upstream: {{tasks: [{task}], rounds: «7»}}"
        limits = subject.section("limits", "resets: 6")
        yield from subject.changed(limits, subject.entries(("tasks", asking), request))


def _askable(subject: Subject) -> Iterator[tuple[str, str]]:
    """Tasks without `undo`, and the only task that waits for each, which may ask it for a new round."""
    requests = [spec.retry_upstream for spec in subject.graph.tasks.values() if spec.retry_upstream is not None]
    for task, asking in _plain_pairs(subject):
        specs = [subject.graph.tasks[task], subject.graph.tasks[asking]]
        is_free = specs[1].action in ("run", "exec", "call", "use") and not requests
        if is_free and all(spec.undo is None and spec.approval is None for spec in specs):
            yield task, asking


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW205", edge_around_another),
    ("FLOW211", recovery_in_a_circle),
    ("FLOW213", strict_join_of_different_arms),
    ("FLOW214", join_of_one_edge),
    ("FLOW216", start_of_what_is_no_service),
    ("FLOW221", service_for_nobody),
    ("FLOW230", condition_on_the_task_before),
    ("FLOW230", skipped_with_what_it_waits_for),
    ("FLOW241", reader_of_an_old_round),
    ("FLOW242", undo_that_acts_again),
    ("FLOW243", too_many_rounds),
)
