"""What a picture of a plan shows, before any format: nodes, links, groups and, of a run, states.

A fan-out is one node with counts, however many items it has. Texts are as the author wrote them: each format cleans and
escapes them in its own way.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from enum import StrEnum

from msgspec import Struct

from engine.drawing.facts import arm_labels, notes_of, size_of
from engine.plan import BranchAction, EdgeKind, FlowAction, Plan, PlanTask, SwitchAction
from engine.states import TaskState
from specs.quantities import format_duration

EXPANDED_NODES = 2_000
"""Sub-flows are opened while the drawing has fewer nodes than this; the rest stay closed and say so."""


class NodeState(Struct, frozen=True):
    """Where a task of a run stands. `counts` of a fan-out has `total`, `succeeded`, `failed` (`LANGUAGE.md` 7)."""

    state: TaskState
    counts: Mapping[str, int] | None = None
    duration_s: float | None = None
    attempts: int = 1
    round: int = 1


class Shape(StrEnum):
    """What sort of node it is; each has an outline of its own."""

    TASK = "task"
    CHOICE = "choice"  # a branch or a switch
    PAUSE = "pause"  # an approval or a wait
    FLOW = "flow"
    SERVICE = "service"


class LinkKind(StrEnum):
    """What a link means; the first five are the edges of `engine.plan.EdgeKind`."""

    AFTER = "after"
    AFTER_START = "after_start"
    AFTER_END = "after_end"
    AFTER_FAILURE = "after_failure"
    ARM = "arm"
    BEFORE_COMPLETE = "before_complete"
    RETRY_UPSTREAM = "retry_upstream"
    UNDO = "undo"
    CHILD = "child"


class Node(Struct, frozen=True):
    """A task. `size` is how many instances a fan-out has (`12`, `≤12` before a filter, `n`), `None` without one."""

    id: str
    title: str
    kind: str
    shape: Shape
    size: str | None = None
    notes: tuple[str, ...] = ()
    state: NodeState | None = None


class Link(Struct, frozen=True):
    """From what is waited for to what waits. `label` says what an unlabelled arrow would not; `limit` is how long the
    wait may take and what happens then."""

    source: str
    target: str
    kind: LinkKind
    label: str | None = None
    limit: str | None = None

    @property
    def text(self) -> str:
        """Everything to write beside the arrow; empty for a plain one."""
        return ", ".join(part for part in (self.label, self.limit) if part)


class Group(Struct, frozen=True):
    """Nodes drawn in a frame: hooks of one kind, undo tasks, an opened sub-flow (in the frame `parent`, if any)."""

    id: str
    title: str
    nodes: tuple[str, ...]
    parent: str | None = None


class Drawing(Struct, frozen=True):
    """A picture of a plan. `waves` are ids of the flow's own tasks by the earliest wave they can start in."""

    flow: str
    nodes: tuple[Node, ...]
    links: tuple[Link, ...]
    groups: tuple[Group, ...]
    waves: tuple[tuple[str, ...], ...]


def draw(plan: Plan, states: Mapping[str, NodeState] | None = None, *, expand_children: bool = False) -> Drawing:
    """The picture of `plan`, with states where `states` has them by id.

    With `expand_children` sub-flows are drawn in frames; ids in them are `TASK/CHILD`, also in `states`.
    """
    known = states or {}
    nodes = [_node(task, id_, known) for id_, task in plan.tasks.items()]
    links = [link for task in plan.tasks.values() for link in _links(plan, task, prefix="")]
    groups = list(_own_groups(plan))
    if expand_children:
        _expand(plan, known, nodes, links, groups)
    return Drawing(plan.name, tuple(nodes), tuple(links), tuple(groups), plan.waves)


def nested(groups: Sequence[Group]) -> Iterator[tuple[int, Group] | None]:
    """Each group with its number as it opens, and `None` as it closes, inner ones within outer ones."""
    inner: dict[str | None, list[tuple[int, Group]]] = {}
    for number, group in enumerate(groups):
        inner.setdefault(group.parent, []).append((number, group))
    waiting: list[tuple[int, Group] | None] = list(reversed(inner.get(None, [])))
    while waiting:
        entry = waiting.pop()
        yield entry
        if entry is not None:
            waiting.append(None)
            waiting.extend(reversed(inner.get(entry[1].id, [])))


# --- nodes ------------------------------------------------------------------------------------------------------------


def _node(task: PlanTask, id_: str, states: Mapping[str, NodeState]) -> Node:
    return Node(
        id=id_,
        title=_title(task.id),
        kind=task.kind,
        shape=_shape(task),
        size=size_of(task),
        notes=tuple(notes_of(task)),
        state=states.get(id_),
    )


def _title(id_: str) -> str:
    """Hooks and undo tasks stand in frames that say what they are."""
    if id_.startswith("hooks."):
        return id_.split(".", 2)[-1]
    return id_.removeprefix("undo.")


def _shape(task: PlanTask) -> Shape:
    if task.service:
        return Shape.SERVICE
    if isinstance(task.action, FlowAction):
        return Shape.FLOW
    if isinstance(task.action, BranchAction | SwitchAction):
        return Shape.CHOICE
    return Shape.PAUSE if task.kind in ("approval", "wait") else Shape.TASK


# --- links ------------------------------------------------------------------------------------------------------------


def _links(plan: Plan, task: PlanTask, *, prefix: str) -> Iterator[Link]:
    target = prefix + task.id
    drawn = set()
    for edge in task.edges:
        if edge.kind is EdgeKind.ARM and edge.upstream in drawn:
            continue  # several arms of one branch may name the task; the label names them all
        if edge.kind is EdgeKind.ARM:
            drawn.add(edge.upstream)
        label = _edge_label(plan, task, edge.kind, edge.upstream)
        limit = None
        if edge.timeout is not None:
            limit = f"within {format_duration(edge.timeout)}, else {edge.on_timeout}"
        yield Link(prefix + edge.upstream, target, LinkKind(edge.kind.value), label, limit)
    for held in task.before_complete:
        yield Link(target, prefix + held, LinkKind.BEFORE_COMPLETE, "before complete")
    if task.retry_upstream is not None:
        rounds = task.retry_upstream.rounds
        for asked in task.retry_upstream.tasks:
            text = f"again, at most {rounds} time{'s' if rounds > 1 else ''}"
            yield Link(target, prefix + asked, LinkKind.RETRY_UPSTREAM, text)
    if task.undo is not None and not prefix:
        yield Link(target, task.undo, LinkKind.UNDO, "undo")


def _edge_label(plan: Plan, task: PlanTask, kind: EdgeKind, upstream: str) -> str | None:
    match kind:
        case EdgeKind.AFTER:
            return None
        case EdgeKind.AFTER_START:
            return "started"
        case EdgeKind.AFTER_END:
            return "ended"
        case EdgeKind.AFTER_FAILURE:
            return "failed, recovers" if task.recovers else "failed"
        case EdgeKind.ARM:
            return " or ".join(arm_labels(plan.tasks[upstream], task.id)) or None


# --- groups -----------------------------------------------------------------------------------------------------------


def _own_groups(plan: Plan) -> Iterator[Group]:
    for kind, ids in plan.hooks.items():
        if ids:
            yield Group(f"hooks.{kind}", _HOOK_TITLES.get(kind, f"hooks: {kind}"), ids)
    undo = tuple(task.undo for task in plan.tasks.values() if task.undo is not None)
    if undo:
        yield Group("undo", "undo, when the run has failed", undo)


_HOOK_TITLES = {
    "start": "hooks before the first task",
    "success": "hooks after success",
    "failure": "hooks after failure",
    "cancelled": "hooks after a cancel",
    "complete": "hooks at the end",
}


def _expand(
    plan: Plan, states: Mapping[str, NodeState], nodes: list[Node], links: list[Link], groups: list[Group]
) -> None:
    """Open sub-flows level by level, so that a drawing too large for all of them shows the outer ones."""
    waiting = deque(_children(plan, plan.main, prefix="", parent=None))
    while waiting:
        task_id, called, child, parent = waiting.popleft()
        inside = f"{task_id}/"
        if len(nodes) + len(child.main) > EXPANDED_NODES:
            groups.append(Group(task_id, f"{task_id}: {called}, {len(child.main)} tasks not drawn", (), parent))
            continue
        tasks = [child.tasks[id_] for id_ in child.main]
        nodes.extend(_node(task, inside + task.id, states) for task in tasks)
        links.extend(link for task in tasks for link in _links(child, task, prefix=inside))
        entries = (task for task in tasks if not task.edges)
        links.extend(Link(task_id, inside + task.id, LinkKind.CHILD) for task in entries)
        groups.append(Group(task_id, f"{task_id}: {called}", tuple(inside + id_ for id_ in child.main), parent))
        waiting.extend(_children(child, child.main, prefix=inside, parent=task_id))


def _children(
    plan: Plan, ids: Iterable[str], *, prefix: str, parent: str | None
) -> Iterator[tuple[str, str, Plan, str | None]]:
    for id_ in ids:
        action = plan.tasks[id_].action
        if isinstance(action, FlowAction) and action.flow in plan.children:
            yield prefix + id_, action.flow, plan.children[action.flow], parent
