"""What an expression makes sure of before it reads: `tasks.a.status == 'succeeded' and tasks.a.output.n > 3`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

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

Fact: TypeAlias = tuple[Literal["succeeded", "failed", "defined"], str]
"""Something known of a task, or of a path such as `tasks.a.output.x`."""

Facts: TypeAlias = frozenset[Fact]
NOTHING: Facts = frozenset()


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
    facts: set[Fact] = {("defined", ".".join((reference.root, *reference.keys)))}
    if reference.root == "tasks" and len(reference.keys) >= 2:
        if reference.keys[1] == "output":
            facts.add(("succeeded", reference.keys[0]))
        elif reference.keys[1] == "error":
            facts.add(("failed", reference.keys[0]))
    return frozenset(facts)


def _of_comparison(node: Compare, *, outcome: bool) -> Facts:
    """`tasks.a.status == 'succeeded'`, written either way round, and `in` with a list."""
    left, right = node.operands
    symbol = node.operators[0]
    if (symbol in ("==", "in")) != outcome or symbol not in ("==", "!=", "in", "not in"):
        return NOTHING
    if isinstance(left, Literally) and symbol in ("==", "!="):
        left, right = right, left
    reference = as_reference(left)
    if reference is None or reference.root != "tasks" or len(reference.keys) != 2 or reference.keys[1] != "status":
        return NOTHING
    statuses = _statuses(right)
    task = reference.keys[0]
    return frozenset((kind, task) for kind in ("succeeded", "failed") if statuses == {kind})


def _statuses(node: Node) -> set[object]:
    if isinstance(node, ListOf):
        return {element.value if isinstance(element, Literally) else None for element in node.elements}
    return {node.value} if isinstance(node, Literally) else set()
