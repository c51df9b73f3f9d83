"""What an expression makes sure of before it reads: `tasks.a.status == 'succeeded' and tasks.a.output.n > 3`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TypeAlias

from msgspec import Struct

from specs.expressions.evaluate import left_of
from specs.expressions.nodes import (
    Compare,
    Conditional,
    Expression,
    Filter,
    ListOf,
    Literally,
    Logic,
    Node,
    Test,
    Unary,
)
from specs.expressions.references import Reference, as_reference, children

ENDS = frozenset({"succeeded", "failed", "skipped", "blocked", "cancelled"})
"""How a task can have ended (`LANGUAGE.md` 5)."""

Fact: TypeAlias = tuple[str, str]
"""`defined` and a path such as `tasks.a.output.x`; or `not` an end and a task that has not ended so. A condition that leaves
several ends tells what it rules out: of two conditions together both sets, of either of them what is in both."""

Facts: TypeAlias = frozenset[Fact]
NOTHING: Facts = frozenset()
_DEFINED = "defined"
_RULES_OUT = {end: f"not {end}" for end in ENDS}


def ended(task: str, ends: Iterable[object]) -> Facts:
    """The facts that `task` has ended in one of these ways."""
    return not_ended(task, ENDS.difference(ends))


def not_ended(task: str, ends: Iterable[object]) -> Facts:
    """The facts that `task` has ended in none of these ways."""
    return frozenset((_RULES_OUT[end], task) for end in ENDS.intersection(ends))


def tasks_known(facts: Facts) -> frozenset[str]:
    """The tasks of whose ends something is ruled out."""
    return frozenset(name for kind, name in facts if kind != _DEFINED)


def ends_left(facts: Facts, task: str) -> frozenset[str]:
    """How `task` can have ended as far as the facts tell."""
    return frozenset(end for end in ENDS if (_RULES_OUT[end], task) not in facts)


def is_defined(facts: Facts, path: str) -> bool:
    """Whether the facts say that a path has a value."""
    return (_DEFINED, path) in facts


class Read(Struct, frozen=True):
    """A path that is read, what is known at that point, and whether it may be undefined there.

    `default`, when there, is the filter that stands in for an undefined value.
    """

    reference: Reference
    facts: Facts
    may_be_undefined: bool
    default: Filter | None = None


def reads(expression: Expression) -> tuple[Read, ...]:
    """Every path an expression reads, in the order written."""
    found = list(_walk(expression.root))
    found.sort(key=lambda read: read.reference.start)
    return tuple(found)


class _Visit(Struct, frozen=True):
    node: Node
    facts: Facts
    default: Filter | None = None
    tested: bool = False


def _walk(root: Node) -> Iterator[Read]:
    pending = [_Visit(root, NOTHING)]
    while pending:
        visit = pending.pop()
        reference = as_reference(visit.node)
        if reference is not None:
            lenient = visit.tested or visit.default is not None
            yield Read(reference, visit.facts, lenient, visit.default)
        else:
            pending.extend(_below(visit))


def _below(visit: _Visit) -> Iterator[_Visit]:
    node, facts = visit.node, visit.facts
    match node:
        case Filter() if node.name == "default":
            yield _Visit(node.of, facts, default=node)
            yield from (_Visit(argument, facts) for argument in node.arguments)
        case Test() if node.name == "defined":
            yield _Visit(node.of, facts, tested=True)
        case Logic():
            yield _Visit(node.left, facts)
            yield _Visit(node.right, facts | known_if(node.left, outcome=node.operator == "and"))
        case Conditional():
            yield _Visit(node.condition, facts)
            yield _Visit(node.then, facts | known_if(node.condition, outcome=True))
            yield _Visit(node.otherwise, facts | known_if(node.condition, outcome=False))
        case _:
            first = left_of(node)
            # what is undefined stays so along a path: `tasks.a.outputs[0] | default(0)`
            carried = (visit.default, visit.tested) if as_path_step(node) else (None, False)
            for child in children(node):
                lenient = carried if child is first else (None, False)
                yield _Visit(child, facts, *lenient)


def as_path_step(node: Node) -> bool:
    """Whether a node is a look-up, which gives undefined for undefined."""
    return type(node).__name__ in ("Key", "Index")


def known_if(node: Node, *, outcome: bool) -> Facts:
    """What is known of tasks and paths when a condition has come out true, or false."""
    # an explicit stack: each frame waits for the facts of its two sides
    done: list[Facts] = []
    pending: list[tuple[Node, bool, bool]] = [(node, outcome, False)]
    while pending:
        current, wanted, ready = pending.pop()
        if isinstance(current, Unary) and current.operator == "not":
            pending.append((current.operand, not wanted, False))
        elif not isinstance(current, Logic):
            done.append(_of_leaf(current, outcome=wanted))
        elif not ready:
            pending += [(current, wanted, True), (current.left, wanted, False), (current.right, wanted, False)]
        else:
            left, right = done.pop(), done.pop()
            done.append(left | right if (current.operator == "and") == wanted else left & right)
    return done[0]


def _of_leaf(node: Node, *, outcome: bool) -> Facts:
    if isinstance(node, Test) and node.name == "defined" and node.negated != outcome:
        reference = as_reference(node.of)
        return _defined(reference) if reference else NOTHING
    if isinstance(node, Compare) and len(node.operators) == 1:
        return _of_comparison(node, outcome=outcome)
    return NOTHING


def _defined(reference: Reference) -> Facts:
    facts: Facts = frozenset({(_DEFINED, ".".join((reference.root, *reference.keys)))})
    if reference.root == "tasks" and len(reference.keys) >= 2:
        ends = _ENDS_WITH.get(reference.keys[1])
        return facts | ended(reference.keys[0], ends) if ends is not None else facts
    return facts


_ENDS_WITH = {
    "output": ("succeeded",),
    "error": ("failed",),
    "outputs": ("succeeded", "failed"),
    "results": ("succeeded", "failed"),
    "counts": ("succeeded", "failed"),
}
"""How a task has ended that has one of these."""


def _of_comparison(node: Compare, *, outcome: bool) -> Facts:
    """`tasks.a.status == 'succeeded'`, written either way round, and `in` with a list; and their opposites."""
    left, right = node.operands
    symbol = node.operators[0]
    if symbol not in ("==", "!=", "in", "not in"):
        return NOTHING
    if isinstance(left, Literally) and symbol in ("==", "!="):
        left, right = right, left
    reference = as_reference(left)
    if reference is None or reference.root != "tasks" or len(reference.keys) != 2 or reference.keys[1] != "status":
        return NOTHING
    statuses = _statuses(right)
    if statuses is None:
        return NOTHING
    is_one_of_them = (symbol in ("==", "in")) == outcome
    return (ended if is_one_of_them else not_ended)(reference.keys[0], statuses)


def _statuses(node: Node) -> set[object] | None:
    """The literal values that a status is compared with, `None` where one is not literal."""
    elements = node.elements if isinstance(node, ListOf) else (node,)
    found: set[object] = {element.value for element in elements if isinstance(element, Literally)}
    return found if all(isinstance(element, Literally) for element in elements) else None
