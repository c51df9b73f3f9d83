"""Every place of a flow where an expression stands, or might be thought to: found in file order, nothing parsed yet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from specs.expressions.templates import contains_template
from specs.model.flow import FlowSpec, HooksSpec
from specs.model.parts import FanOutSpec, ProbeSpec
from specs.model.task import TaskSpec, UndoSpec
from specs.model.triggers import TriggerSpec

Path: TypeAlias = tuple[str | int | float | bool, ...]

Form: TypeAlias = Literal["condition", "bare", "template", "literal", "script"]
"""How the text is read: a bare condition, another bare expression, a text with `${{ }}`, or a text without any."""

Want: TypeAlias = Literal["any", "bool", "list", "scalar", "text", "argument", "string", "duration", "instant", "field"]
"""What the value is used as; `field` is typed by what it is given to (a connector, a flow, a parameter)."""


class Reader(Struct, frozen=True):
    """Who reads: where in the flow a place stands, which settles what names hold there.

    Attributes:
        kind: `task`, `hook`, `outputs`, `trigger`, `env` (of the flow), `key` (of runs), `connector`, `notify`.
        task: id of the task or hook task, name of the trigger.
        hook: the kind of hook.
        stage: of a task: `if` before it is decided, `items` when it is, `where` for each item of these, `until` after an
            attempt, `undo` when all is lost.
        item: whether `item` and its like are there.
        secret: whether secrets may be read.
    """

    kind: Literal["task", "hook", "outputs", "trigger", "env", "key", "connector", "notify"]
    task: str = ""
    hook: str = ""
    stage: Literal["if", "items", "where", "key", "body", "until", "undo"] = "body"
    item: bool = False
    secret: bool = False


class Use(Struct, frozen=True):
    """A text at a path; `field` is what the place is called in a message."""

    path: Path
    text: str
    form: Form
    reader: Reader
    field: str
    want: Want = "any"


_ACTION_KEYS = frozenset({"run", "exec", "call", "use", "flow", "with_", "env"})
_DECISION_KEYS = frozenset({"branch", "switch", "approval", "wait", "set", "fail"})
_SURROUNDING_KEYS = frozenset({"workdir", "shell", "artifacts", "repeat", "lock", "ready", "health", "labels"})


TakesSecrets: TypeAlias = Callable[[str, str], bool]
"""Whether a field (second) of what `use` names (first) may hold secrets."""


def uses(flow: FlowSpec, takes_secrets: TakesSecrets) -> Iterator[Use]:
    """Every text of a flow that is an expression, holds one, or holds `${{` where none may be."""
    for name, value in flow.env.items():
        yield from _values(("env", name), value, Reader("env"), "env", "text")
    for name, param in flow.params.items():
        yield from _literal(("params", name, "default"), param.default, "default")
        yield from _literal(("params", name, "choices"), param.choices, "choices")
    for name, secret in flow.secrets.items():
        yield from _literal(("secrets", name, "from"), secret.source, "from")
    for name, trigger in flow.triggers.items():
        yield from _trigger(("triggers", name), trigger, Reader("trigger", name))
    yield from _bare(("concurrency", "key"), flow.concurrency.key, Reader("key"), "concurrency.key", "scalar")
    if flow.dedup is not None:
        yield from _bare(("dedup", "key"), flow.dedup.key, Reader("key"), "dedup.key", "any")
    for index, notify in enumerate(flow.notify):
        yield from _condition(("notify", index, "if"), notify.condition, Reader("notify"), "if")
        yield from _literal(("notify", index, "to"), notify.to, "to")
    for name, connector in flow.connectors.items():
        yield from _literal(("connectors", name, "type"), connector.type, "type")
        yield from _values(("connectors", name, "with"), connector.with_, Reader("connector", name), "with", "any")
    yield from _literal(("labels",), flow.labels, "labels")
    for name, task in flow.tasks.items():
        yield from _task(("tasks", name), task, Reader("task", name), takes_secrets)
    for kind in HooksSpec.model_fields:
        hooks: Mapping[str, TaskSpec] = getattr(flow.hooks, kind)
        for name, task in hooks.items():
            yield from _task(("hooks", kind, name), task, Reader("hook", name, hook=kind), takes_secrets)
    for name, value in flow.outputs.items():
        yield from _values(("outputs", name), value, Reader("outputs"), "outputs", "any")


# --- a task ---------------------------------------------------------------------------------------------------------------


def _task(path: Path, task: TaskSpec, reader: Reader, takes_secrets: TakesSecrets) -> Iterator[Use]:
    if task.condition is not None:
        yield from _condition((*path, "if"), task.condition, replace(reader, stage="if"), "if")
    if task.fan_out is not None:
        yield from _fan_out(path, task.fan_out, reader)
    body = reader if task.fan_out is None else replace(reader, item=True)
    written = task.model_fields_set  # most tasks have few keys, and there may be ten thousand tasks
    if not written.isdisjoint(_ACTION_KEYS):
        yield from _action(path, task, body, takes_secrets)
    if not written.isdisjoint(_DECISION_KEYS):
        yield from _decision(path, task, body)
    if not written.isdisjoint(_SURROUNDING_KEYS):
        yield from _surroundings(path, task, body)
    if task.undo is not None:
        yield from _undo((*path, "undo"), task.undo, replace(body, stage="undo"), takes_secrets)


def _fan_out(path: Path, fan_out: FanOutSpec, reader: Reader) -> Iterator[Use]:
    path = (*path, "fan_out")
    before, within = replace(reader, stage="items"), replace(reader, item=True)
    yield from _list_or_bare((*path, "items"), fan_out.items, before, "items")
    for axis, values in (fan_out.matrix or {}).items():
        yield from _list_or_bare((*path, "matrix", axis), values, before, f"matrix.{axis}")
    yield from _values((*path, "exclude"), fan_out.exclude, before, "exclude", "any")
    yield from _values((*path, "include"), fan_out.include, before, "include", "any")
    yield from _condition((*path, "where"), fan_out.where, replace(within, stage="where"), "where")
    yield from _bare((*path, "key"), fan_out.key, replace(within, stage="key"), "key", "scalar")


def _list_or_bare(path: Path, value: Any, reader: Reader, field: str) -> Iterator[Use]:
    if isinstance(value, list):
        yield from _literal(path, value, field)
    else:
        yield from _bare(path, value, reader, field, "list")


def _action(path: Path, task: TaskSpec | UndoSpec, reader: Reader, takes_secrets: TakesSecrets) -> Iterator[Use]:
    """The actions that a task and its undo share."""
    if task.run is not None and contains_template(task.run):
        yield Use((*path, "run"), task.run, "script", reader, "run")
    for index, element in enumerate(task.exec or ()):
        if _may_hold(element):
            yield from _values((*path, "exec", index), element, reader, "exec", "argument")
    for key in ("call", "use", "flow"):
        target = getattr(task, key)
        if target is not None:
            yield from _literal((*path, key), target, key)
    if task.with_ or task.env:
        yield from _given(path, task, reader, takes_secrets)


def _given(path: Path, task: TaskSpec | UndoSpec, reader: Reader, takes_secrets: TakesSecrets) -> Iterator[Use]:
    """What an action is given by name."""
    trusted = replace(reader, secret=True)
    for name, value in task.with_.items():
        allowed = trusted if task.use is not None and takes_secrets(task.use, name) else reader
        yield from _values((*path, "with", name), value, allowed, f"with.{name}", "field")
    for name, value in task.env.items():
        yield from _values((*path, "env", name), value, trusted, f"env.{name}", "text")


def _decision(path: Path, task: TaskSpec, reader: Reader) -> Iterator[Use]:
    """The actions that need no process."""
    for index, arm in enumerate(task.branch or ()):
        yield from _condition((*path, "branch", index, "if"), arm.condition, reader, "if")
    if task.switch is not None:
        yield from _bare((*path, "switch", "value"), task.switch.value, reader, "value", "scalar")
    if task.approval is not None:
        yield from _values((*path, "approval", "prompt"), task.approval.prompt, reader, "prompt", "text")
        yield from _literal((*path, "approval", "approvers"), task.approval.approvers, "approvers")
    if task.wait is not None:
        yield from _values((*path, "wait", "for"), task.wait.duration, reader, "for", "duration")
        yield from _values((*path, "wait", "until"), task.wait.until, reader, "until", "instant")
        yield from _literal((*path, "wait", "signal"), task.wait.signal, "signal")
    for name, value in (task.set or {}).items():
        yield from _values((*path, "set", name), value, reader, f"set.{name}", "any")
    yield from _values((*path, "fail"), task.fail, reader, "fail", "text")


def _surroundings(path: Path, task: TaskSpec, reader: Reader) -> Iterator[Use]:
    yield from _values((*path, "workdir"), task.workdir, reader, "workdir", "text")
    yield from _literal((*path, "shell"), task.shell, "shell")
    for name, value in task.artifacts.items():
        yield from _values((*path, "artifacts", name), value, reader, f"artifacts.{name}", "text")
    if task.repeat is not None:
        yield from _condition((*path, "repeat", "until"), task.repeat.until, replace(reader, stage="until"), "until")
    yield from _lock((*path, "lock"), task.lock, reader)
    for key, probe in (("ready", task.ready), ("health", task.health)):
        if probe is not None:
            yield from _probe((*path, key), probe, reader, key)
    yield from _literal((*path, "labels"), task.labels, "labels")


def _lock(path: Path, lock: Any, reader: Reader) -> Iterator[Use]:
    name = getattr(lock, "name", None)
    if name is not None:
        yield from _values((*path, "name"), name, reader, "lock.name", "scalar")
    elif isinstance(lock, list):
        for index, each in enumerate(lock):
            yield from _values((*path, index), each, reader, "lock", "scalar")
    else:
        yield from _values(path, lock, reader, "lock", "scalar")


def _probe(path: Path, probe: ProbeSpec, reader: Reader, key: str) -> Iterator[Use]:
    for kind in ("tcp", "http", "log", "file"):
        yield from _values((*path, kind), getattr(probe, kind), reader, f"{key}.{kind}", "text")
    for index, element in enumerate(probe.exec or ()):
        yield from _values((*path, "exec", index), element, reader, f"{key}.exec", "argument")


def _undo(path: Path, undo: UndoSpec, reader: Reader, takes_secrets: TakesSecrets) -> Iterator[Use]:
    yield from _action(path, undo, reader, takes_secrets)


# --- a trigger ------------------------------------------------------------------------------------------------------------


def _trigger(path: Path, trigger: TriggerSpec, reader: Reader) -> Iterator[Use]:
    yield from _condition((*path, "if"), trigger.condition, reader, "if")
    yield from _bare((*path, "dedup_key"), trigger.dedup_key, reader, "dedup_key", "scalar")
    for name, value in trigger.params.items():
        yield from _values((*path, "params", name), value, reader, f"params.{name}", "field")
    for key in ("cron", "at", "timezone", "anchor", "starts_at", "ends_at"):
        yield from _literal((*path, key), getattr(trigger, key), key)
    for key, part in (("webhook", trigger.webhook), ("file", trigger.file)):
        if part is not None:
            yield from _literal((*path, key, "path"), part.path, "path")
    if trigger.queue is not None:
        yield from _literal((*path, "queue", "name"), trigger.queue.name, "name")


# --- one value ------------------------------------------------------------------------------------------------------------


def _condition(path: Path, value: Any, reader: Reader, field: str) -> Iterator[Use]:
    if isinstance(value, bool):
        yield Use(path, "true" if value else "false", "condition", reader, field, "bool")
    elif value is not None:
        yield Use(path, value, "condition", reader, field, "bool")


def _bare(path: Path, value: Any, reader: Reader, field: str, want: Want) -> Iterator[Use]:
    if isinstance(value, str):
        yield Use(path, value, "bare", reader, field, want)


def _values(path: Path, value: Any, reader: Reader, field: str, want: Want) -> Iterator[Use]:
    """Texts with an expression, in a value of any shape; what stands inside a list or a map is of any type."""
    for below, text in _texts(path, value):
        inside = want if len(below) == len(path) else "any"
        yield Use(below, text, "template", reader, field, inside)


def _literal(path: Path, value: Any, field: str) -> Iterator[Use]:
    for below, text in _texts(path, value):
        yield Use(below, text, "literal", Reader("key"), field)


def _texts(path: Path, value: Any) -> Iterator[tuple[Path, str]]:
    if not _may_hold(value):
        return
    pending: list[tuple[Path, Any]] = [(path, value)]
    while pending:
        below, current = pending.pop()
        if isinstance(current, str):
            if contains_template(current):
                yield below, current
        elif isinstance(current, dict):
            pending.extend([((*below, key), item) for key, item in current.items()][::-1])
        elif isinstance(current, list):
            pending.extend([((*below, index), item) for index, item in enumerate(current)][::-1])


def _may_hold(value: Any) -> bool:
    """Whether a value may hold an expression, at first sight: most are plain text."""
    return value is not None and (not isinstance(value, str) or contains_template(value))
