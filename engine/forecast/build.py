"""Puts a forecast together from a plan, its parameters, its triggers and what is known of earlier runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from engine.calendar import next_fires
from engine.drawing.facts import arm_labels, size_of
from engine.forecast.certainty import Certainty, certainty
from engine.forecast.critical import critical_path
from engine.forecast.model import Forecast, Need, ParameterForecast, Source, StartForecast, TaskForecast
from engine.forecast.settings import settings
from engine.forecast.written import inputs, summary
from engine.outcomes import Json
from engine.plan import EdgeKind, Plan, PlanTask
from specs.collection import without_collection
from specs.model.triggers import TriggerSpec
from specs.quantities import format_duration

FIRES_SHOWN = 5
BY_TIME = ("cron", "every", "at")


def forecast(
    plan: Plan,
    flow_name: str,
    params: Mapping[str, Json],
    *,
    triggers: Mapping[str, TriggerSpec],
    now: datetime,
    durations: Mapping[str, float] | None = None,
) -> Forecast:
    """What can be said of a run of `plan` with these parameters before it is made.

    `params` are checked values; those with a default may be left out, and what reads a required one that is missing is
    left open. `durations` are seconds by task from earlier runs, `None` when there were none.
    """
    with without_collection():
        return _forecast(plan, flow_name, params, triggers, now, durations or {})


def _forecast(
    plan: Plan,
    flow_name: str,
    params: Mapping[str, Json],
    triggers: Mapping[str, TriggerSpec],
    now: datetime,
    taken: Mapping[str, float],
) -> Forecast:
    decided = certainty(plan, _bound(plan, params))
    waves = {id_: number for number, wave in enumerate(plan.waves, start=1) for id_ in wave}
    return Forecast(
        flow=flow_name,
        digest=plan.digest,
        at=now,
        parameters=tuple(_parameters(plan, params)),
        starts=tuple(_start(name, trigger, now) for name, trigger in triggers.items()),
        waves=plan.waves,
        tasks=tuple(_task(plan, task, waves.get(id_), decided, taken.get(id_)) for id_, task in plan.tasks.items()),
        critical=critical_path(plan, decided.never, taken),
    )


def _bound(plan: Plan, params: Mapping[str, Json]) -> dict[str, Json]:
    """The values given, and defaults for those that were not."""
    defaults = {name: spec.default for name, spec in plan.params.items() if not spec.required}
    return {**defaults, **params}


def _parameters(plan: Plan, params: Mapping[str, Json]) -> Iterator[ParameterForecast]:
    for name, spec in plan.params.items():
        given = name in params and (spec.required or params[name] != spec.default)
        source: Source = "given" if given else "missing" if spec.required else "default"
        value = params.get(name, None if spec.required else spec.default)
        yield ParameterForecast(name, spec.type, source, None if spec.sensitive else value, spec.sensitive)


def _task(plan: Plan, task: PlanTask, wave: int | None, decided: Certainty, took: float | None) -> TaskForecast:
    return TaskForecast(
        id=task.id,
        kind=task.kind,
        wave=wave,
        summary=summary(task.action),
        size=size_of(task),
        needs=tuple(_needs(task)),
        inputs=tuple(inputs(plan, task)),
        settings=tuple(settings(plan, task)),
        conditions=tuple(_conditions(plan, task, decided)),
        not_run=decided.never.get(task.id),
        duration_s=took,
        description=task.description,
    )


def _needs(task: PlanTask) -> Iterator[Need]:
    for edge in task.edges:
        if edge.timeout is None:
            yield Need(edge.kind.value, edge.upstream)
        else:
            yield Need(edge.kind.value, edge.upstream, edge.timeout.total_seconds(), edge.on_timeout)


def _conditions(plan: Plan, task: PlanTask, decided: Certainty) -> Iterator[str]:
    for choice in dict.fromkeys(edge.upstream for edge in task.edges if edge.kind is EdgeKind.ARM):
        labels = " or ".join(f"`{label}`" for label in arm_labels(plan.tasks[choice], task.id))
        yield f"if `{choice}` takes {labels}"
    failed = [f"`{edge.upstream}`" for edge in task.edges if edge.kind is EdgeKind.AFTER_FAILURE]
    if failed:
        yield f"if {' or '.join(failed)} fails"
    if task.condition is not None:
        holds = ", which is true" if task.id in decided.passed else ""
        yield f"if `{task.condition.text}`{holds}"


# --- triggers ---------------------------------------------------------------------------------------------------------


def _start(name: str, trigger: TriggerSpec, now: datetime) -> StartForecast:
    kind = next(iter(trigger.kinds()), "none")
    fires: tuple[datetime, ...] = ()
    problem = None if trigger.enabled else "disabled"
    if trigger.enabled and kind in BY_TIME:
        try:
            fires = next_fires(trigger, now, FIRES_SHOWN)
            problem = None if fires else "does not fire any more"
        except ValueError as error:
            problem = str(error)
    return StartForecast(name, kind, _start_text(trigger), trigger.timezone, trigger.enabled, fires, problem)


def _start_text(trigger: TriggerSpec) -> str:
    """What the trigger goes by, as written."""
    if trigger.cron is not None:
        return trigger.cron
    if trigger.every is not None:
        return format_duration(trigger.every)
    if trigger.at is not None:
        return trigger.at
    if trigger.webhook is not None:
        return f"{trigger.webhook.method} {trigger.webhook.path}"
    if trigger.file is not None:
        return f"{trigger.file.event} {trigger.file.path}"
    if trigger.queue is not None:
        return f"{trigger.queue.name} of {trigger.queue.connector}"
    return f"{trigger.flow.name} {trigger.flow.status}" if trigger.flow is not None else ""
