"""The compiled flow: everything the engine needs to decide, frozen, with no text left to interpret.

`engine.compile` makes it from a checked flow; `engine.decide` and the loop only read it. Ids of hook tasks are
`hooks.KIND.ID`, of undo tasks `undo.ID`; ids of the flow's own tasks hold no dot, so the three never meet.
"""

# Annotations stay what they are: as texts, msgspec would evaluate each of them when a kept plan is read.
from collections.abc import Mapping
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, TypeAlias

from msgspec import Struct, field

from specs.expressions.nodes import Expression
from specs.expressions.values import CompiledValue, MapValue

PRIORITIES = {"critical": 0, "high": 1, "normal": 2, "low": 3, "background": 9}
"""The classes of priority and their numbers, the most urgent first."""

NOTHING = MapValue(())
"""A map without entries."""


class Parameter(Struct, frozen=True, array_like=True):
    """A parameter of a flow (`LANGUAGE.md` 3). `default` and `choices` are plain JSON; `items` is the type of a list's
    elements. Without `required`, a value that is not given is `default`."""

    type: str = "string"
    items: str | None = None
    required: bool = True
    default: Any = None
    choices: tuple[Any, ...] | None = None
    min: int | float | None = None
    max: int | float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    sensitive: bool = False
    description: str | None = None


class Output(Struct, frozen=True, array_like=True):
    """A declared output of a task. `source` is where its value comes from."""

    type: str = "string"
    items: str | None = None
    optional: bool = False
    sensitive: bool = False
    source: Literal["file", "stdout", "stderr", "exit_code"] = "file"
    description: str | None = None


class EdgeKind(StrEnum):
    """What an edge asks of its upstream (`LANGUAGE.md` 5); `before_complete` is not among them."""

    AFTER = "after"
    AFTER_START = "after_start"
    AFTER_END = "after_end"
    AFTER_FAILURE = "after_failure"
    ARM = "arm"


class Edge(Struct, frozen=True, array_like=True):
    """`kind` asked of `upstream`. `timeout` runs from the moment all other edges of the task are met."""

    kind: EdgeKind
    upstream: str
    timeout: timedelta | None = None
    on_timeout: Literal["fail", "skip", "run"] = "fail"


# --- actions ------------------------------------------------------------------------------------------------------------


class _Tagged(Struct, frozen=True, array_like=True, tag=True, tag_field="kind"):
    """One of several kinds: written down (`engine/plan_codec.py`), it begins with the name of its class."""


class RunAction(_Tagged, frozen=True):
    """A literal script for a shell."""

    script: str
    shell: str | tuple[str, ...]
    success_codes: frozenset[int]


class ExecAction(_Tagged, frozen=True):
    """An argv; each element is one argument, one that is a single expression yielding a list adds each item."""

    arguments: tuple[CompiledValue, ...]
    success_codes: frozenset[int]


class CallAction(_Tagged, frozen=True):
    """A Python callable with its keyword arguments."""

    target: str
    arguments: CompiledValue


class UseAction(_Tagged, frozen=True):
    """An action of a connector. `type` is the connector's type, `config` its configured fields."""

    type: str
    action: str
    config: CompiledValue
    arguments: CompiledValue


class FlowAction(_Tagged, frozen=True):
    """Another flow as a child run; `flow` is the key of `Plan.children`."""

    flow: str
    arguments: CompiledValue


class Arm(Struct, frozen=True, array_like=True):
    """One arm of a branch: its condition (`None` for `else`) and the tasks it takes."""

    condition: Expression | None
    tasks: tuple[str, ...]


class BranchAction(_Tagged, frozen=True):
    """First true arm wins."""

    arms: tuple[Arm, ...]


class SwitchAction(_Tagged, frozen=True):
    """Typed equality; `default` is `None` when no match is a failure."""

    value: Expression
    cases: tuple[tuple[Any, tuple[str, ...]], ...]
    default: tuple[str, ...] | None


class SetAction(_Tagged, frozen=True):
    """Values, no process."""

    values: CompiledValue


class FailAction(_Tagged, frozen=True):
    """Fails with a message."""

    message: CompiledValue


class WaitAction(_Tagged, frozen=True):
    """Waits for a duration or until an instant; exactly one is set."""

    duration: CompiledValue | None
    until: CompiledValue | None


Action: TypeAlias = (
    RunAction
    | ExecAction
    | CallAction
    | UseAction
    | FlowAction
    | BranchAction
    | SwitchAction
    | SetAction
    | FailAction
    | WaitAction
)

ATTEMPT_ACTIONS = (RunAction, ExecAction, CallAction, UseAction)
"""Actions made by a runner: they hold a slot while an attempt runs."""

LIVE_ACTIONS = (*ATTEMPT_ACTIONS, FlowAction)
"""Actions made outside of the engine's decisions: somebody reports how an attempt ended."""


# --- what surrounds an action -------------------------------------------------------------------------------------------


class FanOut(Struct, frozen=True, array_like=True):
    """One of three forms: `literal` items known when the flow was compiled (of a list, or of a matrix multiplied out),
    `items` still to be evaluated, or the `axes` of a matrix, multiplied in key order when the task starts."""

    items: Expression | CompiledValue | None
    literal: tuple[Any, ...] | None
    axes: tuple[tuple[str, Expression | CompiledValue], ...]
    exclude: tuple[CompiledValue, ...]
    include: tuple[CompiledValue, ...]
    where: Expression | None
    key: Expression | None
    batch: int
    max_items: int
    max_parallel: int | None
    tolerate: int
    tolerate_percent: float | None
    fail_fast: bool
    on_empty: Literal["succeed", "skip", "fail"]


class RateLimit(Struct, frozen=True, array_like=True):
    """The ladder for attempts refused for their rate; `match` is empty where only a connector can tell."""

    attempts: int
    delays: tuple[timedelta, ...]
    match: tuple[str, ...]


class RetryPolicy(Struct, frozen=True, array_like=True):
    """A retry with its preset filled in (`LANGUAGE.md` 8). `delays`, when not empty, replace delay and backoff.

    `jitter` is `full`, `equal`, `none` or a share between 0 and 1.
    """

    attempts: int = 1
    delays: tuple[timedelta, ...] = ()
    delay: timedelta = timedelta(seconds=1)
    backoff: float = 2.0
    max_delay: timedelta = timedelta(minutes=5)
    jitter: str | float = "full"
    budget: timedelta | None = None
    errors: tuple[str, ...] = ("any",)
    never: tuple[str, ...] = ()
    rate_limit: RateLimit | None = None
    retry_after: Literal["obey", "pool", "ignore"] = "obey"


class RetryUpstream(Struct, frozen=True, array_like=True):
    """A request that ancestors run again; `members` is the whole reset set, the asking task included, in file order."""

    tasks: tuple[str, ...]
    rounds: int
    errors: tuple[str, ...]
    delay: timedelta
    members: tuple[str, ...]


class Repeat(Struct, frozen=True, array_like=True):
    """Run again while `until` is false, at most `max` times in all."""

    until: Expression
    every: timedelta
    max: int


class Probe(Struct, frozen=True, array_like=True):
    """How a service shows that it is ready; exactly one of the kinds is set."""

    kind: Literal["tcp", "http", "exec", "log", "file"]
    target: CompiledValue
    every: timedelta
    timeout: timedelta


class PlanTask(Struct, frozen=True, array_like=True):
    """A task, compiled. `priority` is its class number after inheritance from its descendants: 0 is most urgent."""

    id: str
    position: int
    action: Action
    edges: tuple[Edge, ...] = ()
    before_complete: tuple[str, ...] = ()
    join: Literal["all", "strict", "any"] | int = "all"
    condition: Expression | None = None
    fan_out: FanOut | None = None
    env: MapValue = NOTHING
    workdir: CompiledValue | None = None
    outputs: Mapping[str, Output] = field(default_factory=dict)
    artifacts: Mapping[str, CompiledValue] = field(default_factory=dict)
    timeout: timedelta | None = None
    deadline: timedelta | None = None
    queue_timeout: timedelta | None = None
    grace: timedelta = timedelta(seconds=10)
    retry: RetryPolicy = RetryPolicy()
    retry_upstream: RetryUpstream | None = None
    repeat: Repeat | None = None
    allow_failure: bool = False
    recovers: bool = False
    undo: str | None = None
    service: bool = False
    ready: Probe | None = None
    priority: int = 2
    description: str | None = None

    @property
    def kind(self) -> str:
        """The action's key in the language: `run`, `exec`, `flow`, ..."""
        return type(self.action).__name__.removesuffix("Action").lower()


class Plan(Struct, frozen=True, array_like=True):
    """A flow, compiled.

    Attributes:
        name: the flow's name.
        digest: SHA-256 of the files it was compiled from and the language version, in hexadecimal.
        root: the folder relative paths and imports start from.
        tasks: every task by id: the flow's own in file order, then hooks, then undo tasks.
        main: ids of the flow's own tasks, in file order.
        hooks: ids by kind (`start`, `success`, `failure`, `cancelled`, `complete`), in file order.
        downstream: for each task, the tasks that have an edge from it, in file order, each once.
        affected: for each task, its outgoing edges as (task, edge index) pairs. What a recovering handler decides
            beside them follows from `recoverers`: chains of handlers would make lists of it that grow with their square.
        recoverers: for each task, the recovering handlers that name it.
        holders: for each task x, the tasks that name it in `before_complete`.
        waves: the flow's own tasks by the earliest wave they can start in.
        service_users: for each service, the tasks with an `after_start` edge from it and those in whose
            `before_complete` it stands; it is stopped when all of them are final.
        children: sub-flows by the text written in `flow:`.
        files: every file the plan was compiled from, name to text, the flow's own first.
    """

    name: str
    digest: str
    root: Path
    tasks: Mapping[str, PlanTask]
    main: tuple[str, ...]
    hooks: Mapping[str, tuple[str, ...]]
    downstream: Mapping[str, tuple[str, ...]]
    affected: Mapping[str, tuple[tuple[str, int], ...]]
    recoverers: Mapping[str, tuple[str, ...]]
    holders: Mapping[str, tuple[str, ...]]
    waves: tuple[tuple[str, ...], ...]
    children: Mapping[str, "Plan"]
    files: Mapping[str, str] = field(default_factory=dict)
    service_users: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    params: Mapping[str, Parameter] = field(default_factory=dict)
    env: MapValue = NOTHING
    host_env: tuple[str, ...] = ()
    secrets: Mapping[str, str] = field(default_factory=dict)
    outputs: CompiledValue | None = None
    timeout: timedelta | None = None
    when_failed: Literal["continue", "drain", "cancel"] = "continue"
    task_slots: int = 16
    fan_out_items: int = 10_000
    resets: int = 100
    cleanup: timedelta = timedelta(minutes=10)
    output_bytes: int = 1 << 20
    priority: int = 2
    labels: Mapping[str, Any] = field(default_factory=dict)
    description: str | None = None

    @property
    def lone_services(self) -> tuple[str, ...]:
        """Services that no task waits for: needed as long as anything else of the flow goes on."""
        return tuple(name for name, users in self.service_users.items() if not users)
