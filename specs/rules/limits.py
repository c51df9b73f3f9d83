"""Pools and the size of a flow (FLOW219, 226, 270)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic, Label
from specs.graph import FlowGraph
from specs.model import FlowSpec, TaskSpec
from specs.rules.edits import MOST_HINTS
from specs.suggest import nearest

DEFAULT_SLOTS = 1
"""Slots of a pool that no file declares."""


def wanted_slots(flow: FlowSpec, task: TaskSpec) -> Mapping[str, int]:
    """Slots by pool that one attempt of `task` holds, those of its connector included."""
    wanted = {task.pool: 1} if isinstance(task.pool, str) else dict(task.pool or {})
    if task.use is not None:
        connector = flow.connectors.get(task.use.partition(".")[0])
        if connector is not None and connector.pool is not None:
            wanted.setdefault(connector.pool, 1)
    return wanted


def slots_of(flow: FlowSpec, pool: str) -> int:
    """How many slots a pool has as far as this file tells."""
    return flow.pools[pool].slots if pool in flow.pools else DEFAULT_SLOTS


def more_slots_than_there_are(context: FlowContext) -> Iterator[Diagnostic]:
    """No task wants more of a pool than the pool has, alone or together with the services it waits on."""
    for graph in context.graphs:
        for task, spec in graph.having("pool", "use"):
            if spec.pool is not None or spec.use is not None:
                yield from _too_much(context, graph, task, spec)


def _too_much(context: FlowContext, graph: FlowGraph, task: str, spec: TaskSpec) -> Iterator[Diagnostic]:
    beside = {link.upstream for link in graph.incoming[task] if link.kind == "after_start"}
    services = sorted((name for name in beside if graph.tasks[name].service), key=graph.positions.__getitem__)
    for pool, count in wanted_slots(context.flow, spec).items():
        there_are = slots_of(context.flow, pool)
        path = _pool_path(graph, task, spec, pool)
        if count > there_are:
            yield context.finding(
                "FLOW219",
                path,
                f"`{task}` wants {count} of {there_are} slots of `{pool}` and can never start",
                help=_more_slots(context.flow, pool, count),
            )
            continue
        holding = {name: wanted_slots(context.flow, graph.tasks[name]).get(pool, 0) for name in services}
        together = count + sum(holding.values())
        if together > there_are and all(slots <= there_are for slots in holding.values()):
            names = [name for name, slots in holding.items() if slots]
            yield context.finding(
                "FLOW219",
                path,
                f"`{task}` and the service `{names[0]}`, which runs beside it, want {together} of {there_are} slots of"
                f" `{pool}` and can never run together",
                help=_more_slots(context.flow, pool, together),
                labels=tuple(_holds(context, graph, name, pool) for name in names),
            )


def _holds(context: FlowContext, graph: FlowGraph, service: str, pool: str) -> Label:
    place = context.places.place(_pool_path(graph, service, graph.tasks[service], pool))
    return Label(place, f"`{service}` holds its slots while it runs")


def _pool_path(graph: FlowGraph, task: str, spec: TaskSpec, pool: str) -> Path:
    path = (*graph.prefix, task)
    if isinstance(spec.pool, str):
        return (*path, "pool")
    return (*path, "pool", pool) if spec.pool and pool in spec.pool else (*path, "use")


def _more_slots(flow: FlowSpec, pool: str, count: int) -> str:
    if pool in flow.pools:
        return f"give `{pool}` at least {count} slots, or ask for fewer"
    return f"declare it: `pools: {{{pool}: {{slots: {count}}}}}`"


def undeclared_pool(context: FlowContext) -> Iterator[Diagnostic]:
    """Every pool that is used is declared, here or by a sub-flow; told once for each pool."""
    declared = _declared_pools(context)
    told: set[str] = set()
    for pool, path, is_key in _used_pools(context):
        if pool not in declared and pool not in told:
            told.add(pool)
            near = nearest(pool, declared) if len(told) <= MOST_HINTS else None
            yield context.finding(
                "FLOW226",
                path,
                f"no file declares the pool `{pool}`, so it has one slot",
                key=is_key,
                help=f"did you mean `{near}`?" if near else f"declare it: `pools: {{{pool}: {{slots: 1}}}}`",
            )


def _declared_pools(context: FlowContext) -> dict[str, None]:
    pools = dict.fromkeys(context.flow.pools)
    for child in context.children.values():
        pools |= dict.fromkeys(child.flow.pools if child is not None else ())
    return pools


def _used_pools(context: FlowContext) -> Iterator[tuple[str, Path, bool]]:
    """Every pool that is named, with the path of its name, and whether that is the key there."""
    for graph in context.graphs:
        for task, spec in graph.having("pool"):
            if spec.pool is not None:
                for pool in [spec.pool] if isinstance(spec.pool, str) else spec.pool:
                    yield pool, _pool_path(graph, task, spec, pool), not isinstance(spec.pool, str)
    for name, connector in context.flow.connectors.items():
        if connector.pool is not None:
            yield connector.pool, ("connectors", name, "pool"), False


def too_many_tasks(context: FlowContext) -> Iterator[Diagnostic]:
    """A flow has no more tasks than `limits.tasks`."""
    count, limit = len(context.flow.tasks), context.flow.limits.tasks
    if count > limit:
        yield context.finding(
            "FLOW270",
            ("tasks",),
            f"{count} tasks, limit {limit}",
            key=True,
            help="put parts of it into flows of their own, or raise `limits.tasks`",
        )


RULES: tuple[Rule, ...] = (more_slots_than_there_are, undeclared_pool, too_many_tasks)
