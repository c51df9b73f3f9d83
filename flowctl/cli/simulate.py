"""`flowctl simulate`: show what a run would do, without starting anything."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from msgspec.structs import replace

from engine.clock import SystemClock
from engine.outcomes import Json
from engine.parameters import bind_parameters
from engine.plan import Plan
from engine.projection import event_row
from engine.simulation import Played, Setup, play
from engine.states import RunState
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.cli.options import EnvOption, FileOption, FlowArgument, ParamOption, ParamsFileOption
from flowctl.cli.params import GivenParameters, given_environment, given_parameters
from flowctl.cli.run import named_flow, show_warnings
from flowctl.cli.stubs import given_stubs
from flowctl.problems import UsageProblem
from flowctl.records import SCHEMA_VERSION, event_object, summary_object
from flowctl.redaction import HIDDEN, sensitive_parameters, without_sensitive
from flowctl.running import all_plans
from flowctl.scheduling import ScheduledRun, scheduled_runs
from flowctl.simulating import begin_at, simulated_plan
from flowctl.simulation_text import clock_text, end_lines, trace_lines
from flowctl.terminal.sanitise import visible
from flowctl.workspace import Workspace
from specs.check import Checked
from specs.rules.honoured import blocking
from specs.suggest import listed

MOST_SCHEDULED = 1000
NOT_HONOURED = "FLOW190"
"""Told of in one line of our own."""


def simulate_command(
    ctx: typer.Context,
    flow: FlowArgument = None,
    file: FileOption = None,
    param: ParamOption = None,
    params_file: ParamsFileOption = None,
    env: EnvOption = None,
    stub: Annotated[
        list[str] | None, typer.Option("--stub", metavar="TASK=JSON", help="Outputs of a task; may be repeated.")
    ] = None,
    stubs: Annotated[
        Path | None, typer.Option("--stubs", metavar="FILE", help="Stubs in YAML, as test files have them.")
    ] = None,
    fail: Annotated[
        list[str] | None,
        typer.Option("--fail", metavar="TASK[.ITEM][:KIND][@ATTEMPT]", help="Let a task fail; may be repeated."),
    ] = None,
    duration: Annotated[
        list[str] | None,
        typer.Option("--duration", metavar="[TASK=]TIME", help="How long an attempt takes (1s); may be repeated."),
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of jitter and run ids.")] = 0,
    at: Annotated[str | None, typer.Option("--at", metavar="TIME", help="When the run begins.")] = None,
    schedule: Annotated[
        int | None,
        typer.Option(
            "--schedule", metavar="N", help="The next N runs of each trigger by time.", min=1, max=MOST_SCHEDULED
        ),
    ] = None,
) -> int:
    """Show what a run would do: the real engine, a clock that jumps, and stubs for what would be started.

    Outputs are invented from their declared types unless given. The same seed gives the same lines.
    Exits with 0 if the simulated run succeeded, 1 if it failed, 2 if it cannot be simulated.
    """
    frame = frame_of(ctx).about(flow, file)
    workspace = Workspace(frame.settings, frame.environ)
    checked = workspace.check(named_flow(flow, file, command="simulate"))
    plan = simulated_plan(checked)
    given = given_parameters(param or [], file=params_file)
    made = given_stubs(plan, stubs=stub or [], fails=fail or [], durations=duration or [], file=stubs)
    setup = Setup(
        plan,
        {} if schedule is not None else _bound(plan, given),
        env=given_environment(env or [], files=(), environ=frame.environ),
        host=_let_through(plan, frame.environ),
        stubs=made.stubs,
        secrets=made.secrets,
        seed=seed,
        at=_begin(at),
        catalogue=workspace.catalogue,
    )
    show_warnings(frame, tuple(found for found in checked.diagnostics if found.code != NOT_HONOURED))
    _tell_of_the_rest(frame, checked)
    if schedule is not None:
        return _show_schedule(frame, setup, checked, given, count=schedule, begins_now=at is None)
    frame.say(f"simulation of {visible(plan.name)} from {setup.at.isoformat()} with seed {seed}; nothing is started")
    return _show_run(frame, play(setup))


def _bound(plan: Plan, given: GivenParameters, more: Mapping[str, Json] | None = None) -> dict[str, Json]:
    values = {**(more or {}), **given.values}
    return bind_parameters(plan.params, given.texts, values, text_base=Path.cwd(), default_base=plan.root)


def _let_through(plan: Plan, environ: Mapping[str, str]) -> dict[str, str]:
    """The variables of this machine that any of the flows asks for."""
    return {name: environ[name] for one in all_plans(plan) for name in one.host_env if name in environ}


def _begin(text: str | None) -> Any:
    try:
        return begin_at(text)
    except ValueError as error:
        raise UsageProblem(f"`--at`: {error}", hint="write for example `2026-01-31T08:00:00Z`") from None


def _tell_of_the_rest(frame: Frame, checked: Checked) -> None:
    """Say what of the flow has no effect here, because the engine does not know it yet."""
    if checked.context is not None:
        names = dict.fromkeys(str(found.path[-1]) for found in blocking(checked.context) if found.path)
        if names:
            frame.warn(f"simulated without {listed(names)}: this engine does not honour that yet")


# --- one run ------------------------------------------------------------------------------------------------------------


def _show_run(frame: Frame, played: Played) -> int:
    if frame.json:
        _put_events(frame, played)
    else:
        for line in (*trace_lines(played), *end_lines(played)):
            frame.put(line)
    played.store.close()
    return Exit.SUCCESS if played.first.run.state is RunState.SUCCEEDED else Exit.FAILED


def _put_events(frame: Frame, played: Played) -> None:
    start = played.trace.entries[0].event.at
    for entry in played.trace.entries:
        traced = entry.run
        row = without_sensitive(event_row(traced.run.id, entry.seq, entry.event), traced.plan)
        _put(frame, {**event_object(row), "t_s": (entry.event.at - start).total_seconds()})
    row_of_run = played.store.run(played.first.run.id)
    if row_of_run is None:
        raise AssertionError(played.first.run.id)
    _put(frame, summary_object(played.store, row_of_run, sensitive=sensitive_parameters(played.first.plan)))


def _put(frame: Frame, shape: dict[str, Any]) -> None:
    frame.put(json.dumps(shape, ensure_ascii=False, separators=(",", ":")))


# --- the runs of schedules ----------------------------------------------------------------------------------------------


def _show_schedule(
    frame: Frame, setup: Setup, checked: Checked, given: GivenParameters, *, count: int, begins_now: bool
) -> int:
    if begins_now:
        setup = replace(setup, at=SystemClock().now().replace(microsecond=0))
    triggers = {} if checked.flow is None else checked.flow.triggers
    hidden = sensitive_parameters(setup.plan)
    found = False
    for one in scheduled_runs(setup, triggers, lambda more: _bound(setup.plan, given, more), count=count):
        found = True
        _show_scheduled(frame, one, hidden)
    if not found:
        frame.say("no trigger of this flow fires by time any more, or none ever did")
    return Exit.SUCCESS


def _show_scheduled(frame: Frame, one: ScheduledRun, hidden: frozenset[str]) -> None:
    params = {name: HIDDEN if name in hidden else value for name, value in one.params.items()}
    if frame.json:
        shape = {"schema_version": SCHEMA_VERSION, "type": "scheduled_run", "at": one.at.isoformat()}
        length = None if one.length is None else one.length.total_seconds()
        more = {"state": one.state, "duration_s": length, "problem": one.problem}
        _put(frame, {**shape, "trigger": one.trigger, "params": params, **more})
        return
    words = " ".join(f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in params.items())
    took = f" after {clock_text(one.length)}" if one.length is not None else ""
    reason = f": {one.problem}" if one.problem is not None else ""
    frame.put(visible("  ".join(filter(None, (one.at.isoformat(), one.trigger, words, f"{one.state}{took}{reason}")))))
