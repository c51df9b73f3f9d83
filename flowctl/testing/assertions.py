"""What a case expects against what happened: each difference with its place in the test file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import timedelta
from itertools import pairwise
from typing import Any

from msgspec import Struct

from engine.attempts import CallWork, CommandWork, ConnectorWork, Launch
from engine.events import AttemptStarted, FannedOut, TaskCancelled, TaskFailed, TaskSucceeded
from engine.outcomes import Failure, Json
from engine.parameters import plain
from engine.plan import BranchAction
from engine.run import Run, Unit
from engine.simulation import Played, TracedRun
from flowctl.testing.model import ErrorSpec, ExpectedTask, ExpectedUnit, ExpectSpec, InputsSpec, LengthSpec
from specs.quantities import format_duration
from specs.scalars import written_form

Path = tuple[Any, ...]
_ENDS = (TaskSucceeded, TaskFailed, TaskCancelled)


class Unmet(Struct, frozen=True):
    """An expectation that was not met. `path` is where it stands below the case, `what` how to call it."""

    path: Path
    what: str
    expected: str
    actual: str


def unmet(expect: ExpectSpec, played: Played) -> Iterator[Unmet]:
    """Every difference between what was expected and what happened, in the order of the keys."""
    traced = played.first
    run = traced.run
    at: Path = ("expect",)
    reason = f", because {run.failure.message}" if run.failure is not None and expect.status == "succeeded" else ""
    if run.state != expect.status:
        yield Unmet((*at, "status"), "the run", f"`{expect.status}`", f"`{run.state}`{reason}")
    if expect.error is not None:
        yield from _error(expect.error, run.failure, (*at, "error"), "the run")
    yield from _tasks(expect.tasks, traced, (*at, "tasks"))
    yield from _order(expect.order, played, (*at, "order"))
    for index, name in enumerate(expect.not_run):
        if has_run(run, name):
            yield Unmet((*at, "not_run", index), f"`{name}`", "not to run", f"`{run.tasks[name].state}`")
    yield from _part("outputs", expect.outputs, run.outputs or {}, (*at, "outputs"), "the run")
    if expect.warnings is not None and run.warnings != expect.warnings:
        yield Unmet((*at, "warnings"), "warnings", str(expect.warnings), str(run.warnings))
    if expect.undo is not None and (run.undo or "none") != expect.undo:
        yield Unmet((*at, "undo"), "undo", f"`{expect.undo}`", f"`{run.undo or 'none'}`")
    if expect.duration is not None:
        yield from _length(expect.duration, length_of(run), (*at, "duration"))


def length_of(run: Run) -> timedelta:
    """How long the run took, in its own time."""
    if run.submitted_at is None or run.ended_at is None:
        return timedelta(0)
    return run.ended_at - run.submitted_at


def has_run(run: Run, name: str) -> bool:
    """Whether a task was started in its latest round; what has no process counts, a fan-out over nothing does not."""
    task = run.tasks[name]
    return task.attempt > 0 or bool(task.items and any(item.attempt for item in task.items))


# --- tasks --------------------------------------------------------------------------------------------------------------


def _tasks(expected: Mapping[str, ExpectedTask], traced: TracedRun, path: Path, prefix: str = "") -> Iterator[Unmet]:
    for name, spec in expected.items():
        task = traced.run.tasks[name]
        here, label = (*path, name), f"`{prefix}{name}`"
        yield from _unit(spec, traced, name, None, here, prefix)
        if spec.counts is not None:
            actual = {"total": len(task.items or ()), "succeeded": task.succeeded, "failed": task.failed}
            for key in sorted(spec.counts.model_fields_set):
                wanted = getattr(spec.counts, key)
                if wanted != actual[key]:
                    yield Unmet((*here, "counts", key), f"{label} {key}", str(wanted), str(actual[key]))
        for item, expected_item in spec.items.items():
            index = item_index(traced, name, str(item))
            if index is None:
                keys = ", ".join(f"`{one.key}`" for one in (task.items or ())[:10]) or "no items"
                yield Unmet((*here, "items", item), label, f"an item `{item}`", keys)
            else:
                yield from _unit(expected_item, traced, name, index, (*here, "items", item), prefix)


def item_index(traced: TracedRun, name: str, key: str) -> int | None:
    """The position of the item called `key`, which is its key or its position."""
    items = traced.run.tasks[name].items or []
    for index, item in enumerate(items):
        if item.key == key:
            return index
    return int(key) if key.isdecimal() and int(key) < len(items) else None


def _unit(
    spec: ExpectedUnit, traced: TracedRun, name: str, item: int | None, path: Path, prefix: str
) -> Iterator[Unmet]:
    task = traced.run.tasks[name]
    unit = task.unit(item)
    label = f"`{prefix}{traced.segment(name, item)}`"
    if spec.status is not None and unit.state != spec.status:
        yield Unmet((*path, "status"), label, f"`{spec.status}`", f"`{unit.state}`{_because(unit, task.cause)}")
    attempts = _attempts(traced, name, item)
    if spec.attempts is not None and attempts != spec.attempts:
        yield Unmet((*path, "attempts"), f"{label} attempts", str(spec.attempts), str(attempts))
    if spec.round is not None and task.round != spec.round:
        yield Unmet((*path, "round"), f"{label} round", str(spec.round), str(task.round))
    if spec.arm is not None:
        yield from _arm(spec.arm, traced, name, path, label)
    output = unit.output if isinstance(unit.output, dict) else {}
    yield from _part("outputs", spec.outputs, output, (*path, "outputs"), label)
    if spec.error is not None:
        yield from _error(spec.error, unit.failure, (*path, "error"), label)
    if spec.inputs is not None:
        yield from _inputs(spec.inputs, traced, name, item, (*path, "inputs"), label)
    if spec.tasks:
        children = traced.children.get((name, item), [])
        if not children:
            yield Unmet((*path, "tasks"), label, "a run of its flow", "none")
        else:
            below = f"{prefix}{traced.segment(name, item)}/"
            yield from _tasks(spec.tasks, children[-1], (*path, "tasks"), below)


def _because(unit: Unit, cause: str | None) -> str:
    if unit.failure is not None:
        return f", because {unit.failure.message}"
    return f", because of `{cause}`" if cause and unit.state == "blocked" else f" ({cause})" if cause else ""


def _attempts(traced: TracedRun, name: str, item: int | None) -> int:
    """Attempts of the latest round; of a fan-out as a whole, those of its items together."""
    task = traced.run.tasks[name]
    if item is None and task.items is not None:
        return sum(one.attempt for one in task.items)
    return task.unit(item).attempt


def _arm(expected: int | str, traced: TracedRun, name: str, path: Path, label: str) -> Iterator[Unmet]:
    output = traced.run.tasks[name].output
    actual = output.get("arm") if isinstance(output, dict) else None
    shown = "none" if actual is None else str(actual)
    if isinstance(traced.plan.tasks[name].action, BranchAction) and shown != str(expected):
        yield Unmet((*path, "arm"), f"{label} arm", str(expected), shown)


def _error(spec: ErrorSpec, failure: Failure | None, path: Path, label: str) -> Iterator[Unmet]:
    if failure is None:
        yield Unmet(path, label, "an error", "none")
        return
    for key in ("kind", "exit_code", "http_status"):
        wanted, actual = getattr(spec, key), getattr(failure, key)
        if wanted is not None and wanted != actual:
            yield Unmet((*path, key), f"{label} error {key}", f"`{wanted}`", f"`{actual}`: {failure.message}")
    if spec.message is not None and spec.message not in failure.message:
        yield Unmet((*path, "message"), f"{label} error", f"`{spec.message}` in it", f"`{failure.message}`")


# --- inputs -------------------------------------------------------------------------------------------------------------


def _inputs(
    spec: InputsSpec, traced: TracedRun, name: str, item: int | None, path: Path, label: str
) -> Iterator[Unmet]:
    children = traced.children.get((name, item), [])
    launches = traced.launches.get((name, item), [])
    if not children and not launches:
        yield Unmet(path, label, "an attempt", "none")
        return
    launch = launches[-1] if launches else None
    given = _given(launch) if launch is not None else dict(children[-1].run.params)
    env = dict(launch.env) if launch is not None else {}
    if spec.env is not None:
        yield from _part("env", {n: as_text(v) for n, v in spec.env.items()}, env, (*path, "env"), label)
    yield from _part("with", spec.with_, given, (*path, "with"), label)
    if spec.argv is not None:
        argv = list(launch.work.argv) if launch is not None and isinstance(launch.work, CommandWork) else []
        wanted = [as_text(element) for element in spec.argv]
        if argv != wanted:
            yield Unmet((*path, "argv"), f"{label} argv", shown([*wanted]), shown([*argv]))
    if spec.workdir is not None and launch is not None and str(launch.workdir) != spec.workdir:
        yield Unmet((*path, "workdir"), f"{label} workdir", f"`{spec.workdir}`", f"`{launch.workdir}`")


def _given(launch: Launch) -> dict[str, Json]:
    return dict(launch.work.arguments) if isinstance(launch.work, CallWork | ConnectorWork) else {}


def as_text(value: Any) -> str:
    """A scalar as the language writes it into an argument or a variable."""
    return value if isinstance(value, str) else written_form(value) or shown(plain(value))


# --- values -------------------------------------------------------------------------------------------------------------


def _part(
    what: str, expected: Mapping[str, Any] | None, actual: Mapping[str, Json], path: Path, label: str
) -> Iterator[Unmet]:
    """Differences in the keys that are expected; there may be others."""
    for key, value in (expected or {}).items():
        wanted = plain(value)
        if key not in actual:
            yield Unmet((*path, key), f"{label} {what}.{key}", shown(wanted), "nothing of that name")
        elif not equal(wanted, actual[key]):
            yield Unmet((*path, key), f"{label} {what}.{key}", shown(wanted), shown(actual[key]))


def equal(one: Json, other: Json) -> bool:
    """Whether two values are the same JSON: `1` equals `1.0`, and neither equals `true`."""
    return json.dumps(_comparable(one), sort_keys=True) == json.dumps(_comparable(other), sort_keys=True)


def _comparable(value: Json) -> Json:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_comparable(element) for element in value]
    if isinstance(value, dict):
        return {key: _comparable(element) for key, element in value.items()}
    return value


def shown(value: Json) -> str:
    """A value in a message, cut to a sensible length."""
    text = json.dumps(value, ensure_ascii=False)
    return f"`{text if len(text) <= 200 else text[:197] + '...'}`"


# --- order and time -----------------------------------------------------------------------------------------------------


def _order(chains: list[list[str]], played: Played, path: Path) -> Iterator[Unmet]:
    if not chains:
        return
    starts: dict[str, int] = {}
    ends: dict[str, int] = {}
    for entry in played.trace.of(played.first):
        event = entry.event
        if isinstance(event, AttemptStarted | FannedOut):
            starts.setdefault(event.task, entry.seq)
        elif isinstance(event, _ENDS) and event.item is None:
            ends.setdefault(event.task, entry.seq)
    for number, chain in enumerate(chains):
        for index, (before, after) in enumerate(pairwise(chain)):
            problem = _disorder(before, after, starts, ends)
            if problem is not None:
                what = f"`{before}` and `{after}`"
                yield Unmet((*path, number, index), what, f"`{before}` to end before `{after}` starts", problem)


def _disorder(before: str, after: str, starts: Mapping[str, int], ends: Mapping[str, int]) -> str | None:
    if before not in ends or before not in starts:
        return f"`{before}` did not run"
    if after not in starts:
        return f"`{after}` did not run"
    return None if ends[before] < starts[after] else f"`{after}` started before `{before}` had ended"


def _length(spec: LengthSpec, actual: timedelta, path: Path) -> Iterator[Unmet]:
    checks = (
        (spec.exactly, "", spec.exactly is None or abs(actual - spec.exactly) < timedelta(milliseconds=1)),
        (spec.min, "at least ", spec.min is None or actual >= spec.min),
        (spec.max, "at most ", spec.max is None or actual <= spec.max),
    )
    for wanted, words, holds in checks:
        if wanted is not None and not holds:
            yield Unmet(path, "duration", f"{words}{format_duration(wanted)}", format_duration(actual))
