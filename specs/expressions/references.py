"""What an expression reads: paths of names and literal keys, each with its place."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

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


class Reference(Struct, frozen=True):
    """A path as far as its keys are literal: `tasks.a.outputs` of `tasks.a.outputs[0].x`.

    `start` and `end` enclose the whole path, `spans` the root name and then each key.
    """

    root: str
    keys: tuple[str, ...]
    start: int
    end: int
    spans: tuple[tuple[int, int], ...]


def references(expression: Expression) -> tuple[Reference, ...]:
    """Every path an expression reads, in the order written."""
    found: list[Reference] = []
    pending: list[Node] = [expression.root]
    while pending:
        node = pending.pop()
        reference = as_reference(node)
        if reference is not None:
            found.append(reference)
        else:
            pending.extend(children(node))
    return tuple(sorted(found, key=lambda reference: reference.start))


def as_reference(node: Node) -> Reference | None:
    """The path a node is, `None` when it is anything else."""
    keys: list[Key] = []
    base = node
    while isinstance(base, Key):
        keys.append(base)
        base = base.of
    if not isinstance(base, Name):
        return None
    keys.reverse()
    spans = ((base.start, base.end), *((key.key_start, min(key.end, key.key_start + len(key.key))) for key in keys))
    return Reference(base.name, tuple(key.key for key in keys), node.start, node.end, spans)


def children(node: Node) -> Iterator[Node]:
    """The nodes directly below a node, from left to right."""
    match node:
        case Literally() | Name():
            return
        case Key():
            yield node.of
        case Index():
            yield from (node.of, node.index)
        case Unary():
            yield node.operand
        case Binary() | Logic():
            yield from (node.left, node.right)
        case Compare():
            yield from node.operands
        case Conditional():
            yield from (node.then, node.condition, node.otherwise)
        case Filter():
            yield from (node.of, *node.arguments)
        case Test():
            yield node.of
        case ListOf():
            yield from node.elements
        case MapOf():
            yield from (value for _, value in node.entries)
