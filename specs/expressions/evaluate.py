"""Evaluates expressions: total, bounded, and free of everything but the names it is given.

No call reaches a Python object. `.x` looks a key up in a mapping, `[0]` an element in a list; anything else that is asked
of a value is an error. What is missing is undefined and stays so along a path, until `default` or `is defined` asks.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, assert_never

from specs.expressions.budget import DEFAULT_BUDGET, Budget, Meter
from specs.expressions.errors import EvaluationError
from specs.expressions.filters import FILTERS, TESTS, apply_filter
from specs.expressions.nodes import (
    Binary,
    Compare,
    Conditional,
    Expression,
    Filter,
    Index,
    Key,
    ListOf,
    Literally,
    Logic,
    MapOf,
    Name,
    Node,
    Test,
    Unary,
)
from specs.expressions.operations import (
    Undefined,
    arithmetic,
    calculate,
    compare,
    contains,
    equal,
    is_number,
    kind_of,
    to_json,
)
from specs.expressions.values import Json


def evaluate(expression: Expression, names: Mapping[str, object], budget: Budget = DEFAULT_BUDGET) -> Json:
    """The value of an expression as plain JSON; dates are RFC 3339 text.

    `names` maps root names to JSON values, dates, or mappings that may look values up when asked.

    Raises:
        EvaluationError: when something is undefined, of the wrong type or past the budget.
    """
    evaluation = _Evaluation(expression, names, budget)
    value = evaluation.defined(expression.root)
    evaluation.meter.measure(value)
    return to_json(value)


def evaluate_condition(expression: Expression, names: Mapping[str, object], budget: Budget = DEFAULT_BUDGET) -> bool:
    """The value of a condition.

    Raises:
        EvaluationError: as `evaluate`, and when the value is not a boolean.
    """
    value = _Evaluation(expression, names, budget).defined(expression.root)
    if not isinstance(value, bool):
        raise EvaluationError(f"a condition must be a boolean, `{_shown(expression.text)}` is a {kind_of(value)}")
    return value


class _Evaluation:
    """One evaluation. Recursive on what nests, which the parser bounds; a chain to the left is walked in a loop."""

    def __init__(self, expression: Expression, names: Mapping[str, object], budget: Budget) -> None:
        self.text = expression.text
        self.names = names
        self.meter = Meter(budget)

    def defined(self, node: Node) -> object:
        """The value of a node where one is needed."""
        value = self.value(node)
        if isinstance(value, Undefined):
            raise EvaluationError(f"{value.what} is undefined")
        return value

    def value(self, node: Node) -> object:
        """The value of a node, `Undefined` when there is none."""
        chain: list[Node] = []
        while (left := left_of(node)) is not None:
            chain.append(node)
            node = left
        result = self._leaf(node)
        while chain:
            result = self._apply(chain.pop(), result)
        return result

    def _leaf(self, node: Node) -> object:
        self.meter.step()
        match node:
            case Literally():
                return node.value
            case Name():
                return self._look_up(self.names, node.name, node)
            case Unary():
                return self._unary(node)
            case Conditional():
                chosen = node.then if self._boolean(node.condition, "if") else node.otherwise
                return self.value(chosen)
            case ListOf():
                return [self.defined(element) for element in node.elements]
            case MapOf():
                return {key: self.defined(entry) for key, entry in node.entries}
        raise AssertionError(node)  # every other node has a left side

    def _apply(self, node: Node, left: object) -> object:
        """The value of a node whose left side is known."""
        self.meter.step()
        match node:
            case Key():
                return left if isinstance(left, Undefined) else self._key(left, node)
            case Filter():
                return self._filter(node, left)
            case Test() if node.name == "defined":
                return TESTS["defined"](left) != node.negated
            case _ if isinstance(left, Undefined):
                if isinstance(node, Index):
                    return left
                raise EvaluationError(f"{left.what} is undefined")
            case Index():
                return self._index(left, self.defined(node.index), node)
            case Binary():
                return arithmetic(node.operator, left, self.defined(node.right), self.meter)
            case Logic():
                return self._logic(node, left)
            case Compare():
                return self._compare(node, left)
            case Test():
                return TESTS[node.name](left) != node.negated
        raise AssertionError(node)  # leaves are not applied

    # --- look-ups ---------------------------------------------------------------------------------------------------------

    def _look_up(self, mapping: Mapping[str, Any], key: str, node: Node) -> object:
        try:
            return mapping[key]
        except KeyError:
            return Undefined(f"`{_shown(self.text[node.start : node.end])}`")

    def _key(self, left: object, node: Key) -> object:
        if not isinstance(left, Mapping):
            raise EvaluationError(
                f"`{self._source(node.of)}` is a {kind_of(left)} and has no field `{_shown(node.key)}`"
            )
        return self._look_up(left, node.key, node)

    def _index(self, left: object, index: object, node: Index) -> object:
        if isinstance(left, Mapping) and isinstance(index, str):
            return self._look_up(left, index, node)
        if isinstance(left, list | tuple) and isinstance(index, int) and is_number(index):
            if -len(left) <= index < len(left):
                found: object = left[index]
                return found
            return Undefined(f"`{self._source(node)}`")
        raise EvaluationError(
            f"`{self._source(node.of)}` is a {kind_of(left)} and has no element of a {kind_of(index)}"
        )

    def _source(self, node: Node) -> str:
        return _shown(self.text[node.start : node.end])

    # --- operators --------------------------------------------------------------------------------------------------------

    def _boolean(self, node: Node, operator: str) -> bool:
        return self._check_boolean(self.defined(node), operator)

    def _check_boolean(self, value: object, operator: str) -> bool:
        if not isinstance(value, bool):
            raise EvaluationError(f"`{operator}` takes booleans, this is a {kind_of(value)}")
        return value

    def _unary(self, node: Unary) -> object:
        if node.operator == "not":
            return not self._boolean(node.operand, "not")
        value = self.defined(node.operand)
        if not isinstance(value, int | float) or not is_number(value):
            raise EvaluationError(f"`{node.operator}` takes a number, this is a {kind_of(value)}")
        return calculate(lambda number: -number if node.operator == "-" else number, value)

    def _logic(self, node: Logic, left: object) -> bool:
        if self._check_boolean(left, node.operator) == (node.operator == "or"):
            return node.operator == "or"
        return self._boolean(node.right, node.operator)

    def _compare(self, node: Compare, left: object) -> bool:
        for symbol, operand in zip(node.operators, node.operands[1:], strict=True):
            right = self.defined(operand)
            if not self._holds(symbol, left, right):
                return False
            left = right
        return True

    def _holds(self, symbol: str, left: object, right: object) -> bool:
        match symbol:
            case "==" | "!=":
                self.meter.measure(left)
                self.meter.measure(right)
                return equal(left, right) == (symbol == "==")
            case "in" | "not in":
                self.meter.measure(right)
                return contains(right, left) == (symbol == "in")
        return compare(symbol, left, right)

    def _filter(self, node: Filter, piped: object) -> object:
        spec = FILTERS[node.name]
        if isinstance(piped, Undefined) and not spec.takes_undefined:
            raise EvaluationError(f"{piped.what} is undefined")
        arguments = [self.defined(argument) for argument in node.arguments]
        return apply_filter(spec, self.meter, piped, arguments)


def left_of(node: Node) -> Node | None:
    """The part of a node that is read first and may be a long chain; `None` for what has no such part."""
    match node:
        case Key() | Index() | Filter() | Test():
            return node.of
        case Binary() | Logic():
            return node.left
        case Compare():
            return node.operands[0]
        case Literally() | Name() | Unary() | Conditional() | ListOf() | MapOf():
            return None
    assert_never(node)


def _shown(text: str) -> str:
    folded = " ".join(text.split())
    return folded if len(folded) <= 80 else folded[:77] + "..."
