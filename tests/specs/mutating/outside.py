"""Flows in which what somebody sends decides too much, or a secret is written where it is seen (412, 415, 418 to 423)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.model import ParamSpec
from tests.specs.mutating.mutants import Mutant
from tests.specs.mutating.subject import Mutator, Subject

_HOOK = "webhook: {path: /hooks/extra, signature: {scheme: standard, secret: EXTRA}}"
_SECRET = 'EXTRA: {from: "env:EXTRA"}'
_READ = '"${{ «trigger.body.extra» }}"'


def sent_value_as_an_argument(subject: Subject) -> Iterator[Mutant]:
    yield from _hooked(subject, task=f"exec: [rm, {_READ}]")
    for task, written in subject.tasks.items():
        if "exec" in written and "--" not in written["exec"] and _is_hooked(subject):
            yield from subject.with_last_element(("tasks", task, "exec"), _READ)


def password_in_a_url(subject: Subject) -> Iterator[Mutant]:
    for task, written in subject.tasks.items():
        if "SERVICE" not in written.get("env", {}):
            yield from subject.with_entry(("tasks", task, "env"), 'SERVICE: "https://«robot:hunter2»@example.org/"')
    yield subject.edited(len(subject.text), len(subject.text), "# see ftp://«me:sesame»@example.org/notes\n")


def open_parameter(subject: Subject) -> Iterator[Mutant]:
    """A text that a webhook sends goes into a parameter that takes any."""
    yield from _hooked(subject, param="{default: x}", given=_READ)
    for name, param in subject.flow.params.items():
        for trigger, written in subject.document.data.get("triggers", {}).items():
            if _is_open(param) and "webhook" in written and name not in written.get("params", {}):
                yield from subject.with_entry(("triggers", trigger, "params"), f"{name}: {_READ}")


def _is_open(param: ParamSpec) -> bool:
    is_limited = param.pattern or param.choices or param.max_length
    return param.type == "string" and not param.required and not is_limited


def parameter_without_its_pattern(subject: Subject) -> Iterator[Mutant]:
    for read in subject.context.expressions.reads:
        path, payload = read.use.path, read.use.text.find("trigger.body")
        if read.use.reader.kind == "trigger" and path[2:3] == ("params",) and payload >= 0 and len(read.parts) == 1:
            param = subject.flow.params[str(path[-1])]
            if param.type == "string" and param.pattern and not (param.choices or param.max_length):
                place = subject.document.place(path)
                end = subject.text.index(" }}", place.start)
                at = type(place)(place.source, subject.text.index("trigger.body", place.start), end)
                yield from subject.without(("params", path[-1], "pattern"), at)


def host_from_outside(subject: Subject) -> Iterator[Mutant]:
    host = '"https://${{ «trigger.body.extra» }}/status"'
    yield from _hooked(subject, task=f"use: http.request, with: {{url: {host}}}")
    url = '"${{ «params.extra» }}"'
    sent = '"${{ trigger.body.extra }}"'
    yield from _hooked(
        subject, task=f"use: http.request, with: {{url: {url}}}", param="{default: x, max_length: 99}", given=sent
    )


def path_from_outside(subject: Subject) -> Iterator[Mutant]:
    yield from _hooked(subject, task=f'exec: ["true"], workdir: {_READ}')
    yield from _hooked(subject, task='use: file.read, with: {path: "/data/${{ «trigger.body.extra» }}"}')


def unencrypted(subject: Subject) -> Iterator[Mutant]:
    yield from subject.with_tasks('extra: {use: http.request, with: {url: «"http://example.org/status"»}}')
    for task, written in subject.tasks.items():
        url = written.get("with", {}).get("url", "") if "use" in written else ""
        if url.startswith("https://") and "${{" not in url:
            yield subject.replaced(("tasks", task, "with", "url"), f'«"http{url[5:]}"»')


def environment_from_outside(subject: Subject) -> Iterator[Mutant]:
    for name in ("PATH", "LD_PRELOAD", "PYTHONPATH", "GIT_SSH_COMMAND"):
        yield from _hooked(subject, task=f'exec: ["true"], env: {{{name}: {_READ}}}')


def _hooked(subject: Subject, *, task: str = 'exec: ["true"]', param: str = "", given: str = "") -> Iterator[Mutant]:
    """With a webhook, a task, and where `param` is given, a parameter `extra` that the webhook sets."""
    if any(one.required for one in subject.flow.params.values()):
        return
    sections = [
        subject.section("triggers", f"extra: {{{_HOOK}{f', params: {{extra: {given}}}' if given else ''}}}"),
        subject.section("secrets", _SECRET),
        subject.entries(("tasks",), f"extra: {{{task}}}"),
    ]
    if param:
        sections.append(subject.section("params", f"extra: {param}"))
    yield from subject.changed(*sections)


def _is_hooked(subject: Subject) -> bool:
    return bool(subject.flow.triggers) and all(trigger.webhook for trigger in subject.flow.triggers.values())


MUTATORS: tuple[tuple[str, Mutator], ...] = (
    ("FLOW412", sent_value_as_an_argument),
    ("FLOW415", password_in_a_url),
    ("FLOW418", open_parameter),
    ("FLOW418", parameter_without_its_pattern),
    ("FLOW419", host_from_outside),
    ("FLOW420", path_from_outside),
    ("FLOW422", unencrypted),
    ("FLOW423", environment_from_outside),
)
