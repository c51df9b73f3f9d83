"""Flows that fire at the wrong time or too often, and limits of time that contradict each other (504 to 507, 511, 52x)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.model import TaskSpec
from tests.specs.mutating.mutants import Change, Mutant
from tests.specs.mutating.subject import Mutator, Subject


def fires_before_it_has_ended(subject: Subject) -> Iterator[Mutant]:
    """Every minute, although a run may take the five hours of its `timeout`."""
    if "concurrency" not in subject.document.data and "timeout" not in subject.document.data:
        timeout = subject.entries((), "timeout: 5h")
        yield from _triggered(subject, "every: «1m»", timeout)
        yield from _triggered(subject, 'cron: «"*/5 * * * *"»', timeout)


def hour_that_there_is_not(subject: Subject) -> Iterator[Mutant]:
    """On the last Sunday of March, 02:30 does not exist in Berlin; in October it comes twice."""
    yield from _triggered(subject, 'cron: «"30 2 * 3 *"», timezone: Europe/Berlin')
    yield from _triggered(subject, 'cron: «"30 2 * 10 *"», timezone: Europe/Berlin')
    yield from _triggered(subject, 'at: «"2026-03-29T02:30:00"», timezone: Europe/Berlin')


def gone_by(subject: Subject) -> Iterator[Mutant]:
    yield from _triggered(subject, 'at: «"2025-12-31T23:59:59Z"»')


def instant_without_an_offset(subject: Subject) -> Iterator[Mutant]:
    yield from _triggered(subject, 'at: «"2031-01-01T08:00:00"»')


def broken_glob(subject: Subject) -> Iterator[Mutant]:
    broken = ("«inbox/*.csv»", "/data/«[a-z»", "/data/«**.csv»", "/data/«..»/x.csv")
    for glob in broken:
        yield from _triggered(subject, f'file: {{path: "{glob}"}}')
    for name, written in subject.document.data.get("triggers", {}).items():
        for glob in broken if "file" in written else ():
            yield subject.replaced(("triggers", name, "file", "path"), f'"{glob}"')


def _triggered(subject: Subject, trigger: str, *more: Change | None) -> Iterator[Mutant]:
    """With a further trigger, for a flow that needs nothing to be given."""
    if not any(param.required for param in subject.flow.params.values()):
        yield from subject.changed(subject.section("triggers", f"extra: {{{trigger}}}"), *more)


# --- tasks --------------------------------------------------------------------------------------------------------------


def more_attempts_than_time(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        is_free = not {"deadline", "retry", "timeout", "service", "extends", "budget"} & set(written)
        if is_free and _runs(subject.graph.tasks[task]) and "timeout" not in subject.document.data.get("defaults", {}):
            entries = ("deadline: 10s", "«retry»: {attempts: 5, delay: 10s}")
            yield from subject.changed(subject.entries(("tasks", task), *entries))
    yield from _further(subject, "timeout: 8s, deadline: 10s, «retry»: {attempts: 5, delay: 10s}")


def nothing_left_to_retry(subject: Subject) -> Iterator[Mutant]:
    yield from _further(subject, 'retry: {attempts: 2, errors: [timeout, "exit:75"], «never»: [exit, timeout]}')
    for task, written in subject.tasks.items():
        retry = written.get("retry")
        if isinstance(retry, dict) and "never" not in retry and retry.get("attempts", 1) != 1:
            yield from subject.with_entry(("tasks", task, "retry"), "«never»: [any]")


def request_made_twice(subject: Subject) -> Iterator[Mutant]:
    post = 'use: http.request, with: {method: POST, url: "https://example.org/"}'
    yield from subject.with_tasks(f"extra: {{{post}, «retry»: {{attempts: 3}}}}")
    yield from subject.with_tasks(f"extra: {{{post}, «retry»: webhook}}")


def longer_than_the_run(subject: Subject) -> Iterator[Mutant]:
    if "timeout" not in subject.document.data:
        tasks = subject.entries(("tasks",), 'extra: {exec: ["true"], timeout: 700h}')
        yield from subject.changed(subject.entries((), "timeout: «600h»"), tasks)


def rounds_beyond_the_deadline(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if (
            "repeat" in written
            and "deadline" not in written
            and "timeout" not in written
            and written["repeat"]["max"] > 1
        ):
            at = subject.document.place(("tasks", task, "repeat"), key=True)
            yield from subject.with_entry(("tasks", task), "deadline: 1ms", at)
    repeat = "«repeat»: {until: task.output.ok, every: 1m, max: 100}, deadline: 1h"
    yield from _further(subject, f"outputs: {{ok: {{type: bool, from: stdout}}}}, timeout: 1s, {repeat}")


def pool_that_there_is_not(subject: Subject) -> Iterator[Mutant]:
    yield from _further(subject, "retry: {attempts: 3, retry_after: «pool»}")
    for task, written in subject.tasks.items():
        retry = written.get("retry")
        if isinstance(retry, dict) and "retry_after" not in retry and not {"pool", "use", "extends"} & set(written):
            yield from subject.with_entry(("tasks", task, "retry"), "retry_after: «pool»")


def pool_nobody_declares(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if isinstance(written.get("pool"), str) and written["pool"] in subject.document.data.get("pools", {}):
            yield subject.replaced(("tasks", task, "pool"), f"«{written['pool']}_»")
    yield from _further(subject, "pool: «nowhere»")
    yield from _further(subject, "pool: {«nowhere»: 1}")


def _further(subject: Subject, keys: str) -> Iterator[Mutant]:
    """With a further task that has these keys."""
    yield from subject.with_tasks(f'extra: {{exec: ["true"], {keys}}}')


def _runs(spec: TaskSpec) -> bool:
    return spec.action in ("run", "exec", "call") and spec.repeat is None and spec.fan_out is None


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW226", pool_nobody_declares),
    ("FLOW504", fires_before_it_has_ended),
    ("FLOW505", hour_that_there_is_not),
    ("FLOW506", gone_by),
    ("FLOW507", instant_without_an_offset),
    ("FLOW511", broken_glob),
    ("FLOW521", more_attempts_than_time),
    ("FLOW525", nothing_left_to_retry),
    ("FLOW526", request_made_twice),
    ("FLOW527", longer_than_the_run),
    ("FLOW528", rounds_beyond_the_deadline),
    ("FLOW529", pool_that_there_is_not),
)
