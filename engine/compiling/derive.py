"""What follows from the graph of a flow and is needed at every turn of a run: who follows whom, whose state decides what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from engine.plan import EdgeKind, PlanTask


def downstream_of(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    """For each task, the tasks with an edge from it, each once, in file order."""
    found: dict[str, dict[str, None]] = {name: {} for name in tasks}
    for task in tasks.values():
        for edge in task.edges:
            found[edge.upstream][task.id] = None
    return {name: tuple(followers) for name, followers in found.items()}


def recoverers_of(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    """For each task that has any, the recovering handlers that name it in `after_failure`."""
    found: dict[str, list[str]] = {}
    for task in tasks.values():
        for edge in task.edges if task.recovers else ():
            if edge.kind is EdgeKind.AFTER_FAILURE:
                found.setdefault(edge.upstream, []).append(task.id)
    return {name: tuple(handlers) for name, handlers in found.items()}


def affected_by(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[tuple[str, int], ...]]:
    """For each task that has any, its outgoing edges as (task, edge index) pairs, in file order."""
    found: dict[str, list[tuple[str, int]]] = {}
    for task in tasks.values():
        for index, edge in enumerate(task.edges):
            found.setdefault(edge.upstream, []).append((task.id, index))
    return {name: tuple(pairs) for name, pairs in found.items()}


def holders_of(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    """For each task x that has any, the tasks that name x in `before_complete`."""
    found: dict[str, list[str]] = {}
    for task in tasks.values():
        for held in task.before_complete:
            found.setdefault(held, []).append(task.id)
    return {name: tuple(holders) for name, holders in found.items()}


def service_users_of(
    tasks: Mapping[str, PlanTask], holders: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """For each service, the tasks that wait for its start and those that hold its end back."""
    found: dict[str, dict[str, None]] = {
        task.id: dict.fromkeys(holders.get(task.id, ())) for task in tasks.values() if task.service
    }
    for task in tasks.values() if found else ():
        for edge in task.edges:
            if edge.kind is EdgeKind.AFTER_START and edge.upstream in found:
                found[edge.upstream][task.id] = None
    return {name: tuple(users) for name, users in found.items()}


def waves_of(tasks: Mapping[str, PlanTask], names: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """The tasks by the earliest wave they can start in: one later than the latest of those their edges name."""
    wanted = list(names)
    left = {name: len(tasks[name].edges) for name in wanted}
    followers: dict[str, list[str]] = {name: [] for name in wanted}
    for name in wanted:
        for edge in tasks[name].edges:
            followers[edge.upstream].append(name)
    ready = [name for name in wanted if not left[name]]
    depth = dict.fromkeys(ready, 0)
    for name in ready:  # goes wave by wave, so that the last upstream task to be met is in the latest wave
        for follower in followers[name]:
            left[follower] -= 1
            if not left[follower]:
                depth[follower] = depth[name] + 1
                ready.append(follower)
    waves: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name in wanted:
        waves[depth[name]].append(name)
    return tuple(tuple(wave) for wave in waves)


def inherited_priorities(
    own: Mapping[str, int], downstream: Mapping[str, tuple[str, ...]], order: Iterable[str]
) -> dict[str, int]:
    """The class of each task: the most urgent of its own and its descendants'. `order` is topological."""
    found = dict(own)
    for name in reversed(list(order)):
        for follower in downstream.get(name, ()):
            if follower in found:
                found[name] = min(found[name], found[follower])
    return found
