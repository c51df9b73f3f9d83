"""What has happened for sure when a task runs: which tasks have ended, which of them have succeeded.

One integer for each task is a set of bits, made in topological order, so that 10,000 tasks take milliseconds. The rules of
`LANGUAGE.md` 5 are read backwards: a task runs only if these edges were met, an edge is met only if that task succeeded,
which itself ran only if ... An edge from a task that may be skipped tells nothing, unless what is known already says that
it was not.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import reduce
from itertools import islice
from operator import and_

from msgspec import Struct

from specs.expressions.guards import ENDS, Facts, ends_left, tasks_known
from specs.graph import FlowGraph, Link, arm_key
from specs.model.task import TaskSpec

MOST_BEHIND = 100
"""Tasks that wait for a task which are asked what its end was."""


class Guards(Struct, frozen=True):
    """What conditions make sure of: `of_task` for a task that runs, `of_arm` for the tasks of an arm that is taken."""

    of_task: Callable[[str], Facts]
    of_arm: Callable[[Link], Facts]


class Reach:
    """What is known of the tasks of one graph.

    Attributes:
        ended: by task, the tasks that are final before it starts, as bits of their positions.
        started: by task, those that have at least started.
        before_condition: by task, facts when its edges let it run; for its `if`.
        known: by task, facts when it runs.
        unordered: tasks on a cycle or behind one, of which nothing is said.
    """

    def __init__(self, graph: FlowGraph, guards: Guards) -> None:
        self.graph = graph
        self.ended: dict[str, int] = {}
        self.started: dict[str, int] = {}
        self.before_condition: dict[str, int] = {}
        self.known: dict[str, int] = {}
        self._guards = guards
        self._bits = _Bits(graph)
        self._presence: dict[str, int] = {}
        self._by_upstream: dict[str, Mapping[str, Sequence[Link]]] = {}
        for task in graph.topological():
            incoming = graph.incoming[task]
            if any(link.upstream not in self.known for link in incoming):
                continue
            self._reach(task, incoming)
            self._learn(task)
        self.unordered = frozenset(task for task in graph.tasks if task not in self.known)

    # --- questions ----------------------------------------------------------------------------------------------------

    def has_ended(self, task: str, before: str) -> bool:
        """Whether `task` is always final when `before` starts."""
        return bool(self.ended[before] >> self.graph.positions[task] & 1)

    def has_started(self, task: str, before: str) -> bool:
        """Whether `task` has at least started, or never will, when `before` starts."""
        return bool(self.started[before] >> self.graph.positions[task] & 1)

    def succeeded(self, task: str, facts: int) -> bool:
        """Whether these facts say that `task` has succeeded."""
        return bool(facts >> self.graph.positions[task] & 1)

    def failed(self, task: str, facts: int) -> bool:
        """Whether these facts say that `task` has failed."""
        return bool(facts & self._bits.failed.get(task, 0))

    def ran(self, task: str, facts: int) -> bool:
        """Whether these facts say that `task` has run, however it ended."""
        return self.succeeded(task, facts) or bool(facts & self._bits.ran.get(task, 0))

    def with_facts(self, facts: int, more: Facts, *, reader: str = "", run_succeeded: bool = False) -> int:
        """`facts` and what follows from `more`: for the task `reader`, whose edges say how those before it can have ended,
        or for what is looked at after the run has succeeded."""
        told = facts
        for name in tasks_known(more):
            if name in self.known:
                left = ends_left(more, name)
                ends = left & self._ends(name, facts, reader=reader, run_succeeded=run_succeeded)
                told |= self._told_by(name, ends or left)  # taken at its word where it can never be
        return told

    def _told_by(self, task: str, ends: frozenset[str]) -> int:
        """What is known when a task has ended in one of these ways."""
        if not ends or not ends <= {"succeeded", "failed"}:
            return 0
        ran = self.known[task] | self._bits.ran.get(task, 0)
        if len(ends) == 2:
            return ran
        return ran | (self._bits.succeeded(task) if "succeeded" in ends else self._bits.failure(task))

    def _ends(self, task: str, facts: int, *, reader: str, run_succeeded: bool) -> frozenset[str]:
        """How a task can have ended at all."""
        if self.succeeded(task, facts):
            return frozenset({"succeeded"})
        if self.failed(task, facts):
            return frozenset({"failed"})
        is_good = run_succeeded or any(map(self._wants_a_good_end, self._edges_by_upstream(reader).get(task, ())))
        if not is_good:  # what has run is as sure of it
            behind = islice(self.graph.outgoing[task], MOST_BEHIND)
            is_good = any(self.ran(link.task, facts) and self._wants_a_good_end(link) for link in behind)
        ends = self._good_ends(task) if is_good else ENDS
        return ends if self._presence[task] & ~facts else ends - {"skipped"}

    def _wants_a_good_end(self, link: Link) -> bool:
        """Whether the task of this edge runs only if what it waits for has succeeded, or need not have."""
        spec = self.graph.tasks[link.task]
        return link.kind == "after" and spec.join in ("all", "strict") and _on_timeout(spec, link) != "run"

    def _good_ends(self, task: str) -> frozenset[str]:
        """The ends of a task that keep no other from running, nor the run from succeeding."""
        may_fail = self.graph.tasks[task].allow_failure or self.graph.handlers.get(task)
        return frozenset({"succeeded", "skipped", "failed"} if may_fail else {"succeeded", "skipped"})

    def _edges_by_upstream(self, task: str) -> Mapping[str, Sequence[Link]]:
        if task not in self._by_upstream:
            found: defaultdict[str, list[Link]] = defaultdict(list)
            for link in self.graph.edges_of(task) if task in self.graph.tasks else ():
                found[link.upstream].append(link)
            self._by_upstream[task] = found
        return self._by_upstream[task]

    def after_success(self) -> int:
        """Facts when the run has succeeded: no task failed that is not allowed to or made good by a handler."""
        facts = 0
        for task in self.graph.topological():
            if task in self.known and not self._presence[task] & ~facts:
                facts |= self.known[task] | self._bits.ran.get(task, 0)
                if not self.graph.tasks[task].allow_failure and not self.graph.handlers.get(task):
                    facts |= self._bits.succeeded(task)
        return facts

    # --- upstream -----------------------------------------------------------------------------------------------------

    def _reach(self, task: str, incoming: Sequence[Link]) -> None:
        ended = started = 0
        for link in incoming:
            bit = self._bits.succeeded(link.upstream)
            ended |= self.ended[link.upstream] if link.kind == "after_start" else self.ended[link.upstream] | bit
            started |= self.started[link.upstream] | bit
        self.ended[task] = ended
        self.started[task] = ended if started == ended else started  # one object where they are the same

    # --- facts --------------------------------------------------------------------------------------------------------

    def _learn(self, task: str) -> None:
        spec = self.graph.tasks[task]
        edges, arms = self.graph.edges_of(task), self.graph.arms_of(task)
        facts = _all_of(self._taken(link) for link in arms)
        facts |= self._from_edges(spec, edges, facts)
        self.before_condition[task] = facts
        self.known[task] = self._guarded(task, edges, facts | self._bits.ran.get(task, 0))
        self._presence[task] = self._needed(task, spec, edges, arms)

    def _guarded(self, task: str, edges: Sequence[Link], facts: int) -> int:
        """Facts when the `if` of a task lets it run: what it tells may tell more of the edges."""
        guards = self._guards.of_task(task)
        if not guards:
            return facts
        told = self.with_facts(facts, guards, reader=task)
        if any(link.kind == "after" and self.failed(link.upstream, told & ~facts) for link in edges):
            return told  # the edges may contradict it, and then what they tell is of no use
        return self._from_edges(self.graph.tasks[task], edges, told)

    def _from_edges(self, spec: TaskSpec, edges: Sequence[Link], facts: int) -> int:
        """What the edges tell of a task that runs."""
        met = {link: self._met(spec, link) for link in edges}
        if spec.join == "strict" or (isinstance(spec.join, int) and spec.join >= len(edges)):
            return facts | _any_of(met.values())
        if spec.join != "all":
            return facts | _all_of(met.values())
        failures = [link for link in edges if link.kind == "after_failure"]
        others = [link for link in edges if link.kind != "after_failure"]
        # at least one edge of this group was met; the others of it may be off
        facts |= _all_of(met[link] for link in failures or others)
        for _ in range(2):  # the presence of one task may show in what another edge tells
            for link in others:
                if self._is_sure(spec, link, facts):
                    facts |= met[link]
        return facts

    def _met(self, spec: TaskSpec, link: Link) -> int:
        """What is known when this edge has been met."""
        upstream = link.upstream
        if _on_timeout(spec, link) == "run" or link.kind == "after_end":
            return 0
        facts = self.known[upstream] | self._bits.ran.get(upstream, 0)
        if link.kind == "after" and not self.graph.tasks[upstream].allow_failure:
            facts |= self._bits.succeeded(upstream)
        if link.kind == "after_failure":
            facts |= self._bits.failed.get(upstream, 0)
        return facts

    def _is_sure(self, spec: TaskSpec, link: Link, facts: int) -> bool:
        """Whether this edge cannot be off when its task runs."""
        if _on_timeout(spec, link) == "run":
            return False
        return not self._presence_of_edge(link) & ~facts

    def _taken(self, link: Link) -> int:
        """What is known when this arm has been taken."""
        branch = link.upstream
        facts = self.known[branch] | self._bits.succeeded(branch) | self._bits.arms[branch, arm_key(link, self.graph)]
        return self.with_facts(facts, self._guards.of_arm(link), reader=branch)

    # --- presence -----------------------------------------------------------------------------------------------------

    def _presence_of_edge(self, link: Link) -> int:
        """Facts that together say that this edge is not off."""
        recovered = link.kind == "after" and bool(self.graph.handlers.get(link.upstream))
        return self._presence[link.upstream] | (self._bits.succeeded(link.upstream) if recovered else 0)

    def _needed(self, task: str, spec: TaskSpec, edges: Sequence[Link], arms: Sequence[Link]) -> int:
        """Facts that together say that a task is part of the run."""
        own = self._bits.ran.get(task, 0)
        if self._bits.has_own_reason(task):
            return own
        needed = 0
        if arms:
            keys: dict[str, set[object]] = {}
            for arm in arms:
                keys.setdefault(arm.upstream, set()).add(arm_key(arm, self.graph))
            whole = self._whole_branch(keys)
            needed = self._bits.gates[task] if whole is None else whole
        if not edges:
            return needed
        if spec.join in ("all", "any"):
            return needed | self._least(self._presences(edges))
        # strict, or a number: any that is missing may take this one with it
        return needed | (own if any(self._presence_of_edge(link) for link in edges) else 0)

    def _presences(self, edges: Sequence[Link]) -> list[int]:
        """For each edge, facts that say that not all of `edges` are off. Where the handlers of a task, theirs, and so on
        are waited for with it, it is enough that the task is part of the run: one of them has then succeeded."""
        ends = {link.upstream for link in edges if link.kind in ("after", "after_end")}
        handlers = self.graph.handlers
        missing = [task for task in ends if not ends.issuperset(handlers.get(task, ()))]
        apart = set(missing)
        while missing:
            for link in self.graph.edges_of(missing.pop()):
                if link.kind == "after_failure" and link.upstream in ends and link.upstream not in apart:
                    apart.add(link.upstream)
                    missing.append(link.upstream)
        return [
            self._presence_of_edge(link) if link.upstream in apart else self._presence[link.upstream] for link in edges
        ]

    def _least(self, each: Sequence[int]) -> int:
        """One of these is enough: the smallest, or what a branch needs all of whose arms are among them."""
        best = min(each, key=lambda need: (need.bit_count(), need))
        if best == 0:
            return 0
        arms: dict[str, set[object]] = {}
        for need in each:
            for link in (
                self.graph.arms_of(self._bits.gate_owner.get(need, "")) if need in self._bits.gate_owner else ()
            ):
                arms.setdefault(link.upstream, set()).add(arm_key(link, self.graph))
        whole = self._whole_branch(arms)
        return best if whole is None else whole

    def _whole_branch(self, arms: Mapping[str, set[object]]) -> int | None:
        for branch, keys in arms.items():
            if self.graph.always_takes_an_arm(branch) and len(keys) == self.graph.arm_count(branch):
                return self._presence[branch]
        return None


class _Bits:
    """Which bit stands for which fact: success at a task's position, then the rarer ones where there is need of them."""

    def __init__(self, graph: FlowGraph) -> None:
        self.positions = graph.positions
        self.graph = graph
        self.ran: dict[str, int] = {}
        self.failed: dict[str, int] = {}
        self.gates: dict[str, int] = {}
        self.arms: dict[tuple[str, object], int] = {}
        following = len(graph.tasks)
        failing = {link.upstream for link in graph.links if link.kind == "after_failure"}
        for task, spec in graph.tasks.items():
            if (
                self.has_own_reason(task)
                or spec.fan_out is not None
                or not isinstance(spec.join, str)
                or spec.join == "strict"
            ):
                self.ran[task] = 1 << following
                following += 1
            if task in failing or spec.allow_failure:
                self.failed[task] = 1 << following
                following += 1
        for link in graph.links:
            if link.kind != "arm":
                continue
            if link.task not in self.gates:
                self.gates[link.task] = 1 << following
                following += 1
            key = (link.upstream, arm_key(link, graph))
            self.arms[key] = self.arms.get(key, 0) | self.gates[link.task]
        self.gate_owner = {bit: task for task, bit in self.gates.items()}
        self._following = following

    def succeeded(self, task: str) -> int:
        return 1 << self.positions[task]

    def failure(self, task: str) -> int:
        """The bit for the failure of a task, a new one where an expression is the first to ask for it."""
        if task not in self.failed:
            self.failed[task] = 1 << self._following
            self._following += 1
        return self.failed[task]

    def has_own_reason(self, task: str) -> bool:
        """Whether a task may be skipped for a reason that lies in itself."""
        spec = self.graph.tasks[task]
        return (
            (spec.condition is not None and spec.condition is not True)
            or bool(spec.after_failure)
            or (spec.fan_out is not None and spec.fan_out.on_empty == "skip")
            or any(edge.on_timeout == "skip" for _, _, edge in spec.edges())
        )


def _on_timeout(spec: TaskSpec, link: Link) -> str:
    """What happens when the wait for this edge takes too long; `fail` where it may take as long as it likes."""
    key, index = link.path[-3], link.path[-2]
    edge = getattr(spec, str(key))[index]
    return str(edge.on_timeout) if edge.timeout is not None else "fail"


def _all_of(each: Iterable[int]) -> int:
    """What all of these sets of facts have in common; nothing for none."""
    sets = list(each)
    return reduce(and_, sets) if sets else 0


def _any_of(each: Iterable[int]) -> int:
    return reduce(lambda a, b: a | b, each, 0)
