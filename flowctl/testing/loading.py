"""From a path to a suite: the file read and checked, its flow compiled, every name in it looked up."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct
from pydantic import BaseModel, ValidationError

from engine.errors import BadParameters, InvalidFlow
from engine.outcomes import Json
from engine.parameters import bind_parameters, plain
from engine.plan import Plan
from flowctl.files import project_root
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, read_regular, shown_path
from flowctl.simulating import begin_at, params_of_trigger, simulated_plan
from flowctl.testing.model import CaseSpec, TestFileSpec
from flowctl.testing.stubbing import finding, stub_findings, unknown_task
from flowctl.workspace import Workspace
from specs.check import Checked
from specs.diagnostics import Diagnostic, Place, Source, has_errors, in_source_order
from specs.expressions import EvaluationError
from specs.files import path_problem
from specs.findings import Findings
from specs.model import FlowSpec
from specs.schema_errors import SchemaErrors
from specs.source import DEFAULT_LIMITS, Document, Limits, read_document
from specs.suggest import did_you_mean

Path_ = tuple[Any, ...]
Model = TypeVar("Model", bound=BaseModel)
SUFFIXES = (".test.yaml", ".test.yml")


class Start(Struct, frozen=True):
    """What a case is started with: bound parameters, and what expressions read as `trigger`."""

    params: dict[str, Json]
    trigger: dict[str, Json]


class Suite(Struct, frozen=True):
    """A test file that is sound: its cases, the plan they run, and how each starts."""

    name: str
    document: Document
    spec: TestFileSpec
    flow: str
    plan: Plan
    starts: dict[str, Start]


class Unsound(Struct, frozen=True):
    """A test file that cannot be run, and why: findings in it or in its flow."""

    name: str
    findings: tuple[Diagnostic, ...]


def load_suite(path: Path, workspace: Workspace) -> Suite | Unsound:
    """Read a test file and everything it needs. Never raises for what is in the files."""
    name = shown_path(path)
    loaded = load_model(path, TestFileSpec, workspace.limits)
    if isinstance(loaded, Unsound):
        return loaded
    document, spec = loaded
    refusal = _refusal(path, spec.flow)
    if refusal is not None:
        return Unsound(name, (finding("FLOW131", document, ("flow",), f"`{spec.flow}` cannot be read: {refusal}"),))
    flow_path = _flow_path(path, spec)
    try:
        checked = workspace.check(flow_path)
        plan = simulated_plan(checked)
    except InvalidFlow as error:
        return Unsound(name, error.diagnostics)
    except UsageProblem as error:
        at = ("flow",) if spec.flow is not None else ()
        return Unsound(name, (finding("FLOW131", document, at, str(error)),))
    starts: dict[str, Start] = {}
    found = list(_findings(spec, plan, checked, document, starts))
    if found:
        return Unsound(name, tuple(in_source_order(found)))
    return Suite(name, document, spec, flow_path, plan, starts)


def load_model(path: Path, model: type[Model], limits: Limits = DEFAULT_LIMITS) -> tuple[Document, Model] | Unsound:
    """A YAML file in the form of `model`, with the places of everything in it."""
    name = shown_path(path)
    try:
        data = read_regular(path, most=limits.file_bytes, follow=True)
    except Unreadable as error:
        place = Place(Source(name, ""), 0, 0)
        return Unsound(name, (Diagnostic("FLOW131", place, f"`{name}` cannot be read: {error}"),))
    reading = read_document(data, name, limits)
    if reading.document is None or has_errors(reading.diagnostics):
        return Unsound(name, reading.diagnostics)
    try:
        return reading.document, model.model_validate(reading.document.data)
    except ValidationError as error:
        findings = Findings()
        reporter = SchemaErrors(reading.document.data, places=reading.document, findings=findings, root=model)
        reporter.report(error.errors(include_url=False))
        return Unsound(name, tuple(in_source_order(findings.found)))


def _refusal(path: Path, flow: str | None) -> str | None:
    """Why a test file may not lead to `flow`: like a flow that calls another, it stays inside of its project."""
    if flow is None:
        return None
    problem = path_problem(flow)
    if problem is not None:
        return problem
    target = Path(os.path.realpath(path.parent / flow))
    return None if target.is_relative_to(project_root(path).resolve()) else "it is outside of the project"


def _flow_path(path: Path, spec: TestFileSpec) -> str:
    """The file of the flow, as a path from where the user stands."""
    if spec.flow is not None:
        return shown_path(path.parent / spec.flow)
    name = next((path.name.removesuffix(suffix) for suffix in SUFFIXES if path.name.endswith(suffix)), path.stem)
    return shown_path(path.parent / f"{name}{path.suffix}")


# --- what names mean ----------------------------------------------------------------------------------------------------


def _findings(
    spec: TestFileSpec, plan: Plan, checked: Checked, document: Document, starts: dict[str, Start]
) -> Iterator[Diagnostic]:
    yield from stub_findings(spec.stubs, plan, document)
    yield from _unknown_secrets(spec.secrets, plan, document, ("secrets",))
    for name, case in spec.cases.items():
        at = ("cases", name)
        yield from stub_findings(case.stubs, plan, document, (*at, "stubs"))
        yield from _unknown_secrets(case.secrets, plan, document, (*at, "secrets"))
        yield from _expected_names(case, plan, document, (*at, "expect"))
        if checked.flow is not None:
            yield from _start(name, case, plan, checked.flow, document, starts)


def _unknown_secrets(given: dict[str, str], plan: Plan, document: Document, path: Path_) -> Iterator[Diagnostic]:
    known = {name for one in _plans(plan) for name in one.secrets}
    for name in given:
        if name not in known:
            help_ = did_you_mean(name, sorted(known))
            yield finding("FLOW303", document, (*path, name), f"no secret `{name}`", key=True, help_=help_)


def _plans(plan: Plan) -> Iterator[Plan]:
    from flowctl.running import all_plans

    return all_plans(plan)


def _expected_names(case: CaseSpec, plan: Plan, document: Document, path: Path_) -> Iterator[Diagnostic]:
    expect = case.expect
    yield from _expected_tasks(expect.tasks, plan, document, (*path, "tasks"))
    for number, chain in enumerate(expect.order):
        for index, name in enumerate(chain):
            if name not in plan.tasks:
                yield unknown_task(name, plan, document, (*path, "order", number, index), key=False)
    for index, name in enumerate(expect.not_run):
        if name not in plan.tasks:
            yield unknown_task(name, plan, document, (*path, "not_run", index), key=False)


def _expected_tasks(tasks: Any, plan: Plan, document: Document, path: Path_) -> Iterator[Diagnostic]:
    waiting: list[tuple[Any, Plan, Path_]] = [(tasks, plan, path)]
    while waiting:
        expected, flow, at = waiting.pop()
        for name, unit in expected.items():
            here = (*at, name)
            task = flow.tasks.get(name)
            if task is None:
                yield unknown_task(name, flow, document, here, key=True)
                continue
            for key in ("items", "counts"):
                if task.fan_out is None and key in unit.model_fields_set:
                    message = f"`{key}` has no meaning: `{name}` does not fan out"
                    yield finding("FLOW116", document, (*here, key), message, key=True)
            if unit.arm is not None and task.kind != "branch":
                message = f"`arm` has no meaning: `{name}` is no branch"
                yield finding("FLOW116", document, (*here, "arm"), message, key=True)
            units = [(unit, here), *((item, (*here, "items", key)) for key, item in unit.items.items())]
            for one, below in units:
                child = flow.children.get(getattr(task.action, "flow", ""))
                if one.tasks and child is not None:
                    waiting.append((one.tasks, child, (*below, "tasks")))
                elif one.tasks:
                    message = f"`tasks` has no meaning: `{name}` calls no flow"
                    yield finding("FLOW116", document, (*below, "tasks"), message, key=True)


# --- how a case starts --------------------------------------------------------------------------------------------------


def _start(
    name: str, case: CaseSpec, plan: Plan, flow: FlowSpec, document: Document, starts: dict[str, Start]
) -> Iterator[Diagnostic]:
    """Work out what the case starts with and note it in `starts`, or yield why it cannot start."""
    at = ("cases", name)
    try:
        begin_at(case.at)
    except ValueError as problem:
        yield finding("FLOW120", document, (*at, "at"), str(problem), help_="write for example `2026-01-31T08:00:00Z`")
        return
    trigger = {"kind": "manual", **{key: plain(value) for key, value in case.trigger.items()}}
    made = _made_by_trigger(case, trigger, flow, document, (*at, "trigger"))
    if isinstance(made, Diagnostic):
        yield made
        return
    unknown = [key for key in case.params if key not in plan.params]
    for key in unknown:
        help_ = did_you_mean(key, plan.params)
        yield finding("FLOW303", document, (*at, "params", key), f"no parameter `{key}`", key=True, help_=help_)
    if unknown:
        return
    try:
        given = {**made, **{key: plain(value) for key, value in case.params.items()}}
        starts[name] = Start(bind_parameters(plan.params, {}, given), trigger)
    except BadParameters as error:
        where = (*at, "params") if case.params else at
        for line in error.problems:
            yield finding("FLOW120", document, where, f"parameter {line}", key=True)


def _made_by_trigger(
    case: CaseSpec, trigger: dict[str, Json], flow: FlowSpec, document: Document, path: Path_
) -> dict[str, Json] | Diagnostic:
    """The parameters that the trigger named by a case gives, none where none is named; `trigger` gets its kind."""
    if "name" not in case.trigger:
        return {}
    name = str(trigger["name"])
    declared = flow.triggers.get(name)
    if declared is None:
        help_ = did_you_mean(name, flow.triggers)
        return finding("FLOW303", document, (*path, "name"), f"the flow has no trigger `{name}`", help_=help_)
    trigger["kind"] = declared.kinds()[0]
    try:
        made = params_of_trigger(declared, trigger)
    except EvaluationError as problem:
        return finding("FLOW510", document, path, f"the trigger cannot be evaluated: {problem}")
    if made is None:
        return finding("FLOW510", document, path, "the `if` of this trigger is false: no run starts")
    return made
