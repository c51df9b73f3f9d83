"""What the command line says about stubs: `--stub`, `--fail`, `--duration` and a file of them, put together."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct, field
from msgspec.structs import replace

from engine.errors import InvalidFlow
from engine.outcomes import Failure, Json
from engine.plan import ATTEMPT_ACTIONS, FlowAction, Plan, PlanTask, UseAction
from engine.simulation import Stub, StubSet
from engine.values import check_value, parse_json
from flowctl.problems import UsageProblem
from flowctl.reading import shown_path
from flowctl.testing.failing import failure_named, failure_problem
from flowctl.testing.loading import Unsound, load_model
from flowctl.testing.model import StubsFileSpec
from flowctl.testing.stubbing import make_stubs, stub_findings
from specs.quantities import parse_duration
from specs.suggest import did_you_mean

_TASK = r"(?:hooks\.[a-z]+\.|undo\.)?[a-z][a-z0-9_]*"
_UNIT = re.compile(rf"(?P<task>{_TASK})(?:\.(?P<item>[^:@=/]+))?")
_TARGET = rf"(?P<path>(?:{_TASK}(?:\.[^:@=/]+)?/)*)(?P<task>{_TASK})(?:\.(?P<item>[^:@=/]+))?"
_FAIL = re.compile(rf"{_TARGET}(?::(?P<kind>[^@]+))?(?:@(?P<attempt>[1-9][0-9]{{0,3}}))?")
_GIVEN = re.compile(rf"{_TARGET}=(?P<text>.*)", re.DOTALL)
FORM_OF_FAIL = (
    "write `--fail TASK[.ITEM][:KIND][@ATTEMPT]`, for example `--fail load:exit:75@1`; of a called flow `CALLER/TASK`"
)


class GivenStubs(Struct, frozen=True):
    """Stubs and secrets as given."""

    stubs: StubSet
    secrets: Mapping[str, str] = field(default_factory=dict)


def given_stubs(
    plan: Plan, *, stubs: Sequence[str], fails: Sequence[str], durations: Sequence[str], file: Path | None
) -> GivenStubs:
    """The stubs of a simulation: those of the file, and over them what the flags say.

    Raises:
        UsageProblem: a flag has not the form, or names what the flow does not have.
        InvalidFlow: the file of stubs has errors; they are its diagnostics.
    """
    tasks, secrets = ({}, {}) if file is None else _from_file(file, plan)
    for text in stubs:
        tasks = _with_outputs(tasks, plan, text)
    for text in fails:
        tasks = _with_failure(tasks, plan, text)
    general = StubSet().duration
    for text in durations:
        if "=" not in text:
            general = _duration(text, text)
        else:
            target = _target(_GIVEN, text, plan, "write `--duration TASK=5s`, or `--duration 5s` for all tasks")
            given = _duration(target.text, text)
            tasks = _changed(tasks, target, partial(_lasting, given))
    return GivenStubs(StubSet(tasks, general), secrets)


def _from_file(path: Path, plan: Plan) -> tuple[dict[str, Stub], dict[str, str]]:
    loaded = load_model(path, StubsFileSpec)
    if isinstance(loaded, Unsound):
        raise BadStubs(loaded)
    document, spec = loaded
    found = tuple(stub_findings(spec.stubs, plan, document))
    if found:
        raise BadStubs(Unsound(shown_path(path), found))
    return make_stubs(spec.stubs), spec.secrets


class BadStubs(InvalidFlow):
    """The file of stubs has errors."""

    code = "bad_stubs"

    def __init__(self, unsound: Unsound) -> None:
        super().__init__(unsound.name, unsound.findings)
        self.args = (f"`{unsound.name}` is no file of stubs",)
        self.hint = "begin with `version: 1`, then `stubs:` with tasks below it"


# --- flags --------------------------------------------------------------------------------------------------------------


class _Caller(Struct, frozen=True):
    """A task that calls a flow, and of a fan-out which item of it is meant; `None` for all."""

    task: str
    item: str | None


class _Target(Struct, frozen=True):
    """The task or item that a flag is about, the callers on the way to it, and what else the flag says."""

    path: tuple[_Caller, ...]
    spec: PlanTask
    item: str | None
    text: str = ""
    kind: str | None = None
    attempt: int | None = None


def _target(form: re.Pattern[str], flag: str, plan: Plan, hint: str) -> _Target:
    match = form.fullmatch(flag)
    if match is None:
        raise UsageProblem(f"`{flag}` has not the form of this flag", hint=hint)
    parts = match.groupdict()
    path, flow = _callers(parts["path"], plan, hint)
    spec = _task(flow, parts["task"])
    if not isinstance(spec.action, ATTEMPT_ACTIONS):
        hint = f"give `{spec.id}/TASK`" if isinstance(spec.action, FlowAction) else "it is carried out as it is written"
        raise UsageProblem(f"`{spec.id}` starts nothing that could be stubbed", hint=hint)
    _require_item(spec, parts["item"], hint)
    attempt = parts.get("attempt")
    return _Target(
        path, spec, parts["item"], parts.get("text") or "", parts.get("kind"), int(attempt) if attempt else None
    )


def _callers(text: str, plan: Plan, hint: str) -> tuple[tuple[_Caller, ...], Plan]:
    """The callers of `a/b.1/`, and the flow that the last of them calls."""
    found: list[_Caller] = []
    for part in filter(None, text.split("/")):
        match = _UNIT.fullmatch(part)
        if match is None:
            raise UsageProblem(f"`{part}` is no task", hint=hint)
        spec = _task(plan, match["task"])
        if not isinstance(spec.action, FlowAction):
            raise UsageProblem(
                f"`{spec.id}` of `{plan.name}` calls no flow", hint="only a called flow has tasks of its own"
            )
        _require_item(spec, match["item"], hint)
        found.append(_Caller(spec.id, match["item"]))
        plan = plan.children[spec.action.flow]
    return tuple(found), plan


def _require_item(spec: PlanTask, item: str | None, hint: str) -> None:
    if item is not None and spec.fan_out is None:
        raise UsageProblem(f"`{spec.id}` does not fan out, so it has no item `{item}`", hint=hint)


def _task(plan: Plan, name: str) -> PlanTask:
    if name not in plan.tasks:
        raise UsageProblem(f"`{plan.name}` has no task `{name}`", hint=did_you_mean(name, plan.tasks))
    return plan.tasks[name]


def _with_outputs(tasks: dict[str, Stub], plan: Plan, flag: str) -> dict[str, Stub]:
    hint = "write `--stub TASK='{\"NAME\": VALUE}'`"
    target = _target(_GIVEN, flag, plan, hint)
    try:
        value = parse_json(target.text)
    except ValueError as error:
        raise UsageProblem(f"`--stub {target.spec.id}`: {error}", hint=hint) from None
    if not isinstance(value, dict):
        raise UsageProblem(f"`--stub {target.spec.id}`: outputs are an object", hint=hint)
    outputs = {name: _output(target.spec, name, one) for name, one in value.items()}
    return _changed(tasks, target, lambda stub: replace(stub, outputs={**stub.outputs, **outputs}))


def _output(spec: PlanTask, name: str, value: Json) -> Json:
    declared = spec.outputs.get(name)
    if declared is None:
        if isinstance(spec.action, UseAction):
            return value
        raise UsageProblem(f"`{spec.id}` declares no output `{name}`", hint=did_you_mean(name, spec.outputs))
    try:
        return check_value(value, declared.type, declared.items)
    except ValueError as error:
        raise UsageProblem(f"output `{name}` of `{spec.id}` is no `{declared.type}`: {error}") from None


def _with_failure(tasks: dict[str, Stub], plan: Plan, flag: str) -> dict[str, Stub]:
    target = _target(_FAIL, flag, plan, FORM_OF_FAIL)
    kind = target.kind or "exit"
    problem = failure_problem(kind)
    if problem is not None:
        raise UsageProblem(f"`--fail {flag}`: {problem.message}", hint=problem.help)
    return _changed(tasks, target, lambda stub: _failing(stub, failure_named(kind), target.attempt))


def _failing(stub: Stub, failure: Failure, attempt: int | None) -> Stub:
    """`stub` with a failure of one attempt, or of all."""
    if attempt is None:
        return replace(stub, failure=failure)
    own = replace(stub, attempts=(), items={}, tasks={})
    attempts = list(stub.attempts) + [own] * (attempt - len(stub.attempts))
    attempts[attempt - 1] = replace(attempts[attempt - 1], failure=failure)
    return replace(stub, attempts=tuple(attempts))


def _duration(text: str, flag: str) -> timedelta:
    found = parse_duration(text)
    if found is None:
        raise UsageProblem(
            f"`--duration {flag}`: `{text}` is not a duration", hint="write for example `90s` or `1h30m`"
        )
    return found


def _lasting(duration: timedelta, stub: Stub) -> Stub:
    return replace(stub, duration=duration)


def _changed(tasks: Mapping[str, Stub], target: _Target, change: Callable[[Stub], Stub]) -> dict[str, Stub]:
    """`tasks` with the stub of the target changed; the paths of calls are short, so this may recurse over them."""
    if target.path:
        head, *rest = target.path
        inner = replace(target, path=tuple(rest))
        caller = tasks.get(head.task, Stub())
        if head.item is None:
            return {**tasks, head.task: replace(caller, tasks=_changed(caller.tasks, inner, change))}
        own = caller.items.get(head.item, Stub())
        item = replace(own, tasks=_changed({**caller.tasks, **own.tasks}, inner, change))
        return {**tasks, head.task: replace(caller, items={**caller.items, head.item: item})}
    stub = tasks.get(target.spec.id, Stub())
    if target.item is None:
        return {**tasks, target.spec.id: change(stub)}
    unit = stub.items.get(target.item, replace(stub, items={}))
    return {**tasks, target.spec.id: replace(stub, items={**stub.items, target.item: change(unit)})}
