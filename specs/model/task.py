"""A task: one action, its edges and everything that surrounds an attempt (`LANGUAGE.md` 4)."""

# Annotations stay what they are: as texts, pydantic would evaluate each of them anew at every start.
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import Field, ModelWrapValidatorHandler, model_validator

from specs.model.parts import (
    ApprovalSpec,
    Bare,
    BranchArm,
    EdgeSpec,
    FanOutSpec,
    HealthSpec,
    LockSpec,
    OutputSpec,
    Part,
    ProbeSpec,
    RepeatSpec,
    ResourcesSpec,
    RetrySpec,
    RetryUpstreamSpec,
    SwitchSpec,
    Value,
    WaitSpec,
)
from specs.model.values import Duration, EnvironmentName, Id, Name

ACTIONS = ("run", "exec", "call", "use", "flow", "branch", "switch", "approval", "wait", "set", "fail")
"""The keys of which a task has exactly one, in the order of `LANGUAGE.md`."""

_ACTIONS = frozenset(ACTIONS)

EDGE_KEYS = ("after", "after_complete", "after_start", "after_end", "after_failure", "before_complete")
"""The keys that hold edges; `after_complete` is the long name of `after`."""

Priority = Literal["critical", "high", "normal", "low", "background"]


class UndoSpec(Part):
    """What takes a task's effect back."""

    run: str | None = None
    exec: list[Value] | None = None
    call: str | None = None
    use: str | None = None
    flow: str | None = None
    with_: dict[str, Value] = Field(default_factory=dict, alias="with")
    env: dict[EnvironmentName, Value] = Field(default_factory=dict)
    retry: RetrySpec | None = None
    timeout: Duration | Literal["none"] | None = None


class TaskSpec(Part):
    """A task after inheritance: `defaults`, template and its own keys are merged before this model sees it."""

    # the action
    run: str | None = None
    exec: Annotated[list[Value], Field(min_length=1)] | None = None
    call: str | None = None
    use: str | None = None
    flow: str | None = None
    branch: list[BranchArm] | None = None
    switch: SwitchSpec | None = None
    approval: ApprovalSpec | None = None
    wait: WaitSpec | None = None
    set: dict[Id, Value] | None = None
    fail: str | None = None

    # edges
    after: list[EdgeSpec] = Field(default_factory=list)
    after_complete: list[EdgeSpec] = Field(default_factory=list)
    after_start: list[EdgeSpec] = Field(default_factory=list)
    after_end: list[EdgeSpec] = Field(default_factory=list)
    after_failure: list[EdgeSpec] = Field(default_factory=list)
    before_complete: list[EdgeSpec] = Field(default_factory=list)
    join: Literal["all", "strict", "any"] | Annotated[int, Field(ge=1)] = "all"
    condition: Bare | bool | None = Field(None, alias="if")

    # what an attempt is given
    fan_out: FanOutSpec | None = None
    with_: dict[str, Value] = Field(default_factory=dict, alias="with")
    env: dict[EnvironmentName, Value] = Field(default_factory=dict)
    workdir: Value = None
    shell: str | list[str] | None = None
    success_codes: list[Annotated[int, Field(ge=0, le=255)]] | None = None
    outputs: dict[Id, OutputSpec] = Field(default_factory=dict)
    artifacts: dict[Id, Value] = Field(default_factory=dict)

    # time and failure
    timeout: Duration | Literal["none"] | None = None
    deadline: Duration | None = None
    queue_timeout: Duration | None = None
    grace: Duration | None = None
    retry: RetrySpec | None = None
    retry_upstream: RetryUpstreamSpec | None = None
    repeat: RepeatSpec | None = None
    allow_failure: bool = False
    recovers: bool = False
    undo: UndoSpec | None = None
    dead_letter: bool | Name = True

    # where and when it may run
    priority: Priority | None = None
    pool: Name | dict[Name, Annotated[int, Field(ge=1)]] | None = None
    lock: LockSpec | Value = None
    worker: Name | list[Name] | None = None
    resources: ResourcesSpec | None = None
    preemptible: bool = False
    service: bool = False
    ready: ProbeSpec | None = None
    health: HealthSpec | None = None

    extends: Name | None = None
    description: str | None = None
    labels: dict[Name, Value] = Field(default_factory=dict)

    @model_validator(mode="wrap")
    @classmethod
    def _as_written(cls, value: object, validate: ModelWrapValidatorHandler["TaskSpec"]) -> "TaskSpec":
        """A task holds what is written and no more: most have three keys of fifty, and a flow may have 100,000 tasks."""
        task = validate(value)
        filled = task.__dict__
        object.__setattr__(task, "__dict__", {name: filled[name] for name in task.model_fields_set})
        return task

    def actions(self) -> tuple[str, ...]:
        """The action keys this task has; a valid task has exactly one."""
        return tuple(name for name in ACTIONS if getattr(self, name) is not None)

    @property
    def action(self) -> str:
        """The one action of a valid task."""
        return next(name for name in self.model_fields_set if name in _ACTIONS and getattr(self, name) is not None)

    def edges(self) -> Iterator[tuple[str, int, EdgeSpec]]:
        """Every edge as (key, index, edge) in the order of `EDGE_KEYS`; `after_complete` keeps its name."""
        written = self.model_fields_set
        for key in EDGE_KEYS:
            if key in written:
                for index, edge in enumerate(getattr(self, key)):
                    yield key, index, edge

    def arms(self) -> Iterator[tuple[tuple[str | int | float | bool, ...], str]]:
        """Every task named by an arm, as (path below the task, id)."""
        if self.branch is not None:
            for number, arm in enumerate(self.branch):
                for key, ids in (("then", arm.then), ("else", arm.otherwise)):
                    for index, task in enumerate(ids or ()):
                        yield ("branch", number, key, index), task
        if self.switch is not None:
            for case, ids in self.switch.cases.items():
                for index, task in enumerate(ids):
                    yield ("switch", "cases", case, index), task
            for index, task in enumerate(self.switch.default or ()):
                yield ("switch", "default", index), task


for _name, _field in TaskSpec.model_fields.items():  # what a task does not hold, its class answers
    setattr(TaskSpec, _name, _field.get_default(call_default_factory=True))
