"""Flows that are unsafe, never start, or retry what cannot be retried (4xx, 5xx),"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject


def expression_in_program_text(subject: Subject) -> Iterator[Mutant]:
    for task in subject.leaves():
        if "exec" in subject.tasks[task]:
            yield subject.replaced(("tasks", task, "exec"), '[bash, -c, "echo «${{ run.id }}»"]')


def secret_as_an_argument(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        for name in subject.flow.secrets:
            if "exec" in written:
                yield from subject.with_last_element(("tasks", task, "exec"), f'"${{{{ «secrets».{name} }}}}"')


def literal_credential(subject: Subject) -> Iterator[Mutant]:
    for task in subject.tasks:
        yield from subject.with_entry(("tasks", task, "env"), "SMTP_PASSWORD: «hunter2»")


def secret_of_the_host(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_element(("host_env",), "«AWS_SECRET_ACCESS_KEY»")


def webhook_without_signature(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "webhook" in trigger:
            at = subject.document.place((*path, "webhook"), key=True)
            yield from subject.without((*path, "webhook", "signature"), at)


def approval_by_anyone(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "approval" in written:
            at = subject.document.place(("tasks", task, "approval"), key=True)
            yield from subject.without(("tasks", task, "approval", "approvers"), at)


# --- time -----------------------------------------------------------------------------------------------------------------


def bad_cron(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "cron" in trigger:
            yield subject.replaced((*path, "cron"), '"30 «25» * * *"')


def bad_zone(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "timezone" in trigger:
            yield subject.replaced((*path, "timezone"), "«Europe/Berln»")


def never_fires(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "cron" in trigger:
            yield subject.replaced((*path, "cron"), '«"0 0 30 2 *"»')


def two_kinds_of_trigger(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "at" not in trigger:
            at = subject.document.place(path, key=True)
            yield from subject.with_entry(path, 'at: "2031-01-01T00:00:00Z"', at)


def unknown_parameter_of_a_trigger(subject: Subject) -> Iterator[Mutant]:
    for path, _ in _triggers(subject):
        yield from subject.with_entry((*path, "params"), "«nonsense»: 1")


def key_of_another_kind(subject: Subject) -> Iterator[Mutant]:
    for path, trigger in _triggers(subject):
        if "webhook" in trigger or "file" in trigger or "flow" in trigger:
            yield from subject.with_entry(path, "«catch_up»: all")


def timeout_beyond_the_deadline(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "deadline" in written and "timeout" in written:
            yield subject.replaced(("tasks", task, "timeout"), "«1w»")


def unknown_error(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if isinstance(written.get("retry"), dict):
            yield from subject.with_element(("tasks", task, "retry", "errors"), "«time_out»")


def retry_once(subject: Subject) -> Iterator[Mutant]:
    for task, spec in subject.graph.tasks.items():
        if spec.action in ("run", "exec") and spec.retry is None and not spec.service:
            yield from subject.with_entry(("tasks", task), "«retry»: {delay: 5s}")


def longest_delay_below_the_first(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if (
            isinstance(written.get("retry"), dict)
            and "delay" in written["retry"]
            and "max_delay" not in written["retry"]
        ):
            yield from subject.with_entry(("tasks", task, "retry"), "max_delay: «1ms»")


def _triggers(subject: Subject) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    for name, trigger in subject.document.data.get("triggers", {}).items():
        yield ("triggers", name), trigger


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW411", expression_in_program_text),
    ("FLOW413", secret_as_an_argument),
    ("FLOW414", literal_credential),
    ("FLOW416", secret_of_the_host),
    ("FLOW417", webhook_without_signature),
    ("FLOW421", approval_by_anyone),
    ("FLOW501", bad_cron),
    ("FLOW502", bad_zone),
    ("FLOW503", never_fires),
    ("FLOW508", two_kinds_of_trigger),
    ("FLOW510", unknown_parameter_of_a_trigger),
    ("FLOW512", key_of_another_kind),
    ("FLOW520", timeout_beyond_the_deadline),
    ("FLOW522", longest_delay_below_the_first),
    ("FLOW523", retry_once),
    ("FLOW524", unknown_error),
)
