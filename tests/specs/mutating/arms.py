"""Flows with arms that lead nowhere, twice to one task, or are never taken, and with cases that do not occur (20x, 23x)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject

NEVER = "run.id == 'x'"
"""A condition that may come out either way."""


def in_a_second_arm(subject: Subject) -> Iterator[Mutant]:
    """A task of the first arm named by the second as well."""
    for path in _branches(subject):
        first, second, *_ = _lists(subject, path)
        for task in subject.document.value(first):
            if task not in subject.document.value(second):
                yield from subject.with_last_element(second, f"«{task}»")


def arm_without_tasks(subject: Subject) -> Iterator[Mutant]:
    for path in _branches(subject):
        yield from _with_arm(subject, path, f"if: {NEVER}", "then: «[]»")


def default_without_tasks(subject: Subject) -> Iterator[Mutant]:
    for path in _switches(subject):
        if "default" not in subject.document.value(path):
            yield from subject.with_entry(path, "default: «[]»")


def branch_without_arms(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks("extra: {branch: «[]»}")


def behind_an_arm_that_is_always_taken(subject: Subject) -> Iterator[Mutant]:
    """The condition of an arm replaced by `true`, with nothing but `else` behind it."""
    for path in _branches(subject):
        arms = subject.document.value(path)
        if "else" in arms[-1] and "if" in arms[-2]:
            last = subject.document.place((*path, len(arms) - 1))
            yield subject.replaced((*path, len(arms) - 2, "if"), "true", at=last)


def else_before_the_last(subject: Subject) -> Iterator[Mutant]:
    """An `else` in front: every arm behind it is the same mistake, told once."""
    for path in _branches(subject):
        (task, *_) = subject.document.value(_lists(subject, path)[0])
        yield from _with_arm(subject, path, f"else: [{task}]", at=(*path, 0))


def case_of_another_type(subject: Subject) -> Iterator[Mutant]:
    for name in subject.params("int", "float"):
        yield from _switching(subject, f"params.{name}", '{«"1"»: [extra_arm]}', default=True)
    for name in subject.params("bool"):
        yield from _switching(subject, f"params.{name}", "{«1»: [extra_arm]}", default=True)
    yield from _switching(subject, "run.id", "{«7»: [extra_arm]}", default=True)


def case_that_is_no_choice(subject: Subject) -> Iterator[Mutant]:
    for path in _switches(subject):
        value = str(subject.document.value((*path, "value"))).removeprefix("params.")
        if value in subject.flow.params and subject.flow.params[value].choices is not None:
            (task, *_) = next(iter(subject.document.value((*path, "cases")).values()))
            yield from subject.with_entry((*path, "cases"), f"«nonsense»: [{task}]")
    for name, param in subject.flow.params.items():
        if param.choices is not None and param.type == "string":
            yield from _switching(subject, f"params.{name}", "{«nonsense»: [extra_arm]}", default=True)


def state_that_there_is_not(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        more = f"after_end: [{task}], "
        yield from _switching(subject, f"tasks.{task}.status", "{«done»: [extra_arm]}", default=True, more=more)


def choices_left_out(subject: Subject) -> Iterator[Mutant]:
    for name, param in subject.flow.params.items():
        choices: Sequence[Any] = param.choices or ([True, False] if param.type == "bool" else [])
        if len(choices) > 1:
            case = str(choices[0]).lower() if isinstance(choices[0], bool) else repr(choices[0])
            yield from _switching(subject, f"params.{name}", f"{{{case}: [extra_arm]}}", key="«cases»")


def _switching(
    subject: Subject, value: str, cases: str, *, default: bool = False, key: str = "cases", more: str = ""
) -> Iterator[Mutant]:
    """With a switch of these cases, and the tasks to which it leads."""
    otherwise = ", default: [extra_rest]" if default else ""
    tasks = ['extra_arm: {exec: ["true"]}', 'extra_rest: {exec: ["true"]}'][: 1 + default]
    yield from subject.with_tasks(f'extra: {{{more}switch: {{value: "{value}", {key}: {cases}{otherwise}}}}}', *tasks)


def _with_arm(
    subject: Subject, path: tuple[Any, ...], *lines: str, at: tuple[Any, ...] | None = None
) -> Iterator[Mutant]:
    """With a further first arm of the branch at `path`, where its arms have lines of their own."""
    start = subject.document.place((*path, 0)).start
    before = subject.text[subject.text.rfind("\n", 0, start) + 1 : start]
    if before.strip() == "-":
        gap = "\n" + " " * len(before)
        place = subject.document.place(at) if at is not None else None
        yield subject.edited(start, start, f"{gap.join(lines)}\n{before}", place)


def _branches(subject: Subject) -> Iterator[tuple[Any, ...]]:
    """Branches with several arms."""
    for task, written in subject.tasks.items():
        if len(written.get("branch", ())) > 1:
            yield ("tasks", task, "branch")


def _lists(subject: Subject, path: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    arms = enumerate(subject.document.value(path))
    return [(*path, number, "then" if "then" in arm else "else") for number, arm in arms]


def _switches(subject: Subject) -> Iterator[tuple[Any, ...]]:
    for task, written in subject.tasks.items():
        if "switch" in written:
            yield ("tasks", task, "switch")


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW208", in_a_second_arm),
    ("FLOW209", arm_without_tasks),
    ("FLOW209", branch_without_arms),
    ("FLOW209", default_without_tasks),
    ("FLOW231", behind_an_arm_that_is_always_taken),
    ("FLOW231", else_before_the_last),
    ("FLOW232", case_of_another_type),
    ("FLOW232", case_that_is_no_choice),
    ("FLOW232", state_that_there_is_not),
    ("FLOW233", choices_left_out),
)
