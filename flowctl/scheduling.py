"""The runs that a flow's own schedules would start: when, with which parameters, and how each would end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct
from msgspec.structs import replace

from engine.calendar import next_fires
from engine.errors import BadParameters, FlowctlError
from engine.outcomes import Json
from engine.simulation import Setup, play
from flowctl.simulating import params_of_trigger
from specs.expressions import EvaluationError
from specs.model.triggers import TriggerSpec

BY_TIME = ("cron", "every", "at")


class ScheduledRun(Struct, frozen=True):
    """One time a trigger fires. `state` is how its run ends, `skipped` when the trigger's `if` is false, `refused` when
    no run can be made; `problem` says why."""

    at: datetime
    trigger: str
    params: Mapping[str, Json]
    state: str
    length: timedelta | None = None
    problem: str | None = None


def scheduled_runs(
    setup: Setup,
    triggers: Mapping[str, TriggerSpec],
    bind: Callable[[Mapping[str, Json]], dict[str, Json]],
    *,
    count: int,
) -> Iterator[ScheduledRun]:
    """The next `count` runs of each trigger by time after the setup's instant, earliest first, each simulated by itself.

    Args:
        bind: completes the parameters that a trigger gives; raises `BadParameters`.
    """
    fires = [
        (at, name)
        for name, trigger in triggers.items()
        if any(kind in BY_TIME for kind in trigger.kinds())
        for at in next_fires(trigger, setup.at, count)
    ]
    for at, name in sorted(fires):
        yield _scheduled(setup, name, triggers[name], at, bind)


def _scheduled(
    setup: Setup, name: str, spec: TriggerSpec, at: datetime, bind: Callable[[Mapping[str, Json]], dict[str, Json]]
) -> ScheduledRun:
    trigger: dict[str, Json] = {"kind": spec.kinds()[0], "name": name, "time": at.isoformat()}
    try:
        given = params_of_trigger(spec, trigger)
        if given is None:
            return ScheduledRun(at, name, {}, "skipped", problem="the `if` of the trigger is false")
        params = bind(given)
        played = play(replace(setup, params=params, trigger=trigger, at=at))
    except EvaluationError as problem:
        return ScheduledRun(at, name, {}, "refused", problem=str(problem))
    except BadParameters as problem:
        return ScheduledRun(at, name, {}, "refused", problem="; ".join(problem.problems))
    except FlowctlError as problem:
        return ScheduledRun(at, name, {}, "refused", problem=str(problem))
    run = played.first.run
    played.store.close()
    length = run.ended_at - at if run.ended_at is not None else None
    reason = None if run.failure is None else run.failure.message
    return ScheduledRun(at, name, given, str(run.state), length, reason)
