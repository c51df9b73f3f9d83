"""The order of keys at the top of a flow and in its tasks, and the one name of an edge.

At the top it is the order of the reference. A task reads in the order in which things happen: what it is, when it runs,
over what, with what, the action, how long and how often it is tried, what comes of it, and what follows when it failed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from specs.formatting.tree import Alias, Collection, Entry, Node, Scalar
from specs.model.task import ACTIONS

FLOW_KEYS = (
    "version", "name", "description", "labels", "include", "x-", "params", "env", "host_env", "secrets", "triggers",
    "concurrency", "pools", "priority", "dedup", "hours", "notify", "sla", "timeout", "when_failed", "limits", "connectors",
    "defaults", "templates", "tasks", "hooks", "outputs",
)  # fmt: skip
"""Keys at the top of a flow in their order; `x-` stands for all that begin with it."""

TASK_KEYS = (
    "description", "labels", "extends",
    "after", "after_complete", "after_start", "after_end", "after_failure", "before_complete", "join", "if", "recovers",
    "fan_out", "repeat",
    "priority", "pool", "lock", "worker", "resources", "preemptible", "service", "workdir", "shell", "env",
    *ACTIONS, "with",
    "success_codes", "ready", "health", "timeout", "deadline", "queue_timeout", "grace", "retry",
    "outputs", "artifacts",
    "retry_upstream", "allow_failure", "undo", "dead_letter",
)  # fmt: skip
"""Keys of a task in their order."""


def maps_of_tasks(root: Collection) -> Iterator[Collection]:
    """The maps whose values are tasks or parts of tasks: `tasks`, `templates` and each kind of hook."""
    hooks = root.get("hooks")
    groups = [entry.value for entry in hooks.entries] if isinstance(hooks, Collection) else []
    for node in (root.get("tasks"), root.get("templates"), *groups):
        if isinstance(node, Collection) and node.is_map:
            yield node


def bring_in_order(root: Collection) -> None:
    """Sort the keys of a flow and of its tasks, and write `after` for `after_complete`, in place."""
    tasks = [entry.value for group in maps_of_tasks(root) for entry in group.entries]
    for task in (*tasks, root.get("defaults")):
        if isinstance(task, Collection) and task.is_map:
            _rename_edges(task)
            _sort(task, {key: rank for rank, key in enumerate(TASK_KEYS)})
    _sort(root, {key: rank for rank, key in enumerate(FLOW_KEYS)})


def _rename_edges(task: Collection) -> None:
    if task.get("after") is not None:
        return
    for entry in task.entries:
        if isinstance(entry.key, Scalar) and entry.key.value == "after_complete":
            entry.key = Scalar("after", "", "after", entry.key.anchor)


def _sort(node: Collection, ranks: Mapping[str, int]) -> None:
    """Sort by rank, keys without one last; not where an alias would come before its anchor or change what it names."""
    ordered = sorted(node.entries, key=lambda entry: _rank(entry, ranks))
    if _marks(ordered) == _marks(node.entries):
        node.entries = ordered


def _rank(entry: Entry, ranks: Mapping[str, int]) -> int:
    key = entry.key.value if isinstance(entry.key, Scalar) else ""
    return ranks.get("x-" if key.startswith("x-") else key, len(ranks))


def _marks(entries: Sequence[Entry]) -> list[str]:
    """Anchors and aliases in the order of the text."""
    found: list[str] = []
    pending: list[Node] = list(chain.from_iterable(_nodes(entry) for entry in reversed(entries)))
    while pending:
        node = pending.pop()
        if isinstance(node, Alias):
            found.append(f"*{node.name}")
            continue
        if node.anchor is not None:
            found.append(f"&{node.anchor}")
        if isinstance(node, Collection):
            pending.extend(chain.from_iterable(_nodes(entry) for entry in reversed(node.entries)))
    return found


def _nodes(entry: Entry) -> tuple[Node, ...]:
    """Value and key, in the order that a stack gives them back in that of the text."""
    return (entry.value,) if entry.key is None else (entry.value, entry.key)
