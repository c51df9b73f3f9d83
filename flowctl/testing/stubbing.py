"""From stubs as written to stubs as played: checked against the flow, so that a typing error is a finding and not a
task that is stubbed otherwise than meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.outcomes import Json
from engine.parameters import plain
from engine.plan import ATTEMPT_ACTIONS, FlowAction, Plan, PlanTask, UseAction
from engine.simulation import Stub
from engine.values import check_value
from flowctl.testing.model import AttemptSpec, StubSpec
from specs.codes import CODES
from specs.diagnostics import Diagnostic
from specs.findings import Placing
from specs.suggest import did_you_mean

Path = tuple[Any, ...]


def make_stubs(specs: Mapping[str, StubSpec]) -> dict[str, Stub]:
    """The stubs that the texts mean; they have been checked."""
    return {name: _stub(spec) for name, spec in specs.items()}


def merged(base: Mapping[str, StubSpec], over: Mapping[str, StubSpec]) -> dict[str, StubSpec]:
    """Stubs of a file with those of a case over them: what a case says of a task replaces it key by key, and `outputs`,
    `items` and `tasks` entry by entry."""
    found = dict(base)
    for name, spec in over.items():
        found[name] = _over(base[name], spec) if name in base else spec
    return found


def _over(base: StubSpec, over: StubSpec) -> StubSpec:
    given = {key: getattr(over, key) for key in over.model_fields_set}
    items = {str(key): item for key, item in base.items.items()}
    own = {str(key): item for key, item in over.items.items()}
    return base.model_copy(
        update={
            **given,
            "outputs": {**base.outputs, **over.outputs},
            "items": merged(items, own),
            "tasks": merged(base.tasks, over.tasks),
        }
    )


def _stub(spec: StubSpec) -> Stub:
    return Stub(
        outputs=_plain_map(spec.outputs),
        failure=spec.fail.failure() if spec.fail is not None else None,
        duration=spec.duration,
        attempts=tuple(_attempt(attempt) for attempt in spec.attempts),
        items={str(key): _stub(item) for key, item in spec.items.items()},
        tasks=make_stubs(spec.tasks),
    )


def _attempt(spec: AttemptSpec) -> Stub:
    failure = spec.fail.failure() if spec.fail is not None else None
    return Stub(outputs=_plain_map(spec.outputs), failure=failure, duration=spec.duration)


def _plain_map(values: Mapping[str, Any]) -> dict[str, Json]:
    return {name: plain(value) for name, value in values.items()}


def finding(
    code: str, places: Placing, path: Path, message: str, *, key: bool = False, help_: str | None = None
) -> Diagnostic:
    """A finding in a test file, with the severity its code has."""
    shown = tuple(part if isinstance(part, int | str) else str(part) for part in path)
    return Diagnostic(code, places.place(path, key=key), message, help=help_, severity=CODES[code].severity, path=shown)


def unknown_task(name: str, plan: Plan, places: Placing, path: Path, *, key: bool) -> Diagnostic:
    """FLOW303 for a task that the flow does not have."""
    help_ = did_you_mean(name, plan.tasks)
    return finding("FLOW303", places, path, f"`{plan.name}` has no task `{name}`", key=key, help_=help_)


def stub_findings(
    specs: Mapping[str, StubSpec], plan: Plan, places: Placing, path: Path = ("stubs",)
) -> Iterator[Diagnostic]:
    """What is wrong with stubs for the tasks of `plan`."""
    waiting: list[tuple[Mapping[str, StubSpec], Plan, Path]] = [(specs, plan, path)]
    while waiting:
        stubs, flow, at = waiting.pop()
        for name, spec in stubs.items():
            here = (*at, name)
            task = flow.tasks.get(name)
            if task is None:
                yield unknown_task(name, flow, places, here, key=True)
                continue
            for inner, below in _with_items(spec, here):
                yield from _task_findings(inner, task, places, below)
                if isinstance(task.action, FlowAction) and inner.tasks:
                    waiting.append((inner.tasks, flow.children[task.action.flow], (*below, "tasks")))
            if spec.items and task.fan_out is None:
                message = f"`items` has no meaning: `{name}` does not fan out"
                yield finding("FLOW116", places, (*here, "items"), message, key=True)


def _with_items(spec: StubSpec, path: Path) -> Iterator[tuple[StubSpec, Path]]:
    yield spec, path
    for key, item in spec.items.items():
        yield item, (*path, "items", key)


def _task_findings(spec: StubSpec, task: PlanTask, places: Placing, path: Path) -> Iterator[Diagnostic]:
    if isinstance(task.action, ATTEMPT_ACTIONS):
        if spec.tasks:
            message = f"`tasks` has no meaning: `{task.id}` calls no flow"
            yield finding("FLOW116", places, (*path, "tasks"), message, key=True)
        yield from _output_findings(spec, task, places, path)
        for number, attempt in enumerate(spec.attempts):
            yield from _output_findings(attempt, task, places, (*path, "attempts", number))
        return
    for key in sorted(spec.model_fields_set - {"items", "tasks"}):
        if isinstance(task.action, FlowAction):
            message, help_ = f"`{key}` has no meaning with `flow`", "its flow is simulated: stub the tasks of that"
        else:
            message = f"`{key}` has no meaning with `{task.kind}`"
            help_ = "what needs no process is carried out as it is written"
        yield finding("FLOW116", places, (*path, key), message, key=True, help_=help_)


def _output_findings(spec: AttemptSpec, task: PlanTask, places: Placing, path: Path) -> Iterator[Diagnostic]:
    for name, value in spec.outputs.items():
        here = (*path, "outputs", name)
        declared = task.outputs.get(name)
        if declared is None:
            if not isinstance(task.action, UseAction):
                help_ = did_you_mean(name, task.outputs) or f"declare it in `outputs` of `{task.id}`"
                message = f"`{task.id}` declares no output `{name}`"
                yield finding("FLOW322", places, here, message, key=True, help_=help_)
            continue
        try:
            check_value(plain(value), declared.type, declared.items)
        except ValueError as problem:
            yield finding("FLOW112", places, here, f"output `{name}` is no `{declared.type}`: {problem}")
