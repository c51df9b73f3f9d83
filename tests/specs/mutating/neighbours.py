"""Flows that do not go together with another one of their project, or with a library of it (132, 227, 228, 257, 509, 51x)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.check import flow_name
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject

_TASKS = 'tasks:\n  extra: {exec: ["true"]}\n'
_BEFORE, _AFTER = "a_neighbour.yaml", "zz_neighbour.yaml"
"""Neighbours that are checked before all others, and after them: it is the second of two that is told of."""


def library_nobody_includes(subject: Subject) -> Iterator[Mutant]:
    yield from subject.changed(beside={"library.yaml": "«v»ersion: 1\ntemplates:\n  extra: {timeout: 5m}\n"})


def name_of_a_neighbour(subject: Subject) -> Iterator[Mutant]:
    name = flow_name(subject.context)
    yield from subject.changed(beside={_AFTER: f"version: 1\nname: «{name}»\n{_TASKS}"})
    if "name" in subject.document.data:
        at = subject.document.place(("name",))
        yield from subject.changed(at=at, beside={_BEFORE: f"version: 1\nname: {name}\n{_TASKS}"})


def pool_of_another_size(subject: Subject) -> Iterator[Mutant]:
    for name, pool in subject.document.data.get("pools", {}).items():
        if isinstance(pool, dict):
            neighbour = f"version: 1\npools: {{«{name}»: {{slots: 77}}}}\n{_TASKS}"
            yield from subject.changed(beside={_AFTER: neighbour})


def locks_in_another_order(subject: Subject) -> Iterator[Mutant]:
    """A service holds one lock while what waits for its start wants another; in the neighbour it is the other way."""
    tasks = [
        "extra_holds: {service: true, lock: lock_a, exec: [serve], ready: {tcp: 5999}}",
        'extra_wants: {after_start: [extra_holds], lock: «lock_b», exec: ["true"]}',
    ]
    swapped = [task.replace("lock_a", "lock_c").replace("«lock_b»", "lock_a") for task in tasks]
    neighbour = "".join(f"  {task.replace('lock_c', 'lock_b')}\n" for task in swapped)
    yield from subject.changed(subject.entries(("tasks",), *tasks), beside={_AFTER: f"version: 1\ntasks:\n{neighbour}"})


def webhook_of_a_neighbour(subject: Subject) -> Iterator[Mutant]:
    for path in _webhooks(subject):
        yield from subject.changed(beside={_AFTER: _hook(f"«{path}»")})
        yield from subject.changed(beside={_AFTER: _hook(f"«{path}/»")})


def _hook(path: str) -> str:
    signature = "{scheme: standard, secret: KEY}"
    triggers = f"triggers: {{extra: {{webhook: {{path: {path}, signature: {signature}}}}}}}\n"
    return f'version: 1\nsecrets: {{KEY: {{from: "env:KEY"}}}}\n{triggers}{_TASKS}'


def _webhooks(subject: Subject) -> Iterator[str]:
    for trigger in subject.flow.triggers.values():
        if trigger.webhook is not None:
            yield trigger.webhook.path


def starts_in_a_circle(subject: Subject) -> Iterator[Mutant]:
    """The neighbour starts when the flow has ended, and the flow when the neighbour has."""
    if not any(param.required for param in subject.flow.params.values()):
        neighbour = (
            f"version: 1\nname: extra\ntriggers: {{extra: {{flow: {{name: {flow_name(subject.context)}}}}}}}\n{_TASKS}"
        )
        trigger = subject.section("triggers", "extra: {flow: {name: «extra»}}")
        yield from subject.changed(trigger, beside={_AFTER: neighbour})


def waits_for_no_flow(subject: Subject) -> Iterator[Mutant]:
    others = [trigger.flow for trigger in subject.flow.triggers.values() if trigger.flow is not None]
    if not others and not any(param.required for param in subject.flow.params.values()):
        yield from subject.with_section("triggers", "extra: {flow: {name: «nowhere»}}")


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW132", library_nobody_includes),
    ("FLOW227", pool_of_another_size),
    ("FLOW228", locks_in_another_order),
    ("FLOW257", name_of_a_neighbour),
    ("FLOW509", webhook_of_a_neighbour),
    ("FLOW513", starts_in_a_circle),
    ("FLOW514", waits_for_no_flow),
)
