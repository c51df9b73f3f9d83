"""Shared pieces of the model: the base class and the small maps that several keys use."""

# Annotations stay what they are: as texts, pydantic would evaluate each of them anew at every start.
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

from specs.model.values import Duration, Id, Size

Value: TypeAlias = Any
"""A value of the file in which texts may hold `${{ }}`; numbers keep their written form (`specs.source.WrittenFloat`)."""

Bare: TypeAlias = str
"""Text that is an expression by its place: no `${{ }}` around it."""

ValueType = Literal[
    "string", "int", "float", "bool", "date", "datetime", "duration", "size", "path", "json", "list", "map"
]


class Part(BaseModel):
    """Base of every map of the language: frozen, strict, unknown keys refused."""

    # a validator is built where a map is first checked by itself, which most never are: the flow's own holds them all
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, defer_build=True)


class ParamSpec(Part):
    """A parameter of a flow, or a field of an approval (`LANGUAGE.md` 3)."""

    type: ValueType = "string"
    items: ValueType | None = None
    default: Value = None
    choices: list[Value] | None = None
    min: int | float | None = None
    max: int | float | None = None
    min_length: Annotated[int, Field(ge=0)] | None = None
    max_length: Annotated[int, Field(ge=0)] | None = None
    pattern: str | None = None
    sensitive: bool = False
    description: str | None = None

    @property
    def required(self) -> bool:
        """Whether a value must be given: there is no `default`."""
        return "default" not in self.model_fields_set


class OutputSpec(Part):
    """A declared output of a task."""

    type: ValueType = "string"
    items: ValueType | None = None
    optional: bool = False
    sensitive: bool = False
    source: Literal["file", "stdout", "stderr", "exit_code"] = Field("file", alias="from")
    description: str | None = None


class EdgeSpec(Part):
    """One entry of an edge list: an id, or a map with a time limit on the wait."""

    task: Id
    timeout: Duration | None = None
    on_timeout: Literal["fail", "skip", "run"] = "fail"

    @model_validator(mode="before")
    @classmethod
    def _from_id(cls, value: object) -> object:
        return {"task": value} if isinstance(value, str) else value


class RateLimitSpec(Part):
    """The ladder for attempts refused for their rate."""

    attempts: Annotated[int, Field(ge=1, le=1000)] = 6
    delays: Annotated[list[Duration], Field(min_length=1)] | None = None
    match: list[str] | None = None


class RetrySpec(Part):
    """When and how a failed attempt is followed by another (`LANGUAGE.md` 8). What is not set comes from `preset`."""

    attempts: Annotated[int, Field(ge=1, le=1000)] | None = None
    preset: Literal["webhook", "exponential", "fixed"] | None = None
    delays: Annotated[list[Duration], Field(min_length=1)] | None = None
    delay: Duration | None = None
    backoff: Annotated[int | float, Field(ge=1, le=100, allow_inf_nan=False)] | None = None
    max_delay: Duration | None = None
    jitter: str | None = None
    budget: Duration | None = None
    errors: list[str] | None = None
    never: list[str] | None = None
    rate_limit: RateLimitSpec | None = None
    retry_after: Literal["obey", "pool", "ignore"] | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_preset(cls, value: object) -> object:
        return {"preset": value} if isinstance(value, str) else value


class RetryUpstreamSpec(Part):
    """A request that ancestors run again (`LANGUAGE.md` 9)."""

    tasks: Annotated[list[Id], Field(min_length=1)]
    rounds: Annotated[int, Field(ge=1, le=20)]
    errors: list[str] = Field(default_factory=lambda: ["any"])
    delay: Duration | None = None
    scope: Literal["between", "descendants"] = "between"


class RepeatSpec(Part):
    """Run a task again while `until` is false."""

    until: Bare | bool
    every: Duration | None = None
    max: Annotated[int, Field(ge=1, le=100_000)]


class FanOutSpec(Part):
    """One task, many items (`LANGUAGE.md` 7)."""

    items: Bare | list[Value] | None = None
    matrix: dict[Id, Bare | list[Value]] | None = None
    exclude: list[dict[str, Value]] = Field(default_factory=list)
    include: list[dict[str, Value]] = Field(default_factory=list)
    where: Bare | bool | None = None
    key: Bare | None = None
    batch: Annotated[int, Field(ge=1)] = 1
    max_items: Annotated[int, Field(ge=1, le=100_000)] = 1000
    max_parallel: Annotated[int, Field(ge=1)] | None = None
    tolerate: int | str = 0
    fail_fast: bool = False
    on_empty: Literal["succeed", "skip", "fail"] = "succeed"


class BranchArm(Part):
    """One arm of a branch: `{if, then}` or, last, `{else}`."""

    condition: Bare | bool | None = Field(None, alias="if")
    then: list[Id] | None = None
    otherwise: list[Id] | None = Field(None, alias="else")


class SwitchSpec(Part):
    """A choice by typed equality. Case keys keep the type they are written in: `1` is not `"1"`."""

    value: Bare | bool | int | float
    cases: dict[str | int | float | bool, list[Id]]
    default: list[Id] | None = None


class ApprovalSpec(Part):
    """A question that people answer."""

    prompt: str
    approvers: list[str] = Field(default_factory=list)
    need: Annotated[int, Field(ge=1)] = 1
    fields: dict[Id, ParamSpec] = Field(default_factory=dict)
    timeout: Duration | None = None
    on_timeout: Literal["reject", "approve", "skip"] = "reject"


class WaitSpec(Part):
    """Wait for a time, an instant or a signal; holds no process."""

    duration: Value = Field(None, alias="for")
    until: Value = None
    signal: str | None = None
    timeout: Duration | None = None


class ResourcesSpec(Part):
    """Limits of the whole process tree of an attempt."""

    memory: Size | None = None
    cpu: int | float | None = None
    action: Literal["kill", "warn"] = "kill"


class ProbeSpec(Part):
    """A check of a service: exactly one of `tcp`, `http`, `exec`, `log`, `file`."""

    tcp: int | str | None = None
    http: str | None = None
    exec: list[Value] | None = None
    log: str | None = None
    file: str | None = None
    every: Duration | None = None
    timeout: Duration | None = None


class HealthSpec(ProbeSpec):
    """A probe that goes on while the service runs."""

    failures: Annotated[int, Field(ge=1)] = 3
    max_age: Duration | None = None


class LockSpec(Part):
    """A named lock, leased while the holder lives."""

    name: Value
    lease: Duration | None = None
    wait: Duration | None = None


class HoursSpec(Part):
    """Operating hours of a flow or a trigger."""

    days: list[str] | None = None
    start: str | None = None
    end: str | None = None
    timezone: str = "UTC"
    holidays: str | None = None
    outside: Literal["skip", "defer", "alert"] = "skip"
