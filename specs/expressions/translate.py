"""From Jinja2's tree to ours: an allow-list of nodes, each with its exact range in the text.

Ranges follow from structure: an operator reaches from the start of its left operand to the end of its right one, brackets
that only group included; a leaf is its token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal, TypeAlias

from jinja2 import nodes as jinja
from jinja2.exceptions import TemplateSyntaxError
from jinja2.parser import Parser

from specs.expressions import nodes as ours
from specs.expressions import refusals
from specs.expressions.errors import ExpressionError
from specs.expressions.nodes import Node
from specs.expressions.tokens import Piece, Tokens, environment, token_at

_BINARY: Mapping[type[jinja.Node], Literal["+", "-", "*", "/", "//", "%"]] = {
    jinja.Add: "+",
    jinja.Sub: "-",
    jinja.Mul: "*",
    jinja.Div: "/",
    jinja.FloorDiv: "//",
    jinja.Mod: "%",
}
_COMPARE: Mapping[str, Literal["==", "!=", "<", "<=", ">", ">=", "in", "not in"]] = {
    "eq": "==",
    "ne": "!=",
    "lt": "<",
    "lteq": "<=",
    "gt": ">",
    "gteq": ">=",
    "in": "in",
    "notin": "not in",
}


def translate(tokens: Tokens) -> Node:
    """The tree of an expression that has at least one token.

    Raises:
        ExpressionError: with the code of what is wrong, at the place of it.
    """
    parser = Parser(environment(), "", state="variable")
    try:
        parser.stream = tokens.stream()
        tree = parser.parse_expression()
        if not parser.stream.eos:
            raise TemplateSyntaxError("unexpected", parser.stream.current.lineno)
    except TemplateSyntaxError as error:
        ended = parser.stream.current.type == "eof"
        raise refusals.syntax(error.message or "", token_at(error, tokens), tokens, ended=ended) from error
    except RecursionError as error:  # the caller stands deep in its own stack already
        raise ExpressionError("FLOW319", "expression nested too deep", start=0, end=len(tokens.text)) from error
    return _Translator(tokens).node(tree)


class _Translator:
    """Translates one tree. Recursive on what nests only, which is bounded; chains to the left are walked in a loop."""

    def __init__(self, tokens: Tokens) -> None:
        self.tokens = tokens
        self.pieces = tokens.pieces
        self.starting = {piece.start: index for index, piece in enumerate(tokens.pieces)}
        self.ending = {piece.end: index for index, piece in enumerate(tokens.pieces)}

    def node(self, tree: jinja.Node) -> Node:
        """Translate `tree`; its range leaves out brackets around it."""
        chain: list[jinja.Node] = []
        while (below := _left_of(tree)) is not None:
            chain.append(tree)
            tree = below
        result = self.leaf(tree)
        while chain:
            tree = chain.pop()
            result = _STEPS[type(tree)](self, tree, result)
        return result

    def leaf(self, tree: jinja.Node) -> Node:
        build = _LEAVES.get(type(tree))
        piece = self.piece(tree.lineno)
        if build is None:
            raise refusals.node(tree, piece)
        return build(self, tree, piece)

    # --- ranges -------------------------------------------------------------------------------------------------------

    def piece(self, index: int) -> Piece:
        return self.pieces[min(index, len(self.pieces) - 1)]

    def grouped(self, node: Node) -> tuple[int, int]:
        """The range of a node with the brackets that group it."""
        first, last = self.starting[node.start], self.ending[node.end]
        while first > 0 and self.tokens.closing.get(first - 1) == last + 1 and self.tokens.is_grouping(first - 1):
            first, last = first - 1, last + 1
        return self.pieces[first].start, self.pieces[last].end

    def closed(self, opening: int) -> int:
        """The offset after the bracket that closes the one at token `opening`."""
        return self.pieces[self.tokens.closing[opening]].end

    # --- leaves and what nests ----------------------------------------------------------------------------------------

    def literal(self, tree: Any, piece: Piece) -> Node:
        last = tree.lineno
        if piece.kind == "string":  # neighbouring texts are one
            while last + 1 < len(self.pieces) and self.pieces[last + 1].kind == "string":
                last += 1
        return ours.Literally(tree.value, piece.start, self.pieces[last].end)

    def name(self, tree: Any, piece: Piece) -> Node:
        return ours.Name(tree.name, piece.start, piece.end)

    def prefix(self, tree: Any, piece: Piece) -> Node:
        operand = self.node(tree.node)
        operator: Literal["not", "-", "+"] = _PREFIXES[type(tree)]
        return ours.Unary(operator, operand, piece.start, self.grouped(operand)[1])

    def conditional(self, tree: Any, piece: Piece) -> Node:
        if tree.expr2 is None:
            raise refusals.missing_else(piece)
        then, condition, otherwise = self.node(tree.expr1), self.node(tree.test), self.node(tree.expr2)
        return ours.Conditional(condition, then, otherwise, self.grouped(then)[0], self.grouped(otherwise)[1])

    def list_of(self, tree: Any, piece: Piece) -> Node:
        elements = tuple(self.node(item) for item in tree.items)
        return ours.ListOf(elements, piece.start, self.closed(tree.lineno))

    def map_of(self, tree: Any, piece: Piece) -> Node:
        entries = []
        for pair in tree.items:
            if not isinstance(pair.key, jinja.Const) or not isinstance(pair.key.value, str):
                raise refusals.map_key(self.piece(pair.lineno))
            entries.append((pair.key.value, self.node(pair.value)))
        return ours.MapOf(tuple(entries), piece.start, self.closed(tree.lineno))

    # --- chains: each step gets its translated left side --------------------------------------------------------------

    def attribute(self, tree: Any, left: Node) -> Node:
        key = self.piece(tree.lineno + 1)
        return ours.Key(left, tree.attr, key.start, self.grouped(left)[0], key.end)

    def item(self, tree: Any, left: Node) -> Node:
        start = self.grouped(left)[0]
        after = self.piece(tree.lineno + 1)
        end = after.end if self.piece(tree.lineno).text == "." else self.closed(tree.lineno)
        if isinstance(tree.arg, jinja.Const) and isinstance(tree.arg.value, str):
            return ours.Key(left, tree.arg.value, after.start + 1, start, end)
        return ours.Index(left, self.node(tree.arg), start, end)

    def arithmetic(self, tree: Any, left: Node) -> Node:
        right = self.node(tree.right)
        start, end = self.grouped(left)[0], self.grouped(right)[1]
        operator = _BINARY[type(tree)]
        if operator == "-":
            refusals.check_dash(self.tokens.text, left, right)
        return ours.Binary(operator, left, right, start, end)

    def concatenation(self, tree: Any, left: Node) -> Node:
        start = self.grouped(left)[0]
        for item in tree.nodes[1:]:
            right = self.node(item)
            left = ours.Binary("~", left, right, start, self.grouped(right)[1])
        return left

    def logic(self, tree: Any, left: Node) -> Node:
        right = self.node(tree.right)
        operator: Literal["and", "or"] = "and" if isinstance(tree, jinja.And) else "or"
        return ours.Logic(operator, left, right, self.grouped(left)[0], self.grouped(right)[1])

    def comparison(self, tree: Any, left: Node) -> Node:
        operands = (left, *(self.node(operand.expr) for operand in tree.ops))
        operators = tuple(_COMPARE[operand.op] for operand in tree.ops)
        return ours.Compare(operands, operators, self.grouped(left)[0], self.grouped(operands[-1])[1])

    def filter(self, tree: Any, left: Node) -> Node:
        name = self.piece(tree.lineno)
        called = tree.lineno + 1 < len(self.pieces) and self.pieces[tree.lineno + 1].text == "("
        end = self.closed(tree.lineno + 1) if called else name.end
        refusals.check_filter(tree, name, end)
        arguments = tuple(self.node(argument) for argument in tree.args)
        return ours.Filter(left, tree.name, arguments, name.start, self.grouped(left)[0], end)

    def test(self, tree: Any, left: Node) -> Node:
        return self._test(tree, left, negated=False)

    def negated_test(self, tree: Any, left: Node) -> Node:
        return self._test(tree.node, left, negated=True)

    def _test(self, tree: Any, left: Node, *, negated: bool) -> Node:
        name = self.piece(tree.lineno + (2 if negated else 1))
        refusals.check_test(tree, name)
        return ours.Test(left, tree.name, negated, name.start, self.grouped(left)[0], name.end)


_Leaf: TypeAlias = Callable[[_Translator, Any, Piece], Node]
_Step: TypeAlias = Callable[[_Translator, Any, Node], Node]

_PREFIXES: Mapping[type[jinja.Node], Literal["not", "-", "+"]] = {jinja.Not: "not", jinja.Neg: "-", jinja.Pos: "+"}
_LEAVES: Mapping[type[jinja.Node], _Leaf] = {
    jinja.Const: _Translator.literal,
    jinja.Name: _Translator.name,
    jinja.Not: _Translator.prefix,
    jinja.Neg: _Translator.prefix,
    jinja.Pos: _Translator.prefix,
    jinja.CondExpr: _Translator.conditional,
    jinja.List: _Translator.list_of,
    jinja.Dict: _Translator.map_of,
}
_STEPS: Mapping[type[jinja.Node], _Step] = {
    jinja.Getattr: _Translator.attribute,
    jinja.Getitem: _Translator.item,
    jinja.Concat: _Translator.concatenation,
    jinja.And: _Translator.logic,
    jinja.Or: _Translator.logic,
    jinja.Compare: _Translator.comparison,
    jinja.Filter: _Translator.filter,
    jinja.Test: _Translator.test,
    jinja.Not: _Translator.negated_test,
    **dict.fromkeys(_BINARY, _Translator.arithmetic),
}


def _left_of(tree: Any) -> jinja.Node | None:
    """What stands to the left of an operator, `None` for a leaf: chains of these may be long."""
    match tree:
        case jinja.Getattr() | jinja.Getitem() | jinja.Filter() | jinja.Test():
            left: jinja.Node | None = tree.node
        case jinja.Not():
            inner: Any = tree.node
            is_not = isinstance(inner, jinja.Test) and inner.lineno == tree.lineno
            left = inner.node if is_not else None
        case jinja.Concat():
            left = tree.nodes[0]
        case jinja.Compare():
            left = tree.expr
        case jinja.And() | jinja.Or():
            left = tree.left
        case _:
            left = tree.left if type(tree) in _BINARY else None
    return left
