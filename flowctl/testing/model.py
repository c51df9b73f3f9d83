"""The form of a `*.test.yaml` file: cases, what they start from, and what they expect."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from engine.outcomes import Failure
from flowctl.testing.failing import failure_named, failure_problem
from specs.model.parts import Part, Value
from specs.model.values import Duration, EnvironmentName, Id, SecretId, refuse

TaskStatus = Literal["pending", "succeeded", "failed", "skipped", "blocked", "cancelled"]
RunStatus = Literal["succeeded", "failed", "cancelled"]


# --- stubs --------------------------------------------------------------------------------------------------------------


def _error_name(value: object) -> object:
    if isinstance(value, str):
        problem = failure_problem(value)
        if problem is not None:
            raise refuse("FLOW524", problem.message, help=problem.help)
    return value


ErrorName = Annotated[str, BeforeValidator(_error_name)]
"""How an attempt fails, as `errors` of a retry has it: `exit:75`, `http:503`, `timeout`."""


class FailSpec(Part):
    """A failure of an attempt; a text alone is its `kind`."""

    kind: ErrorName = "exit"
    message: str | None = None
    retry_after: Duration | None = None
    rate_limited: bool = False
    retry_upstream: list[Id] = Field(default_factory=list)

    @model_validator(mode="before")
    @classmethod
    def _from_kind(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value

    def failure(self) -> Failure:
        """The failure as a runner reports it."""
        return failure_named(
            self.kind,
            message=self.message,
            retry_after_s=None if self.retry_after is None else self.retry_after.total_seconds(),
            rate_limited=self.rate_limited,
            asks_upstream=tuple(self.retry_upstream),
        )


class AttemptSpec(Part):
    """How one attempt ends."""

    outputs: dict[Id, Value] = Field(default_factory=dict)
    fail: FailSpec | None = None
    duration: Duration | None = None


class StubSpec(AttemptSpec):
    """How the attempts of a task end."""

    attempts: list[AttemptSpec] = Field(default_factory=list)
    items: dict[str | int, StubSpec] = Field(default_factory=dict)
    tasks: dict[str, StubSpec] = Field(default_factory=dict)


# --- what is expected ---------------------------------------------------------------------------------------------------


class InputsSpec(Part):
    """What the last attempt was started with: `env` and `with` may name a part, `argv` is whole."""

    env: dict[str, Value] | None = None
    with_: dict[str, Value] | None = Field(None, alias="with")
    argv: list[Value] | None = None
    workdir: str | None = None


class ErrorSpec(Part):
    """A failure as expressions see it; `message` is a part of it. A text alone is the `kind`."""

    kind: str | None = None
    message: str | None = None
    exit_code: int | None = None
    http_status: int | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_kind(cls, value: object) -> object:
        return {"kind": value} if isinstance(value, str) else value


class CountsSpec(Part):
    """How many items a fan-out had."""

    total: int | None = None
    succeeded: int | None = None
    failed: int | None = None


class ExpectedUnit(Part):
    """What is expected of a task or of an item; a text alone is the status."""

    status: TaskStatus | None = None
    attempts: int | None = None
    round: int | None = None
    outputs: dict[Id, Value] | None = None
    error: ErrorSpec | None = None
    inputs: InputsSpec | None = None
    arm: int | Literal["none"] | None = None
    tasks: dict[str, ExpectedTask] = Field(default_factory=dict)

    @model_validator(mode="before")
    @classmethod
    def _from_status(cls, value: object) -> object:
        return {"status": value} if isinstance(value, str) else value


class ExpectedTask(ExpectedUnit):
    """What is expected of a task."""

    counts: CountsSpec | None = None
    items: dict[str | int, ExpectedUnit] = Field(default_factory=dict)


class LengthSpec(Part):
    """A length of virtual time: exactly, or between bounds."""

    exactly: Duration | None = None
    min: Duration | None = None
    max: Duration | None = None

    @model_validator(mode="before")
    @classmethod
    def _from_text(cls, value: object) -> object:
        return {"exactly": value} if isinstance(value, str) else value


class ExpectSpec(Part):
    """What is expected of a run; what is not named may be anything, but a run is expected to succeed."""

    status: RunStatus = "succeeded"
    error: ErrorSpec | None = None
    tasks: dict[str, ExpectedTask] = Field(default_factory=dict)
    order: list[Annotated[list[str], Field(min_length=2)]] = Field(default_factory=list)
    not_run: list[str] = Field(default_factory=list)
    outputs: dict[Id, Value] | None = None
    warnings: int | None = None
    undo: Literal["complete", "partial", "none"] | None = None
    duration: LengthSpec | None = None


class CaseSpec(Part):
    """One run and what is expected of it."""

    description: str | None = None
    params: dict[Id, Value] = Field(default_factory=dict)
    env: dict[EnvironmentName, Value] = Field(default_factory=dict)
    secrets: dict[SecretId, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    trigger: dict[Id, Value] = Field(default_factory=dict)
    stubs: dict[str, StubSpec] = Field(default_factory=dict)
    at: str | None = None
    seed: int | None = None
    expect: ExpectSpec = ExpectSpec()


class TestFileSpec(Part):
    """A whole file. `flow` is a path from the file; by default `NAME.yaml` for `NAME.test.yaml`."""

    __test__ = False  # not a test of our own

    version: Literal[1]
    flow: str | None = None
    description: str | None = None
    stubs: dict[str, StubSpec] = Field(default_factory=dict)
    secrets: dict[SecretId, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)
    cases: Annotated[dict[str, CaseSpec], Field(min_length=1)]


class StubsFileSpec(Part):
    """The file of `simulate --stubs`: what a case has under `stubs`, and secrets."""

    version: Literal[1]
    stubs: dict[str, StubSpec] = Field(default_factory=dict)
    secrets: dict[SecretId, Annotated[str, Field(min_length=1)]] = Field(default_factory=dict)


StubSpec.model_rebuild()
ExpectedUnit.model_rebuild()
ExpectedTask.model_rebuild()
