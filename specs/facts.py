"""What one flow says that concerns its neighbours: the little of it that a check of the whole project looks at.

Facts are taken from a flow right after its own check, so that the flow itself need not stay in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from msgspec import Struct

from specs.check import flow_name
from specs.context import FlowContext, Path
from specs.diagnostics import Place, Source
from specs.model.flow import PoolSpec, RateSpec
from specs.model.parts import LockSpec
from specs.model.task import TaskSpec
from specs.quantities import format_duration


class Spot(Struct, frozen=True):
    """Where something is said: its place and its path of keys."""

    place: Place
    path: Path


class Declared(Struct, frozen=True):
    """A pool, or the lease of a lock, as one file has it; `terms` says it in words."""

    kind: str
    name: str
    terms: str
    spot: Spot


class Listening(Struct, frozen=True):
    """A trigger that waits for the end of the runs of `flow`. One with a condition can end a circle of starts; to wait for
    failures only is one."""

    trigger: str
    flow: str
    is_conditional: bool
    spot: Spot


class Webhook(Struct, frozen=True):
    """A path that a trigger is called at."""

    path: str
    spot: Spot


class LockOrder(Struct, frozen=True):
    """`task` asks for the lock `wanted` while the service `holder` holds the lock `held`."""

    held: str
    wanted: str
    holder: str
    task: str
    held_at: Spot
    wanted_at: Spot


class FlowFacts(Struct, frozen=True):
    """A flow as its neighbours see it. `named` is where its name stands, the first character of a file without one."""

    name: str
    source: Source
    named: Spot
    webhooks: tuple[Webhook, ...]
    listens: tuple[Listening, ...]
    declared: tuple[Declared, ...]
    lock_orders: tuple[LockOrder, ...]

    @property
    def file(self) -> str:
        """The file as it is shown."""
        return self.source.name


def facts_of(context: FlowContext) -> FlowFacts:
    """The facts of a flow that could be read."""
    source = context.places.place(()).source
    named = _spot(context, ("name",)) if context.flow.name is not None else Spot(Place(source, 0, 0), ())
    return FlowFacts(
        name=flow_name(context),
        source=source,
        named=named,
        webhooks=tuple(_webhooks(context)),
        listens=tuple(_listens(context)),
        declared=(*_pools(context), *_leases(context)),
        lock_orders=tuple(_lock_orders(context)),
    )


def _spot(context: FlowContext, path: Path, *, key: bool = False) -> Spot:
    return Spot(context.places.place(path, key=key), path)


def _webhooks(context: FlowContext) -> Iterator[Webhook]:
    for name, trigger in context.flow.triggers.items():
        if trigger.webhook is not None:
            yield Webhook(trigger.webhook.path, _spot(context, ("triggers", name, "webhook", "path")))


def _listens(context: FlowContext) -> Iterator[Listening]:
    for name, trigger in context.flow.triggers.items():
        if trigger.flow is not None and trigger.enabled:
            is_conditional = trigger.condition not in (None, True) or trigger.flow.status == "failed"
            spot = _spot(context, ("triggers", name, "flow", "name"))
            yield Listening(name, trigger.flow.name, is_conditional, spot)


def _pools(context: FlowContext) -> Iterator[Declared]:
    for name, pool in context.flow.pools.items():
        yield Declared("pool", name, _terms(pool), _spot(context, ("pools", name), key=True))


def _terms(pool: PoolSpec) -> str:
    """What a pool is declared to be, the same text for the same pool however it is written."""
    terms = [f"{pool.slots} {'slot' if pool.slots == 1 else 'slots'}"]
    rate = (
        pool.rate if isinstance(pool.rate, RateSpec) or pool.rate is None else RateSpec.model_construct(limit=pool.rate)
    )
    if rate is not None:
        terms.append(f"a rate of {rate.limit:g}/s")
        terms += [f"`when_exceeded: {rate.when_exceeded}`"] if rate.when_exceeded != "delay" else []
    if pool.max_wait is not None:
        terms.append(f"a `max_wait` of {format_duration(pool.max_wait)}")
    return " and ".join(terms)


def _leases(context: FlowContext) -> Iterator[Declared]:
    for graph in context.graphs:
        for task, spec in graph.having("lock"):
            for name, lease, path in _locks(spec):
                if lease is not None:
                    spot = _spot(context, (*graph.prefix, task, *path))
                    yield Declared("lock", name, f"a lease of {format_duration(lease)}", spot)


def _locks(task: TaskSpec) -> Iterator[tuple[str, timedelta | None, Path]]:
    """The locks of a task that are named as they are: name, lease if one is written, path of the name in the task."""
    lock = task.lock
    if isinstance(lock, LockSpec):
        if _is_name(lock.name):
            yield lock.name, lock.lease, ("lock", "name")
        return
    for path, name in (
        [(("lock", index), one) for index, one in enumerate(lock)] if isinstance(lock, list) else [(("lock",), lock)]
    ):
        if _is_name(name):
            yield name, None, path


def _is_name(value: object) -> bool:
    return isinstance(value, str) and "${{" not in value


def _lock_orders(context: FlowContext) -> Iterator[LockOrder]:
    """A task takes all its locks at once and holds them while it runs, so only a service can hold one while others wait."""
    for graph in context.graphs:
        for holder, service in graph.having("lock"):
            if not service.service:
                continue
            waiting = dict.fromkeys(link.task for link in graph.outgoing[holder] if link.kind == "after_start")
            for held, _, held_path in _locks(service):
                held_at = _spot(context, (*graph.prefix, holder, *held_path))
                for task in waiting:
                    for wanted, _, path in _locks(graph.tasks[task]):
                        wanted_at = _spot(context, (*graph.prefix, task, *path))
                        yield LockOrder(held, wanted, holder, task, held_at, wanted_at)
