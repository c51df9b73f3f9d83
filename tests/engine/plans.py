"""Plans for tests, made from a few words: `make_plan({"a": {}, "b": {"after": ["a"]}})`.

What the compiler derives (`downstream`, `affected`, waves, ...) is derived here too, by the simplest means that are
right; nothing is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from engine.plan import (
    Action,
    Arm,
    BranchAction,
    Edge,
    EdgeKind,
    ExecAction,
    FailAction,
    FanOut,
    FlowAction,
    Plan,
    PlanTask,
    RunAction,
    SetAction,
    SwitchAction,
)
from specs.expressions import CompiledValue, Expression, ExpressionError, Fixed, compile_value, parse
from specs.expressions.nodes import Name

Words = Mapping[str, Any]
"""A task in words: an action (`run`, `exec`, `flow`, `branch`, `switch`, `set`, `fail`, or a ready `action`), edges as
lists of ids or of `Edge`, `if`, `fan_out` (a number, a list, an expression's text or a `FanOut`), `undo` (words), and
fields of `PlanTask` as they are. Without an action it is `run: "true"`."""

LINKS = ("after", "after_start", "after_end", "after_failure")
NO_VALUE = Fixed({}, None)


def make_plan(
    tasks: Mapping[str, Words],
    *,
    hooks: Mapping[str, Mapping[str, Words]] | None = None,
    children: Mapping[str, Plan] | None = None,
    name: str = "flow",
    **fields: Any,
) -> Plan:
    """A plan of `tasks` in the order given; `fields` are those of `Plan`."""
    arms = _arms(tasks)
    made = {id_: make_task(id_, words, arms=arms.get(id_, ())) for id_, words in tasks.items()}
    hook_ids = {kind: tuple(f"hooks.{kind}.{id_}" for id_ in group) for kind, group in (hooks or {}).items()}
    for kind, group in (hooks or {}).items():
        made |= {f"hooks.{kind}.{id_}": make_task(f"hooks.{kind}.{id_}", words) for id_, words in group.items()}
    made |= {f"undo.{id_}": _undo_of(id_, words) for id_, words in tasks.items() if "undo" in words}
    placed = {id_: replace(task, position=position) for position, (id_, task) in enumerate(made.items())}
    recoverers = _recoverers(placed)
    return Plan(
        name=name,
        digest="0" * 64,
        root=Path("/nowhere"),
        tasks=placed,
        main=tuple(tasks),
        hooks=hook_ids,
        downstream=_downstream(placed),
        affected=_affected(placed),
        recoverers=recoverers,
        holders=_holders(placed),
        waves=_waves({id_: placed[id_] for id_ in tasks}),
        children=children or {},
        service_users=_service_users(placed),
        **fields,
    )


def make_task(id_: str, words: Words, *, arms: Sequence[str] = ()) -> PlanTask:
    """One task from words; `arms` are the branches that name it."""
    rest = dict(words)
    edges = [_edge(EdgeKind(kind), edge) for kind in LINKS for edge in rest.pop(kind, ())]
    edges += [Edge(EdgeKind.ARM, choice) for choice in arms]
    condition, fan_out = rest.pop("if", None), rest.pop("fan_out", None)
    undo = f"undo.{id_}" if rest.pop("undo", None) is not None else None
    action = make_action(rest)
    return PlanTask(
        id=id_,
        position=0,
        action=action,
        edges=tuple(edges),
        before_complete=tuple(rest.pop("before_complete", ())),
        condition=make_expression(condition) if condition is not None else None,
        fan_out=make_fan_out(fan_out) if fan_out is not None else None,
        undo=undo,
        **rest,
    )


def _undo_of(id_: str, words: Words) -> PlanTask:
    """The undo task of a task: of a fan-out it is one, too, over the items that succeeded."""
    fan_out = {"fan_out": 0} if "fan_out" in words else {}
    return make_task(f"undo.{id_}", {**fan_out, **words["undo"]})


def make_action(words: dict[str, Any]) -> Action:
    """The action among `words`, which is taken out of them."""
    if "action" in words:
        action: Action = words.pop("action")
        return action
    if "exec" in words:
        return ExecAction(tuple(make_value(part) for part in words.pop("exec")), frozenset({0}))
    if "flow" in words:
        return FlowAction(words.pop("flow"), NO_VALUE)
    if "branch" in words:
        arms = words.pop("branch")
        return BranchAction(tuple(Arm(None if c is None else make_expression(c), tuple(ids)) for c, ids in arms))
    if "switch" in words:
        value, cases, default = words.pop("switch")
        pairs = tuple((case, tuple(ids)) for case, ids in cases.items())
        return SwitchAction(make_expression(value), pairs, None if default is None else tuple(default))
    if "set" in words:
        return SetAction(make_value(words.pop("set")))
    if "fail" in words:
        return FailAction(make_value(words.pop("fail")))
    return RunAction(words.pop("run", "true"), words.pop("shell", "sh"), frozenset({0}))


def make_fan_out(words: int | str | Sequence[Any] | FanOut) -> FanOut:
    """A fan-out over so many numbers, over an expression, or over literal items."""
    if isinstance(words, FanOut):
        return words
    items = make_expression(words) if isinstance(words, str) else None
    literal = None if items else tuple(range(words)) if isinstance(words, int) else tuple(words)
    return FanOut(items, literal, (), (), (), None, None, 1, 1000, None, 0, None, False, "succeed")


def make_expression(text: str) -> Expression:
    """A parsed expression. A text that is none gets the tree of a name, so that drawings can be given anything."""
    try:
        return parse(text)
    except ExpressionError:
        return Expression(text, Name(text, 0, len(text)))


def make_value(value: Any) -> CompiledValue:
    """A value of a file, with the `${{ }}` in its texts."""
    return compile_value(value)


def _edge(kind: EdgeKind, edge: str | Edge) -> Edge:
    return Edge(kind, edge) if isinstance(edge, str) else edge


def _arms(tasks: Mapping[str, Words]) -> dict[str, list[str]]:
    """For each task, the branches and switches that name it, each once."""
    arms: dict[str, list[str]] = {}
    for id_, words in tasks.items():
        named = [task for _, ids in words.get("branch", ()) for task in ids]
        if "switch" in words:
            _, cases, default = words["switch"]
            named += [task for ids in (*cases.values(), default or ()) for task in ids]
        for task in dict.fromkeys(named):
            arms.setdefault(task, []).append(id_)
    return arms


def _downstream(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {id_: {} for id_ in tasks}
    for id_, task in tasks.items():
        for edge in task.edges:
            found[edge.upstream][id_] = None
    return {id_: tuple(others) for id_, others in found.items()}


def _recoverers(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = {id_: {} for id_ in tasks}
    for id_, task in tasks.items():
        for edge in task.edges:
            if task.recovers and edge.kind is EdgeKind.AFTER_FAILURE:
                found[edge.upstream][id_] = None
    return {id_: tuple(others) for id_, others in found.items()}


def _holders(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {id_: [] for id_ in tasks}
    for id_, task in tasks.items():
        for held in dict.fromkeys(task.before_complete):
            found[held].append(id_)
    return {id_: tuple(others) for id_, others in found.items()}


def _service_users(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[str, ...]]:
    """Tasks with an `after_start` edge from a service, and those in whose `before_complete` it stands."""
    found: dict[str, dict[str, None]] = {id_: {} for id_, task in tasks.items() if task.service}
    for id_, task in tasks.items():
        for edge in task.edges:
            if edge.kind is EdgeKind.AFTER_START and edge.upstream in found:
                found[edge.upstream][id_] = None
        for held in task.before_complete:
            if id_ in found:
                found[id_][held] = None
    return {id_: tuple(others) for id_, others in found.items()}


def _affected(tasks: Mapping[str, PlanTask]) -> dict[str, tuple[tuple[str, int], ...]]:
    """The outgoing edges of each task."""
    found: dict[str, list[tuple[str, int]]] = {id_: [] for id_ in tasks}
    for task in tasks.values():
        for index, edge in enumerate(task.edges):
            found[edge.upstream].append((task.id, index))
    return {id_: tuple(pairs) for id_, pairs in found.items()}


def _waves(tasks: Mapping[str, PlanTask]) -> tuple[tuple[str, ...], ...]:
    """Longest distance from a root over start and end vertices; a start waited for is a wave earlier, as an end is."""
    before: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for id_, task in tasks.items():
        before.setdefault((id_, "end"), []).append((id_, "start"))
        before.setdefault((id_, "start"), [])
        for edge in task.edges:
            side = "start" if edge.kind is EdgeKind.AFTER_START else "end"
            before[id_, "start"].append((edge.upstream, side))
        for held in task.before_complete:
            before.setdefault((held, "end"), []).append((id_, "end"))
    level: dict[tuple[str, str], int] = {}
    for vertex in TopologicalSorter(before).static_order():
        step = 1 if vertex[1] == "start" else 0
        level[vertex] = max((level[earlier] + step for earlier in before.get(vertex, ())), default=0)
    waves: dict[int, list[str]] = {}
    for id_ in tasks:
        waves.setdefault(level[id_, "start"], []).append(id_)
    return tuple(tuple(waves[number]) for number in sorted(waves))
