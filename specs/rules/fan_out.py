"""Fan-out over what is known before a run: literal items and matrices, filters, keys, caps (FLOW260 to 266)."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.graph import FlowGraph
from specs.literals import has_expression
from specs.model import TaskSpec
from specs.model.parts import FanOutSpec
from specs.rules.edits import Hints
from specs.rules.limits import slots_of, wanted_slots
from specs.suggest import listed

ENUMERATED = 100_000
"""Combinations of a matrix that are looked at one by one: the most `max_items` can be."""

_PERCENT = re.compile(r"(\d{1,3}(?:\.\d+)?)%")
_OF_ITEM = re.compile(r"\s*item((?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*")
_WITH_SLOTS = ("run", "exec", "call", "use")


class _Fan(Struct, frozen=True):
    """A task that fans out."""

    task: str
    task_path: Path
    spec: FanOutSpec
    of: TaskSpec

    @property
    def path(self) -> Path:
        return (*self.task_path, "fan_out")

    @property
    def axes(self) -> Mapping[str, Sequence[Any]] | None:
        """The axes of a matrix that is literal from end to end, `None` for any other."""
        matrix = self.spec.matrix
        if not matrix or not all(isinstance(values, list) and not has_expression(values) for values in matrix.values()):
            return None
        return {axis: values for axis, values in matrix.items() if isinstance(values, list)}


def _fans(context: FlowContext) -> Iterator[_Fan]:
    for graph in context.graphs:
        yield from _of_graph(graph)


def _of_graph(graph: FlowGraph) -> Iterator[_Fan]:
    for task, spec in graph.having("fan_out"):
        if spec.fan_out is not None:
            yield _Fan(task, (*graph.prefix, task), spec.fan_out, spec)


def empty_axis(context: FlowContext) -> Iterator[Diagnostic]:
    """A matrix has axes, and every literal axis has values."""
    for fan in _fans(context):
        if fan.spec.matrix is None:
            continue
        if not fan.spec.matrix:
            yield context.finding(
                "FLOW260",
                (*fan.path, "matrix"),
                f"the matrix of `{fan.task}` has no axis",
                help="write `axis: [values]`",
            )
        for axis, values in fan.spec.matrix.items():
            if not values or (isinstance(values, str) and not values.strip()):
                yield context.finding(
                    "FLOW260",
                    (*fan.path, "matrix", axis),
                    f"axis `{axis}` is empty",
                    help="write its values as a list, or an expression that gives one",
                )


def too_many_items(context: FlowContext) -> Iterator[Diagnostic]:
    """Literal items and combinations are no more than `max_items`; `where` may leave out any number of them."""
    for fan in _fans(context):
        if fan.spec.where is not None:
            continue
        counted = _count(fan)
        if counted is not None and counted[0] > fan.spec.max_items:
            count, what, key = counted
            yield context.finding(
                "FLOW261",
                (*fan.path, key),
                f"{count} {what} exceed `max_items` {fan.spec.max_items}",
                key=True,
                help=f"raise `max_items` to {count}"
                if count <= ENUMERATED
                else "put part of it into a flow of its own",
            )


def _count(fan: _Fan) -> tuple[int, str, str] | None:
    """How many instances there are at least, what they are called, and the key they come from."""
    if isinstance(fan.spec.items, list):
        return len(fan.spec.items), "items", "items"
    axes = fan.axes
    if axes is None:
        return None
    size = prod(len(values) for values in axes.values())
    if size <= ENUMERATED and fan.spec.exclude:
        size = len(_combinations(fan, axes))
    elif fan.spec.exclude:
        # too many to look at: what the entries can leave out at most, overlaps counted twice
        size -= sum(prod(len(axes[axis]) for axis in axes if axis not in entry) for entry in fan.spec.exclude)
    return size + len(fan.spec.include), "combinations", "matrix"


def _combinations(fan: _Fan, axes: Mapping[str, Sequence[Any]]) -> list[tuple[Any, ...]]:
    """The product of the axes without what `exclude` names, of no more than `ENUMERATED`."""
    places = {axis: position for position, axis in enumerate(axes)}
    excluded: dict[tuple[int, ...], set[tuple[str, ...]]] = defaultdict(set)
    for entry in fan.spec.exclude:
        if entry.keys() <= places.keys():
            at = tuple(sorted(places[axis] for axis in entry))
            names = list(axes)
            excluded[at].add(tuple(_token(entry[names[position]]) for position in at))
    if not excluded:
        return list(product(*axes.values()))
    tokens = product(*([_token(value) for value in values] for values in axes.values()))
    return [
        combination
        for combination, written in zip(product(*axes.values()), tokens, strict=True)
        if not any(tuple(written[position] for position in at) in gone for at, gone in excluded.items())
    ]


def _token(value: object) -> str:
    """A value as text that is equal exactly for equal values: `1`, `"1"` and `true` are three."""
    return json.dumps(value, sort_keys=True, default=str)


def filter_without_effect(context: FlowContext) -> Iterator[Diagnostic]:
    """Every entry of `exclude` leaves something out, and something is left; `where` is not settled already."""
    for fan in _fans(context):
        yield from _useless_exclusions(context, fan)
        if fan.spec.exclude and _leaves_nothing(fan):
            yield context.finding(
                "FLOW262", (*fan.path, "exclude"), "`exclude` removes everything", key=True, help=_CHECK_FILTER
            )
        where = str(fan.spec.where).strip().lower() if fan.spec.where is not None else ""
        if where in ("true", "false"):
            what = "nothing" if where == "true" else "everything"
            yield context.finding(
                "FLOW262", (*fan.path, "where"), f"`where` removes {what}", key=True, help=_CHECK_FILTER
            )


_CHECK_FILTER = "remove it, or change what it compares"


def _leaves_nothing(fan: _Fan) -> bool:
    axes = fan.axes
    if axes is None or fan.spec.include:
        return False
    size = prod(len(values) for values in axes.values())
    return 0 < size <= ENUMERATED and not _combinations(fan, axes)


def _useless_exclusions(context: FlowContext, fan: _Fan) -> Iterator[Diagnostic]:
    matrix, hints = fan.spec.matrix, Hints()
    if matrix is None:
        return
    values = {
        axis: {_token(value) for value in written}
        for axis, written in matrix.items()
        if isinstance(written, list) and not has_expression(written)
    }
    for index, entry in enumerate(fan.spec.exclude):
        path = (*fan.path, "exclude", index)
        for key, value in entry.items():
            if key not in matrix:
                message = f"this entry of `exclude` removes nothing: `{key}` is no axis"
                yield context.finding("FLOW262", (*path, key), message, key=True, help=hints.help(key, matrix))
                break
            if key in values and not has_expression(value) and _token(value) not in values[key]:
                message = f"this entry of `exclude` removes nothing: `{key}` never has this value"
                known = f"it can be {listed(sorted(values[key]))}"
                yield context.finding("FLOW262", (*path, key), message, help=known)
                break


def stray_include_key(context: FlowContext) -> Iterator[Diagnostic]:
    """What `include` adds has the keys of the axes, so that every item has the same ones."""
    for fan in _fans(context):
        for index, entry in enumerate(fan.spec.include if fan.spec.matrix else ()):
            for key in entry:
                if key not in (fan.spec.matrix or {}):
                    yield context.finding(
                        "FLOW263",
                        (*fan.path, "include", index, key),
                        f"`include` has `{key}`, which is no axis; `item.{key}` is undefined in other items",
                        key=True,
                        help=f"read it as `item.{key} | default(...)`, or make it an axis",
                    )


def key_is_not_unique(context: FlowContext) -> Iterator[Diagnostic]:
    """`key` tells literal items apart, where it is a plain look-up."""
    for fan in _fans(context):
        look_up = _OF_ITEM.fullmatch(fan.spec.key) if fan.spec.key is not None else None
        items = _literal_items(fan) if look_up is not None and fan.spec.batch == 1 and fan.spec.where is None else None
        if look_up is None or items is None:
            continue
        twice = _first_twice(items, look_up[1].split(".")[1:])
        if twice is not None:
            yield context.finding(
                "FLOW264",
                (*fan.path, "key"),
                f"`key` is not unique: `{twice}` occurs twice",
                help="use a value that differs from item to item, or leave `key` out: the index is unique",
            )


def _literal_items(fan: _Fan) -> list[Any] | None:
    if isinstance(fan.spec.items, list):
        return None if has_expression(fan.spec.items) else fan.spec.items
    axes = fan.axes
    if axes is None or prod(len(values) for values in axes.values()) > ENUMERATED:
        return None
    if has_expression(fan.spec.exclude) or has_expression(fan.spec.include):
        return None
    return [dict(zip(axes, values, strict=True)) for values in _combinations(fan, axes)] + list(fan.spec.include)


def _first_twice(items: Sequence[Any], keys: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for item in items:
        value = item
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        if value is None:
            continue  # undefined is an error of its own when the item is made
        text = value if isinstance(value, str) else _token(value)
        if text in seen:
            return text
        seen.add(text)
    return None


def parallel_above_other_limits(context: FlowContext) -> Iterator[Diagnostic]:
    """Tells of a `max_parallel` that another limit keeps from ever being reached."""
    for fan in _fans(context):
        cap = fan.spec.max_parallel
        if cap is None or not any(getattr(fan.of, action) is not None for action in _WITH_SLOTS):
            continue
        limits = [(context.flow.concurrency.tasks, "`concurrency.tasks`")]
        for pool, count in wanted_slots(context.flow, fan.of).items():
            if pool in context.flow.pools:  # of another one FLOW226 tells, or the file that declares it
                limits.append((slots_of(context.flow, pool) // count, f"what the pool `{pool}` admits at once,"))
        least, name = min(limits)
        if cap > least >= 1:
            yield context.finding(
                "FLOW265",
                (*fan.path, "max_parallel"),
                f"`max_parallel` {cap} is above {name} {least}",
                help="lower it, or raise the other limit",
            )


def not_a_tolerance(context: FlowContext) -> Iterator[Diagnostic]:
    """`tolerate` is a count of items or a percentage of them."""
    for fan in _fans(context):
        if not is_tolerance(fan.spec.tolerate):
            yield context.finding(
                "FLOW266",
                (*fan.path, "tolerate"),
                f"`{fan.spec.tolerate}` is not a count or a percentage up to 100",
                help='write a number of items such as `3`, or a part of them such as `"5%"`',
            )


def is_tolerance(value: int | str) -> bool:
    """Whether `value` is a count of items or a percentage from 0 to 100."""
    if isinstance(value, int):
        return value >= 0
    percent = _PERCENT.fullmatch(value)
    return percent is not None and float(percent[1]) <= 100


RULES: tuple[Rule, ...] = (
    empty_axis,
    too_many_items,
    filter_without_effect,
    stray_include_key,
    key_is_not_unique,
    parallel_above_other_limits,
    not_a_tolerance,
)
