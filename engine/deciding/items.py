"""The items of a fan-out: from `items` or a matrix to keys and values, in order (`LANGUAGE.md` 7). Pure."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from engine.outcomes import Json
from engine.plan import FanOut
from engine.scope import item_scope
from specs.expressions import EvaluationError, evaluate, evaluate_condition, resolve
from specs.expressions.nodes import Expression
from specs.expressions.values import CompiledValue

MOST_COMBINATIONS = 100_000
"""The hard limit of `max_items`: what a product of axes or a list may hold before `where` looks at it."""


class TooManyItems(Exception):
    """More items than the flow, or the engine, allows."""

    def __init__(self, found: int, limit: int) -> None:
        super().__init__(f"{found} items, at most {limit} are allowed")


def make_items(spec: FanOut, scope: Mapping[str, Any]) -> tuple[tuple[str, ...], tuple[Json, ...]]:
    """Keys and items, in order, after `exclude`, `include`, `where` and `batch`.

    Raises:
        TooManyItems: more than `max_items` are left after `where`, or more than 100,000 before it.
        EvaluationError: an expression fails, yields no list, or a key occurs twice.
    """
    kept = [item for item in _candidates(spec, scope) if _wanted(spec, item, scope)]
    if len(kept) > spec.max_items:
        raise TooManyItems(len(kept), spec.max_items)
    if spec.batch > 1:
        kept = [list(chunk) for chunk in _batches(kept, spec.batch)]
    return _keys(spec, kept, scope), tuple(kept)


def _candidates(spec: FanOut, scope: Mapping[str, Any]) -> list[Json]:
    if spec.literal is not None:
        found: list[Json] = list(spec.literal)
    elif spec.items is not None:
        found = _list(spec.items, scope, "items")
    else:
        found = list(_combinations(spec, scope))
    if len(found) > MOST_COMBINATIONS:
        raise TooManyItems(len(found), MOST_COMBINATIONS)
    return found


def _list(source: Expression | CompiledValue, scope: Mapping[str, Any], what: str) -> list[Json]:
    if not isinstance(source, Expression):
        value = resolve(source, scope)
        return value if isinstance(value, list) else [value]
    value = evaluate(source, scope)
    if not isinstance(value, list):
        raise EvaluationError(f"`{what}` must be a list, `{source.text}` is not")
    return value


def _combinations(spec: FanOut, scope: Mapping[str, Any]) -> Iterator[Json]:
    """The product of the axes in key order without what `exclude` matches, then what `include` adds."""
    axes = {name: _list(axis, scope, name) for name, axis in spec.axes}
    size = 1
    for values in axes.values():
        size *= len(values)
    if size > MOST_COMBINATIONS:
        raise TooManyItems(size, MOST_COMBINATIONS)
    excluded = [resolve(entry, scope) for entry in spec.exclude]
    if axes:
        for chosen in itertools.product(*axes.values()):
            combination = dict(zip(axes, chosen, strict=True))
            if not any(covers(entry, combination) for entry in excluded):
                yield combination
    for entry in spec.include:
        yield resolve(entry, scope)


def covers(entry: Json, combination: Mapping[str, Json]) -> bool:
    """Whether an `exclude` entry matches a combination: every key of it is there with the same value."""
    if not isinstance(entry, dict):
        return False
    return all(key in combination and combination[key] == value for key, value in entry.items())


def _wanted(spec: FanOut, item: Json, scope: Mapping[str, Any]) -> bool:
    return spec.where is None or evaluate_condition(spec.where, {**scope, "item": item})


def _batches(items: list[Json], size: int) -> Iterator[list[Json]]:
    return (items[at : at + size] for at in range(0, len(items), size))


def _keys(spec: FanOut, items: Iterable[Json], scope: Mapping[str, Any]) -> tuple[str, ...]:
    if spec.key is None:
        return tuple(str(index) for index, _ in enumerate(items))
    keys: dict[str, None] = {}
    for index, item in enumerate(items):
        value = evaluate(spec.key, {**scope, **item_scope(item, index, "")})
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise EvaluationError(f"`key` must be a text or a number, `{spec.key.text}` of item {index} is not")
        if str(value) in keys:
            raise EvaluationError(f"`key` must be unique, `{value}` occurs twice")
        keys[str(value)] = None
    return tuple(keys)
