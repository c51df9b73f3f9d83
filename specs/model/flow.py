"""A flow: the top level of a file (`LANGUAGE.md` 2), and the library files it may include."""

# Annotations stay what they are: as texts, pydantic would evaluate each of them anew at every start.
from typing import Annotated, Literal

from pydantic import Field

from specs.model.parts import Bare, HoursSpec, ParamSpec, Part, Value
from specs.model.task import Priority, TaskSpec
from specs.model.triggers import TriggerSpec
from specs.model.values import Duration, EnvironmentName, Id, Name, Rate, SecretId, Size

NotifyEvent = Literal[
    "run.started", "run.succeeded", "run.failed", "run.cancelled", "run.timed_out", "run.waiting", "run.recovered",
    "task.failed", "task.retrying", "task.dead_lettered", "task.unhealthy", "schedule.missed", "schedule.skipped",
    "sla.breached",
]  # fmt: skip


class SecretSpec(Part):
    """Where a secret comes from: `env:X`, `file:/p`, `PROVIDER:key`."""

    source: str = Field(alias="from")


class ConcurrencySpec(Part):
    """How many runs and tasks go at once, and what a further run does."""

    runs: Annotated[int, Field(ge=1)] = 1
    tasks: Annotated[int, Field(ge=1)] = 16
    key: Bare | None = None
    when_busy: Literal["queue", "skip", "replace", "reject", "allow"] = "queue"
    max_queued: Annotated[int, Field(ge=0)] = 100
    wait: Duration | None = None


class RateSpec(Part):
    """A token bucket with what happens past it."""

    limit: Rate
    when_exceeded: Literal["delay", "reject", "skip"] = "delay"


class PoolSpec(Part):
    """Slots shared by name across the flows of a store."""

    slots: Annotated[int, Field(ge=1)] = 1
    rate: RateSpec | Rate | None = None
    max_wait: Duration | None = None


class DedupSpec(Part):
    """Submissions seen before (`LANGUAGE.md` 11)."""

    key: Bare | None = None
    window: Duration | None = None
    on_duplicate: Literal["return", "reject"] = "return"


class NotifySpec(Part):
    """A rule of who is told of what."""

    on: list[NotifyEvent]
    to: list[str]
    condition: Bare | bool | None = Field(None, alias="if")


class SlaSpec(Part):
    """Expectations; a breach is an event, never a failure."""

    max_duration: Duration | None = None
    expected_by: str | None = None
    success_rate: Annotated[int | float, Field(ge=0, le=1)] | None = None
    window: Duration | None = None


class LimitsSpec(Part):
    """Limits of one flow (`LANGUAGE.md` 15)."""

    tasks: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    fan_out_items: Annotated[int, Field(ge=1, le=100_000)] = 10_000
    flow_depth: Annotated[int, Field(ge=1, le=32)] = 8
    resets: Annotated[int, Field(ge=0, le=1000)] = 100
    cleanup: Duration | None = None
    output_bytes: Size | None = None


class ConnectorSpec(Part):
    """A configured target for `use`."""

    type: str
    with_: dict[str, Value] = Field(default_factory=dict, alias="with")
    pool: Name | None = None


class HooksSpec(Part):
    """Tasks around a run; they never change its result, but a failing `start` fails it."""

    start: dict[Id, TaskSpec] = Field(default_factory=dict)
    success: dict[Id, TaskSpec] = Field(default_factory=dict)
    failure: dict[Id, TaskSpec] = Field(default_factory=dict)
    cancelled: dict[Id, TaskSpec] = Field(default_factory=dict)
    complete: dict[Id, TaskSpec] = Field(default_factory=dict)


# `model_construct`, in defaults: calling a class would build its validator, and with that of hooks the one of tasks


class FlowSpec(Part):
    """A flow after inheritance and includes. `defaults`, `templates` and `include` are used up before this model."""

    version: Literal[1]
    name: Name | None = None
    description: str | None = None
    labels: dict[Name, Value] = Field(default_factory=dict)
    params: dict[Id, ParamSpec] = Field(default_factory=dict)
    env: dict[EnvironmentName, Value] = Field(default_factory=dict)
    host_env: list[EnvironmentName] = Field(default_factory=list)
    secrets: dict[SecretId, SecretSpec] = Field(default_factory=dict)
    triggers: dict[Name, TriggerSpec] = Field(default_factory=dict)
    concurrency: ConcurrencySpec = ConcurrencySpec.model_construct()
    pools: dict[Name, PoolSpec] = Field(default_factory=dict)
    priority: Priority = "normal"
    dedup: DedupSpec | None = None
    hours: HoursSpec | None = None
    notify: list[NotifySpec] = Field(default_factory=list)
    sla: SlaSpec | None = None
    timeout: Duration | None = None
    when_failed: Literal["continue", "drain", "cancel"] = "continue"
    limits: LimitsSpec = LimitsSpec.model_construct()
    connectors: dict[Name, ConnectorSpec] = Field(default_factory=dict)
    tasks: Annotated[dict[Id, TaskSpec], Field(min_length=1)]
    hooks: HooksSpec = HooksSpec.model_construct()
    outputs: dict[Id, Value] = Field(default_factory=dict)
