"""The graph of one map of tasks, as it is written: who names whom, where, and what has to come before what.

Every task has a *start* and an *end* vertex (`LANGUAGE.md` 5). Pure and cheap: the rules use it to check a flow, the
compiler to find reset sets. Edges to tasks that do not exist, and from a task to itself, are kept apart; the rest of
the graph is built as if they were not there, so that one mistake is reported once.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

from specs.model.flow import FlowSpec, HooksSpec
from specs.model.parts import EdgeSpec
from specs.model.task import EDGE_KEYS, TaskSpec

Path: TypeAlias = tuple[str | int | float | bool, ...]
Kind = Literal["after", "after_start", "after_end", "after_failure", "before_complete", "arm", "recovery"]

_KINDS: Mapping[str, Kind] = {
    "after": "after",
    "after_complete": "after",
    "after_start": "after_start",
    "after_end": "after_end",
    "after_failure": "after_failure",
    "before_complete": "before_complete",
}
_KEYS = frozenset(EDGE_KEYS)
_ARMED = frozenset({"branch", "switch"})


class Link(NamedTuple):
    """`task` is tied to `upstream`; the text that says so stands at `path` and is the id `named`.

    With `before_complete` the task that writes it is `task` and the one held back is `upstream`. A `recovery` is the
    hidden edge from a recovering handler (`upstream`) to a task that waits for what it handles.
    """

    kind: Kind
    upstream: str
    task: str
    path: Path

    @property
    def named(self) -> str:
        """The id that is written at `path`."""
        return self.task if self.kind == "arm" else self.upstream

    @property
    def writer(self) -> str:
        """The task in which `path` lies."""
        return self.upstream if self.kind == "arm" else self.task


class FlowGraph:
    """The graph of one map of tasks.

    Attributes:
        prefix: path of the map: `("tasks",)` or `("hooks", kind)`.
        tasks: the tasks by id, in file order.
        links: every edge between two tasks that exist, in file order.
        unknown: edges that name a task that does not exist.
        own: edges of a task to itself.
        handlers: by task, the tasks with `recovers` that name it in `after_failure`.
        successors: by vertex, the vertices that come after it; without hidden edges.
    """

    def __init__(self, tasks: Mapping[str, TaskSpec], prefix: Path = ("tasks",)) -> None:
        self.prefix = prefix
        self.tasks = tasks
        self.positions = {task: position for position, task in enumerate(tasks)}
        self.ids = tuple(tasks)
        self.links: list[Link] = []
        self.unknown: list[Link] = []
        self.own: list[Link] = []
        self.handlers: dict[str, list[str]] = {}
        for link in written_links(tasks, prefix):
            if link.upstream not in tasks or link.task not in tasks:
                self.unknown.append(link)
            elif link.upstream == link.task:
                self.own.append(link)
            else:
                self.links.append(link)
                if link.kind == "after_failure" and tasks[link.task].recovers:
                    self.handlers.setdefault(link.upstream, []).append(link.task)
        self.successors = self._vertices()

    @cached_property
    def incoming(self) -> Mapping[str, list[Link]]:
        """By task, the links that decide it: arms, and all kinds but `before_complete`."""
        incoming: dict[str, list[Link]] = {task: [] for task in self.tasks}
        for link in self.links:
            if link.kind != "before_complete":
                incoming[link.task].append(link)
        return incoming

    @cached_property
    def outgoing(self) -> Mapping[str, list[Link]]:
        """By task, the links whose `upstream` it is, `before_complete` excepted."""
        outgoing: dict[str, list[Link]] = {task: [] for task in self.tasks}
        for link in self.links:
            if link.kind != "before_complete":
                outgoing[link.upstream].append(link)
        return outgoing

    def _vertices(self) -> list[list[int]]:
        successors: list[list[int]] = []
        positions = self.positions
        for position in range(len(self.ids)):
            successors += ([2 * position + 1], [])
        for link in self.links:
            if link.kind == "after":
                successors[2 * positions[link.upstream] + 1].append(2 * positions[link.task])
                continue
            for before, later in self.vertex_edges(link):
                successors[before].append(later)
        return successors

    @cached_property
    def misnamed(self) -> frozenset[str]:
        """Tasks with an edge to a task that does not exist, and those behind them: what is upstream of them is not known."""
        seen = {link.task for link in self.unknown if link.task in self.tasks}
        waiting = list(seen)
        while waiting:
            for link in self.outgoing[waiting.pop()]:
                if link.task not in seen:
                    seen.add(link.task)
                    waiting.append(link.task)
        return frozenset(seen)

    @cached_property
    def predecessors(self) -> list[list[int]]:
        """By vertex, the vertices that come before it."""
        predecessors: list[list[int]] = [[] for _ in self.successors]
        for vertex, row in enumerate(self.successors):
            for later in row:
                predecessors[later].append(vertex)
        return predecessors

    def vertex_edges(self, link: Link) -> tuple[tuple[int, int], ...]:
        """The edges between vertices that a link stands for; the start of task `i` is vertex `2i`, its end `2i + 1`."""
        kind = link.kind
        upstream, task = 2 * self.positions[link.upstream], 2 * self.positions[link.task]
        if kind == "after_start":
            started = (upstream, task)
            return (started, (task + 1, upstream + 1)) if self.tasks[link.upstream].service else (started,)
        if kind == "before_complete":
            return ((task + 1, upstream + 1),)
        return ((upstream + 1, task),)

    @cached_property
    def _having(self) -> Mapping[str, list[str]]:
        having: dict[str, list[str]] = defaultdict(list)
        for task, spec in self.tasks.items():
            for key in spec.model_fields_set:
                having[key].append(task)
        return having

    def having(self, *keys: str) -> Iterator[tuple[str, TaskSpec]]:
        """The tasks for which one of `keys` (fields of the model) is given, in file order: most keys stand on few."""
        if len(keys) == 1:
            names = self._having.get(keys[0], [])
        else:
            names = sorted({name for key in keys for name in self._having.get(key, ())}, key=self.positions.__getitem__)
        for name in names:
            yield name, self.tasks[name]

    def edges_of(self, task: str) -> list[Link]:
        """The links that `join` counts, each (kind, upstream) once: no arms, no `before_complete`."""
        seen: dict[tuple[str, str], Link] = {}
        for link in self.incoming[task]:
            if link.kind != "arm":
                seen.setdefault((link.kind, link.upstream), link)
        return list(seen.values())

    def arms_of(self, task: str) -> list[Link]:
        """The arms that name `task`."""
        return [link for link in self.incoming[task] if link.kind == "arm"]

    def is_upstream(self, task: str, of: str) -> bool:
        """Whether `task` comes before `of` over end and start edges; `before_complete` does not count."""
        return task in self.upstream_of(of, until=frozenset({task}))

    def upstream_of(self, task: str, *, until: frozenset[str] = frozenset()) -> set[str]:
        """Every task that comes before `task` over end and start edges; the search may stop once all of `until` are
        found. `task` itself is among them only on a cycle."""
        found: set[str] = set()
        missing = set(until)
        waiting = deque([task])
        while waiting:
            for link in self.incoming[waiting.popleft()]:
                if link.upstream not in found:
                    found.add(link.upstream)
                    waiting.append(link.upstream)
                    missing.discard(link.upstream)
                    if until and not missing:
                        return found
        return found

    def topological(self) -> tuple[str, ...]:
        """The tasks, each after what decides it; those on or behind a cycle are left out."""
        missing = {task: len(links) for task, links in self.incoming.items()}
        ready = deque(task for task, count in missing.items() if count == 0)
        order: list[str] = []
        while ready:
            task = ready.popleft()
            order.append(task)
            for link in self.outgoing[task]:
                missing[link.task] -= 1
                if missing[link.task] == 0:
                    ready.append(link.task)
        return tuple(order)

    def arm_count(self, branch: str) -> int:
        """How many arms a `branch` or `switch` task has, `else` and `default` included."""
        task = self.tasks[branch]
        if task.branch is not None:
            return len(task.branch)
        return 0 if task.switch is None else len(task.switch.cases) + (task.switch.default is not None)

    def always_takes_an_arm(self, branch: str) -> bool:
        """Whether the task, when it succeeds, has taken one of its arms: it ends in `else`, or it is a `switch`."""
        task = self.tasks[branch]
        if task.branch is not None:
            return bool(task.branch) and task.branch[-1].otherwise is not None
        return task.switch is not None


def arm_key(link: Link, graph: FlowGraph) -> Path:
    """Which arm of its branch an `arm` link belongs to, as a path below the branch."""
    below = link.path[len(graph.prefix) + 1 :]
    if below[0] == "switch":
        return below[1:3] if below[1] == "cases" else below[1:2]
    return below[1:2]


def written_links(tasks: Mapping[str, TaskSpec], prefix: Path) -> Iterator[Link]:
    """Every edge and arm as written, in file order, whether or not what it names exists."""
    for task, spec in tasks.items():
        written = spec.model_fields_set
        here = (*prefix, task)
        if not written.isdisjoint(_KEYS):
            for key in EDGE_KEYS:
                if key in written:
                    kind = _KINDS[key]
                    entries: list[EdgeSpec] = getattr(spec, key)
                    for index, edge in enumerate(entries):
                        yield Link(kind, edge.task, task, (*here, key, index, "task"))
        if not written.isdisjoint(_ARMED):
            for below, armed in spec.arms():
                yield Link("arm", task, armed, (*here, *below))


def graphs_of(flow: FlowSpec) -> tuple[FlowGraph, ...]:
    """The graph of the flow's own tasks, then one for each kind of hook that has tasks."""
    hooks = ((("hooks", kind), getattr(flow.hooks, kind)) for kind in HooksSpec.model_fields)
    return FlowGraph(flow.tasks), *(FlowGraph(tasks, prefix) for prefix, tasks in hooks if tasks)


def reset_members(
    graph: FlowGraph, tasks: Iterable[str], asking: str, scope: Literal["between", "descendants"]
) -> tuple[str, ...]:
    """The tasks that run again when `asking` asks `tasks` to, itself included, in file order (`LANGUAGE.md` 9).

    They are all tasks with a vertex on a path from the start of a named task to the end of the asking one, and with
    `descendants` every task that can be reached from such a start; then, as often as it adds any, the recovering
    handlers of members and the tasks waiting on the start of a member that is a service. Ids that do not exist are left
    out.
    """
    named = [task for task in tasks if task in graph.positions]
    reached = _reach(graph.successors, [2 * graph.positions[task] for task in named])
    if scope == "between":
        reached &= _reach(graph.predecessors, [2 * graph.positions[asking] + 1])
    members = {graph.ids[vertex // 2] for vertex in reached} | {asking, *named}
    waiting = deque(members)
    while waiting:
        member = waiting.popleft()
        joining = set(graph.handlers.get(member, ()))
        if graph.tasks[member].service:
            joining |= {link.task for link in graph.outgoing[member] if link.kind == "after_start"}
        waiting.extend(joining - members)
        members |= joining
    return tuple(sorted(members, key=graph.positions.__getitem__))


def _reach(successors: Sequence[Sequence[int]], start: Iterable[int]) -> set[int]:
    found = set(start)
    waiting = deque(found)
    while waiting:
        for later in successors[waiting.popleft()]:
            if later not in found:
                found.add(later)
                waiting.append(later)
    return found
