"""Filters on lists. An empty list has no first, last, smallest or largest element: those are undefined, for `default`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cmp_to_key
from typing import TypeVar

from specs.expressions.budget import Meter
from specs.expressions.errors import EvaluationError
from specs.expressions.operations import Undefined, calculate, compare, equal, group_of, is_number, kind_of, to_json

T = TypeVar("T")


def length(_meter: Meter, value: Sequence[object] | Mapping[str, object]) -> int:
    """How many elements, keys or characters."""
    return len(value)


def first(_meter: Meter, items: Sequence[object]) -> object:
    """The first element or character."""
    return items[0] if items else Undefined("the first of nothing")


def last(_meter: Meter, items: Sequence[object]) -> object:
    """The last element or character."""
    return items[-1] if items else Undefined("the last of nothing")


def smallest(_meter: Meter, items: Sequence[object]) -> object:
    """The least element; of equal ones the first."""
    if not items:
        return Undefined("the smallest of nothing")
    _check_one_order("min", items)
    return min(items, key=_KEY)


def largest(_meter: Meter, items: Sequence[object]) -> object:
    """The greatest element; of equal ones the first."""
    if not items:
        return Undefined("the largest of nothing")
    _check_one_order("max", items)
    return max(items, key=_KEY)


def total(_meter: Meter, items: Sequence[object]) -> int | float:
    """The sum of numbers, 0 for none."""
    result: int | float = 0
    for item in items:
        if not isinstance(item, int | float) or not is_number(item):
            raise EvaluationError(f"`sum` adds numbers, this is a {kind_of(item)}")
        result = calculate(lambda a, b: a + b, result, item)
    return result


def in_order(_meter: Meter, items: Sequence[object]) -> list[object]:
    """Sorted from small to large; equal elements keep their order."""
    _check_one_order("sort", items)
    return sorted(items, key=_KEY)


def unique(meter: Meter, items: Sequence[object]) -> list[object]:
    """Without repetitions; the first of equal elements stays. `1` and `1.0` are equal, `1` and `true` are not."""
    meter.measure(items)
    seen: set[object] = set()
    kept = []
    for item in items:
        key = _identity(item)
        if key not in seen:
            seen.add(key)
            kept.append(item)
    return kept


def backwards(_meter: Meter, value: Sequence[T]) -> Sequence[T]:
    """The elements or characters in reverse."""
    return value[::-1]


def pluck(_meter: Meter, items: Sequence[object], key: str) -> list[object]:
    """The value at `key` of each map."""
    result = []
    for index, item in enumerate(items):
        if not isinstance(item, Mapping):
            raise EvaluationError(f"`pluck` takes a list of maps, element {index} is a {kind_of(item)}")
        if key not in item:
            raise EvaluationError(f"`pluck`: element {index} has no `{key}`")
        result.append(item[key])
    return result


def compact(_meter: Meter, items: Sequence[object]) -> list[object]:
    """Without the elements that are none."""
    return [item for item in items if item is not None]


def _check_one_order(name: str, items: Sequence[object]) -> None:
    groups = {group_of(item) for item in items}
    if len(groups) > 1:
        raise EvaluationError(f"`{name}` takes elements of one type, found {', '.join(sorted(groups))}")
    if groups & {"bool", "none", "list", "map"}:
        raise EvaluationError(f"`{name}` is not defined for a list of {groups.pop()}")


def _order(left: object, right: object) -> int:
    return -1 if compare("<", left, right) else 0 if equal(left, right) else 1


_KEY = cmp_to_key(_order)


def _identity(value: object) -> object:
    if isinstance(value, list | tuple | Mapping):
        return "json", json.dumps(_normal(to_json(value)), sort_keys=True)
    return group_of(value), value


def _normal(value: object) -> object:
    """JSON in which numbers that are equal are written alike."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_normal(item) for item in value]
    return {key: _normal(item) for key, item in value.items()} if isinstance(value, dict) else value
