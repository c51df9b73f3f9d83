"""Flows that call others in a way that these cannot be called, with the called flow as it is or changed beside (25x)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from specs.diagnostics import Place
from tests.specs.mutating.mutants import Change, Mutant, changed
from tests.specs.mutating.subject import Mutator, Subject, subjects

_CALL = "extra_call: {flow: extra.yaml}"
_LEAF = 'version: 1\ntasks:\n  extra: {exec: ["true"]}\n'


def parameter_left_out(subject: Subject) -> Iterator[Mutant]:
    for task, callee in _calls(subject):
        at = subject.document.place(("tasks", task, "flow"))
        for name in subject.tasks[task].get("with", {}):
            if callee.flow.params[name].required:
                yield from subject.without(("tasks", task, "with", name), at)


def further_parameter(subject: Subject) -> Iterator[Mutant]:
    """The called flow needs one more."""
    for task, callee in _calls(subject):
        at = subject.document.place(("tasks", task, "flow"))
        if not callee.flow.triggers:  # which would have to give it too
            yield from _with_callee(subject, callee, callee.section("params", "extra: {type: int}"), at)


def parameter_of_another_type(subject: Subject) -> Iterator[Mutant]:
    for task, callee in _calls(subject):
        for name in subject.tasks[task].get("with", {}):
            wrong = {"int": "many", "float": "much", "bool": "maybe", "json": None}.get(
                callee.flow.params[name].type, "[1]"
            )
            if callee.flow.params[name].type == "list":
                wrong = "{a: 1}"
            if wrong is not None:
                yield subject.replaced(("tasks", task, "with", name), f"«{wrong}»")


def circle(subject: Subject) -> Iterator[Mutant]:
    """The called flow calls the one that calls it."""
    for task, callee in _calls(subject):
        back = PurePosixPath(*[".."] * (len(PurePosixPath(callee.name).parts) - 1), subject.name)
        at = subject.document.place(("tasks", task, "flow"))
        if ".." not in back.parts and not any(param.required for param in subject.flow.params.values()):
            call = f"extra_call: {{flow: {back}}}"
            yield from _with_callee(subject, callee, callee.entries(("tasks",), call), at)


def call_of_itself(subject: Subject) -> Iterator[Mutant]:
    if not any(param.required for param in subject.flow.params.values()):
        yield from subject.with_tasks(f"extra: {{flow: «{PurePosixPath(subject.name).name}»}}")


def too_deep(subject: Subject) -> Iterator[Mutant]:
    """The called flow calls another, and only one level is allowed."""
    for task, callee in _calls(subject):
        at = subject.document.place(("tasks", task, "flow"))
        call = callee.entries(("tasks",), _CALL)
        deeper = changed(callee.text, [call] if call is not None else [])
        beside = {callee.name: deeper, _beside(callee, "extra.yaml"): _LEAF}
        yield from subject.changed(subject.section("limits", "flow_depth: 1"), at=at, beside=beside)


def chain(subject: Subject) -> Iterator[Mutant]:
    """A new task calls a flow that calls another, and so on, one more than is allowed."""
    links = {f"extra_{n}.yaml": f"version: 1\ntasks:\n  extra: {{flow: extra_{n + 1}.yaml}}\n" for n in range(8)}
    files = {**links, "extra_8.yaml": _LEAF}
    beside = {_beside(subject, name): text for name, text in files.items()}
    if "limits" not in subject.document.data:
        call = subject.entries(("tasks",), "extra: {flow: «extra_0.yaml»}")
        yield from subject.changed(call, beside=beside)


def output_that_nobody_gives(subject: Subject) -> Iterator[Mutant]:
    leaf = f"{_LEAF}outputs: {{rows: 1}}\n"
    reader = 'extra_read: {after: [extra_call], exec: [tell, "${{ tasks.extra_call.output.«row» }}"]}'
    yield from subject.changed(
        subject.entries(("tasks",), _CALL, reader), beside={_beside(subject, "extra.yaml"): leaf}
    )


def _calls(subject: Subject) -> Iterator[tuple[str, Subject]]:
    """Tasks that call a flow, with that flow."""
    by_name = {(one.folder, one.name): one for one in subjects()}
    for task, written in subject.tasks.items():
        path = str(PurePosixPath(subject.name).parent / str(written.get("flow", "")))
        callee = by_name.get((subject.folder, path)) or by_name.get((subject.folder, f"{path}.yaml"))
        if "flow" in written and callee is not None:
            yield task, callee


def _with_callee(subject: Subject, callee: Subject, change: Change | None, at: Place) -> Iterator[Mutant]:
    """The flow as it is, with the called one changed."""
    if change is not None:
        yield from subject.changed(at=at, beside={callee.name: changed(callee.text, [change])})


def _beside(subject: Subject, name: str) -> str:
    """A file in the folder of a flow, from the folder of all."""
    return str(PurePosixPath(subject.name).parent / name)


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW251", further_parameter),
    ("FLOW251", parameter_left_out),
    ("FLOW253", parameter_of_another_type),
    ("FLOW254", call_of_itself),
    ("FLOW254", circle),
    ("FLOW255", chain),
    ("FLOW255", too_deep),
    ("FLOW256", output_that_nobody_gives),
)
