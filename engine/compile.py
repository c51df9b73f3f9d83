"""Compile a checked flow into a `Plan`: texts parsed, defaults filled in, everything derived that a run needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from msgspec import Struct, field
from msgspec.structs import replace

from engine.compiling.actions import bare, compile_action, compile_fan_out, compile_map
from engine.compiling.declarations import outputs, parameters
from engine.compiling.derive import (
    affected_by,
    downstream_of,
    holders_of,
    inherited_priorities,
    recoverers_of,
    service_users_of,
    waves_of,
)
from engine.compiling.digest import digest_of
from engine.compiling.policies import (
    DEFAULT_CLEANUP,
    DEFAULT_EVERY,
    DEFAULT_OUTPUT_BYTES,
    priority_class,
    retry_policy,
    timing,
)
from engine.errors import InvalidFlow
from engine.plan import NOTHING, Edge, EdgeKind, FanOut, Plan, PlanTask, Probe, Repeat, RetryUpstream
from specs.check import Checked, flow_name
from specs.collection import without_collection
from specs.expressions import compile_value
from specs.graph import FlowGraph, reset_members
from specs.model import FlowSpec, TaskSpec
from specs.model.parts import EdgeSpec, ProbeSpec, RepeatSpec, RetryUpstreamSpec
from specs.model.task import UndoSpec

HOOK_KINDS = ("start", "success", "failure", "cancelled", "complete")
_EDGE_KINDS = {
    "after": EdgeKind.AFTER,
    "after_complete": EdgeKind.AFTER,
    "after_start": EdgeKind.AFTER_START,
    "after_end": EdgeKind.AFTER_END,
    "after_failure": EdgeKind.AFTER_FAILURE,
}
_NONE: Mapping[str, Any] = {}
"""Shared by all tasks that have none of something."""

_ONE_BY_ONE = FanOut(None, (), (), (), (), None, None, 1, 100_000, 1, 0, None, False, "succeed")
"""How the undo of a fan-out goes through the items that succeeded."""


class _Group(Struct, frozen=True, dict=True):
    """Tasks that form a graph of their own: the flow's, or those of one kind of hook."""

    prefix: str
    specs: Mapping[str, TaskSpec]
    _edges: dict[tuple[str, str], Edge] = field(default_factory=dict)

    def edge(self, kind: EdgeKind, spec: EdgeSpec) -> Edge:
        """An edge as written; those without a time limit are one and the same for all that wait for a task."""
        upstream = self.prefix + spec.task
        if spec.timeout is not None:
            return Edge(kind, upstream, spec.timeout, spec.on_timeout)
        return self._edges.get((kind, upstream)) or self._edges.setdefault((kind, upstream), Edge(kind, upstream))

    @cached_property
    def graph(self) -> FlowGraph:
        """The graph, built once for all tasks that need it."""
        return FlowGraph(self.specs)


def compile_flow(checked: Checked, *, base: Path) -> Plan:
    """The plan of a checked flow and of all flows it calls.

    Args:
        base: the folder that file names in `checked` are relative to.

    Raises:
        InvalidFlow: the check found errors.
    """
    with without_collection():
        return _compile(checked, base, {})


def _compile(checked: Checked, base: Path, done: dict[int, Plan]) -> Plan:
    if id(checked) in done:
        return done[id(checked)]
    if checked.flow is None or not checked.ok:
        raise InvalidFlow(checked.name, checked.diagnostics)
    children = {key: _compile(child, base, done) for key, child in checked.children.items()}
    plan = _plan(checked, checked.flow, base, children)
    done[id(checked)] = plan
    return plan


def _plan(checked: Checked, flow: FlowSpec, base: Path, children: Mapping[str, Plan]) -> Plan:
    tasks = _all_tasks(flow)
    main = tuple(flow.tasks)
    downstream = downstream_of(tasks)
    waves = waves_of(tasks, main)
    classes = inherited_priorities(
        {name: task.priority for name, task in tasks.items()}, downstream, [n for wave in waves for n in wave]
    )
    tasks = {n: t if t.priority == classes[n] else replace(t, priority=classes[n]) for n, t in tasks.items()}
    recoverers, holders = recoverers_of(tasks), holders_of(tasks)
    return Plan(
        name=flow_name(checked),
        digest=digest_of(checked.files),
        root=(base / checked.name).parent.resolve(),
        tasks=tasks,
        main=main,
        hooks={kind: tuple(f"hooks.{kind}.{task}" for task in getattr(flow.hooks, kind)) for kind in HOOK_KINDS},
        downstream=downstream,
        affected=affected_by(tasks),
        recoverers=recoverers,
        holders=holders,
        waves=waves,
        children=children,
        files=checked.files,
        service_users=service_users_of(tasks, holders),
        params=parameters(flow.params),
        env=compile_map(flow.env),
        host_env=tuple(flow.host_env),
        secrets={name: secret.source for name, secret in flow.secrets.items()},
        outputs=compile_map(flow.outputs) if flow.outputs else None,
        timeout=flow.timeout,
        when_failed=flow.when_failed,
        task_slots=flow.concurrency.tasks,
        fan_out_items=flow.limits.fan_out_items,
        resets=flow.limits.resets,
        cleanup=flow.limits.cleanup or DEFAULT_CLEANUP,
        output_bytes=flow.limits.output_bytes or DEFAULT_OUTPUT_BYTES,
        priority=priority_class(flow.priority, "normal"),
        labels=flow.labels,
        description=flow.description,
    )


def _all_tasks(flow: FlowSpec) -> dict[str, PlanTask]:
    """The flow's own tasks, then hooks, then undo tasks, each with its position in that order."""
    groups = [_Group("", flow.tasks)]
    groups += [_Group(f"hooks.{kind}.", getattr(flow.hooks, kind)) for kind in HOOK_KINDS]
    found: dict[str, PlanTask] = {}
    for group in groups:
        arms = _arm_edges(group)
        for name, spec in group.specs.items():
            task = _task(flow, group, name, spec, arms.get(name, ()), position=len(found))
            found[task.id] = task
    for name, spec in flow.tasks.items():
        if spec.undo is not None:
            undo = _undo_task(flow, name, spec, spec.undo, position=len(found))
            found[undo.id] = undo
    return found


def _arm_edges(group: _Group) -> dict[str, tuple[Edge, ...]]:
    """For each task named by an arm, one edge from each branch or switch that names it."""
    found: dict[str, dict[str, None]] = {}
    for name, spec in group.specs.items():
        for _, task in spec.arms():
            found.setdefault(task, {})[name] = None
    return {
        task: tuple(Edge(EdgeKind.ARM, group.prefix + source) for source in sources) for task, sources in found.items()
    }


def _task(
    flow: FlowSpec, group: _Group, name: str, spec: TaskSpec, arms: tuple[Edge, ...], *, position: int
) -> PlanTask:
    action = spec.action
    times = timing(spec, action=action)
    return PlanTask(
        id=group.prefix + name,
        position=position,
        action=compile_action(spec, flow),
        edges=_edges(group, spec) + arms,
        before_complete=_held(group, spec) if spec.before_complete else (),
        join=spec.join,
        condition=None if spec.condition is None else bare(spec.condition),
        fan_out=None if spec.fan_out is None else compile_fan_out(spec.fan_out),
        env=compile_map(spec.env) if spec.env else NOTHING,
        workdir=None if spec.workdir is None else compile_value(spec.workdir),
        outputs=outputs(spec.outputs) if spec.outputs else _NONE,
        artifacts={key: compile_value(value) for key, value in spec.artifacts.items()} if spec.artifacts else _NONE,
        timeout=times.timeout,
        deadline=spec.deadline,
        queue_timeout=spec.queue_timeout,
        grace=times.grace,
        retry=retry_policy(spec.retry, action=action),
        retry_upstream=None if spec.retry_upstream is None else _retry_upstream(group, name, spec.retry_upstream),
        repeat=None if spec.repeat is None else _repeat(spec.repeat),
        allow_failure=spec.allow_failure,
        recovers=spec.recovers,
        undo=f"undo.{name}" if spec.undo is not None and not group.prefix else None,
        service=spec.service,
        ready=None if spec.ready is None else _probe(spec.ready),
        priority=priority_class(spec.priority, flow.priority),
        description=spec.description,
    )


def _edges(group: _Group, spec: TaskSpec) -> tuple[Edge, ...]:
    """The edges as written, a repeated one once; `before_complete` is not among them."""
    found: dict[tuple[str, str], Edge] = {}
    for key, _, edge in spec.edges():
        if key in _EDGE_KINDS:
            found.setdefault((_EDGE_KINDS[key], edge.task), group.edge(_EDGE_KINDS[key], edge))
    return tuple(found.values())


def _held(group: _Group, spec: TaskSpec) -> tuple[str, ...]:
    return tuple(dict.fromkeys(group.prefix + edge.task for edge in spec.before_complete))


def _retry_upstream(group: _Group, name: str, asked: RetryUpstreamSpec) -> RetryUpstream:
    members = reset_members(group.graph, asked.tasks, name, asked.scope)
    return RetryUpstream(
        tasks=tuple(asked.tasks),
        rounds=asked.rounds,
        errors=tuple(asked.errors),
        delay=asked.delay or timedelta(0),
        members=tuple(group.prefix + task for task in members),
    )


def _repeat(spec: RepeatSpec) -> Repeat:
    every = spec.every if spec.every is not None else DEFAULT_EVERY
    return Repeat(bare(spec.until), every, spec.max)


def _probe(spec: ProbeSpec) -> Probe:
    for kind in ("tcp", "http", "exec", "log", "file"):
        target = getattr(spec, kind)
        if target is not None:
            every = spec.every or timedelta(seconds=1)
            return Probe(kind, compile_value(target), every, spec.timeout or timedelta(seconds=60))
    raise AssertionError(spec)


def _undo_task(flow: FlowSpec, name: str, spec: TaskSpec, undo: UndoSpec, *, position: int) -> PlanTask:
    action = next(key for key in ("run", "exec", "call", "use", "flow") if getattr(undo, key) is not None)
    shaped = TaskSpec.model_construct(
        **{key: getattr(undo, key) for key in ("run", "exec", "call", "use", "flow", "with_", "env", "retry")},
        timeout=undo.timeout,
        shell=spec.shell,
        workdir=spec.workdir,
    )
    times = timing(shaped, action=action)
    return PlanTask(
        id=f"undo.{name}",
        position=position,
        action=compile_action(shaped, flow),
        fan_out=None if spec.fan_out is None else _ONE_BY_ONE,
        env=compile_map(undo.env),
        workdir=None if spec.workdir is None else compile_value(spec.workdir),
        timeout=times.timeout,
        retry=retry_policy(undo.retry, action=action),
        priority=priority_class(spec.priority, flow.priority),
    )
