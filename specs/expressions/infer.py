"""The type of an expression, and everything about it that can be known to be wrong before it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from msgspec import Struct

from specs.expressions.errors import EvaluationError
from specs.expressions.evaluate import left_of
from specs.expressions.filters import FILTERS
from specs.expressions.instants import read_date, read_datetime
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
from specs.expressions.types import (
    ANY,
    BOOL,
    FLOAT,
    INT,
    NUMBERS,
    STRING,
    TEXTS,
    WRITABLE,
    Refusal,
    Type,
    comparable,
    join,
    list_of,
    map_of,
    of_value,
    orderable,
)


class Problem(Struct, frozen=True):
    """What is wrong with a part of an expression.

    `asked` and `known`, when there, are the name that is not known and those that are: the help is the nearest of them.
    `replacement`, when there, is what certainly was meant by the text from `start` to `end`.
    """

    code: str
    start: int
    end: int
    message: str
    help: str | None = None
    asked: str | None = None
    known: Iterable[str] = ()
    replacement: str | None = None


class Admitted(Struct, frozen=True):
    """The names of a map that may be used. Gathered when they are asked for: many problems may hold those of many tasks."""

    fields: Mapping[str, Type]

    def __iter__(self) -> Iterator[str]:
        return (name for name, each in self.fields.items() if each.refusal is None)


class Inferred(Struct, frozen=True):
    """The type of an expression and its problems, in the order they were met."""

    type: Type
    problems: tuple[Problem, ...]


_FIELD = Refusal("FLOW304", "`{of}` has no field `{key}`")


def infer(expression: Expression, roots: Mapping[str, Type]) -> Inferred:
    """The type an expression gives where these root names stand for values of these types.

    One cause gives one problem: what follows from a part that is wrong is of type `any`.
    """
    inference = _Inference(expression.text, roots)
    return Inferred(inference.type(expression.root), tuple(inference.problems))


class _Inference:
    def __init__(self, text: str, roots: Mapping[str, Type]) -> None:
        self.text = text
        self.roots = roots
        self.problems: list[Problem] = []

    def type(self, node: Node) -> Type:
        """The type of a node. Recursive on what nests, which the parser bounds; chains to the left are a loop."""
        chain: list[Node] = []
        while (left := left_of(node)) is not None:
            chain.append(node)
            node = left
        result = self._leaf(node)
        while chain:
            result = self._apply(chain.pop(), result)
        return result

    def _report(self, code: str, node: Node, message: str, help: str | None = None) -> Type:  # noqa: A002
        self.problems.append(Problem(code, node.start, node.end, message, help))
        return ANY

    def _leaf(self, node: Node) -> Type:
        match node:
            case Literally():
                return of_value(node.value)
            case Name():
                return self._root(node)
            case Unary():
                return self._unary(node)
            case Conditional():
                self._boolean(self.type(node.condition), node.condition, "if")
                return join((self.type(node.then), self.type(node.otherwise)))
            case ListOf():
                return list_of(join([self.type(element) for element in node.elements]))
            case MapOf():
                return map_of({key: self.type(value) for key, value in node.entries})
        raise AssertionError(node)  # every other node has a left side

    def _apply(self, node: Node, left: Type) -> Type:
        match node:
            case Key():
                return self._key(left, node)
            case Index():
                return self._index(left, node)
            case Filter():
                return self._filter(left, node)
            case Test():
                return BOOL
            case Binary():
                return self._binary(left, node)
            case Logic():
                self._boolean(left, node.left, node.operator)
                self._boolean(self.type(node.right), node.right, node.operator)
                return BOOL
            case Compare():
                return self._compare(left, node)
        raise AssertionError(node)  # leaves are not applied

    # --- names and look-ups -------------------------------------------------------------------------------------------

    def _root(self, node: Name) -> Type:
        found = self.roots.get(node.name)
        if found is None:
            known = sorted(name for name, each in self.roots.items() if each.refusal is None)
            self.problems.append(
                Problem("FLOW302", node.start, node.end, f"unknown name `{node.name}`", asked=node.name, known=known)
            )
            return ANY
        return self._admitted(found, node.start, node.end, node.name)

    def _admitted(self, found: Type, start: int, end: int, key: str) -> Type:
        """The type, unless it says that the name may not be used: then that is reported."""
        refusal = found.refusal
        if refusal is None:
            return found
        message = refusal.message.replace("{key}", key)
        self.problems.append(Problem(refusal.code, start, end, message, refusal.help, replacement=refusal.replacement))
        return ANY

    def _key(self, left: Type, node: Key) -> Type:
        start, end = node.key_start, min(node.end, node.key_start + len(node.key))
        if left.kind == "map":
            if left.fields is None:
                return ANY
            found = left.fields.get(node.key)
            if found is not None:
                return self._admitted(found, start, end, node.key)
            return self._missing(left.missing or _FIELD, left.fields, node, start, end)
        if left.is_known:
            message = f"`{self._shown(node.of)}` is a {left} and has no field `{node.key}`"
            self.problems.append(
                Problem("FLOW304", start, end, message, _LIST_HELP if left.kind == "list" else _SCALAR_HELP)
            )
        return ANY

    def _missing(self, refusal: Refusal, fields: Mapping[str, Type], node: Key, start: int, end: int) -> Type:
        message = refusal.message.replace("{key}", node.key).replace("{of}", self._shown(node.of))
        known = Admitted(fields)
        self.problems.append(Problem(refusal.code, start, end, message, refusal.help, asked=node.key, known=known))
        return ANY

    def _index(self, left: Type, node: Index) -> Type:
        index = self.type(node.index)
        if left.kind == "list" and (not index.is_known or index.kind == "int"):
            return left.items or ANY
        if left.kind == "map" and (not index.is_known or index.kind in TEXTS):
            return ANY
        if not left.is_known or not index.is_known:
            return ANY
        return self._report("FLOW304", node, f"`{self._shown(node.of)}` is a {left} and has no element of a {index}")

    # --- operators ----------------------------------------------------------------------------------------------------

    def _boolean(self, found: Type, node: Node, operator: str) -> None:
        if found.is_known and found.kind != "bool":
            self._report("FLOW314", node, f"`{operator}` takes booleans, this is {found}", boolean_help(found))

    def _unary(self, node: Unary) -> Type:
        operand = self.type(node.operand)
        if node.operator == "not":
            self._boolean(operand, node.operand, "not")
            return BOOL
        if operand.is_known and operand.kind not in NUMBERS:
            return self._report("FLOW314", node, f"`{node.operator}` is not defined for {operand}")
        return operand if operand.is_known else ANY

    def _binary(self, left: Type, node: Binary) -> Type:
        right = self.type(node.right)
        if node.operator == "~":
            for side, part in ((left, node.left), (right, node.right)):
                if side.is_known and side.kind not in WRITABLE:
                    self._report("FLOW315", part, f"{side} inside text", "write `| tojson` or `| join(', ')`")
            return STRING
        if not self._both_numbers(left, right):
            way_out = "join texts with `~`" if node.operator == "+" and left.kind in TEXTS else _NUMBER_HELP
            message = f"`{node.operator}` is not defined for {left} and {right}"
            return self._report("FLOW314", node, message, way_out)
        if node.operator == "/":
            return FLOAT
        if left.kind == right.kind == "int":
            return INT
        return FLOAT if "float" in (left.kind, right.kind) else ANY

    def _both_numbers(self, left: Type, right: Type) -> bool:
        return all(not side.is_known or side.kind in NUMBERS or side.kind == "size" for side in (left, right))

    def _compare(self, left: Type, node: Compare) -> Type:
        for position, symbol in enumerate(node.operators):
            right_node = node.operands[position + 1]
            right = self.type(right_node)
            if symbol in ("in", "not in"):
                self._contains(left, right, node)
            elif not comparable(left, right) or not _text_is_instant(left, right, node.operands[position], right_node):
                self._report("FLOW313", node, f"compares {left} with {right}", comparison_help(left, right))
            elif symbol not in ("==", "!=") and not (orderable(left) and orderable(right)):
                wrong = right if orderable(left) else left
                self._report("FLOW314", node, f"`{symbol}` is not defined for {wrong}", _ORDER_HELP)
            elif symbol in ("==", "!="):
                self._possible(left, node.operands[position], right_node, outcome=symbol == "!=")
                self._possible(right, right_node, node.operands[position], outcome=symbol == "!=")
            left = right
        return BOOL

    def _possible(self, value: Type, node: Node, literal: Node, *, outcome: bool | None) -> None:
        """FLOW311: a text that is one of a few is compared with what it never is."""
        choices = value.choices
        if choices is None or not isinstance(literal, Literally) or not isinstance(literal.value, str):
            return
        if literal.value not in choices:
            so = "" if outcome is None else f", so this is always {'true' if outcome else 'false'}"
            message = f"`{self._shown(node)}` is never `{literal.value}`{so}"
            # the quotes stay where they are when a fix writes the right word
            is_plain = literal.end - literal.start - 2 == len(literal.value)
            start, end = (literal.start + 1, literal.end - 1) if is_plain else (literal.start, literal.end)
            self.problems.append(Problem("FLOW311", start, end, message, asked=literal.value, known=choices))

    def _contains(self, left: Type, right: Type, node: Compare) -> None:
        if right.is_known and right.kind not in ("list", "map", *TEXTS):
            self._report(
                "FLOW314", node, f"`in` is not defined for {right}", "look in a list, the keys of a map or a text"
            )
        elif right.kind in ("map", *TEXTS) and left.is_known and left.kind not in TEXTS:
            self._report("FLOW313", node, f"looks for {left} in {right}", "make it a text with `| string`")
        elif left.choices is not None and isinstance(node.operands[-1], ListOf) and len(node.operands) == 2:
            for element in node.operands[-1].elements:
                self._possible(left, node.operands[0], element, outcome=None)
        elif right.kind == "list" and right.items is not None and not comparable(left, right.items):
            self._report("FLOW313", node, f"looks for {left} in {right}", comparison_help(left, right.items))

    def _filter(self, piped: Type, node: Filter) -> Type:
        spec = FILTERS[node.name]
        arguments = tuple(self.type(argument) for argument in node.arguments)
        if not spec.accepts_type(piped):
            accepted = " or ".join(sorted(spec.accepts))
            return self._report(
                "FLOW308", node, f"filter `{node.name}`: it takes {accepted}, found {piped}", _filter_help(piped)
            )
        for parameter, argument, part in zip(spec.parameters, arguments, node.arguments, strict=False):
            kind = "string" if argument.kind == "path" else argument.kind
            if argument.is_known and kind not in ("duration", "size") and kind not in parameter.kinds:
                wanted = " or ".join(sorted(parameter.kinds))
                message = f"filter `{node.name}`: `{parameter.name}` is {wanted}, found {argument}"
                return self._report("FLOW308", part, message, f"write `{spec.signature}`")
        return spec.result(piped, arguments)

    def _shown(self, node: Node) -> str:
        return self.text[node.start : node.end]


_SCALAR_HELP = "only maps have fields; of a text that holds JSON, read it with `| fromjson` first"
_LIST_HELP = "take an element with `[0]` or `| first`, or the field of each with `| pluck('key')`"
_ORDER_HELP = "order numbers, texts or dates; of a list or a map, for example its `| length`"
_NUMBER_HELP = "make a number of a text with `| int` or `| float`"


def _filter_help(piped: Type) -> str | None:
    return "take its text with `| string`" if piped.kind in ("int", "float", "bool") else None


def boolean_help(found: Type) -> str:
    """How a value of a type is made a condition."""
    by_kind: Mapping[str, str] = {
        **dict.fromkeys(TEXTS, "write `!= ''`"),
        **dict.fromkeys(NUMBERS, "write `> 0` or `!= 0`"),
        **dict.fromkeys(("list", "map"), "write `| length > 0`"),
    }
    return by_kind.get(found.kind, "write `is not none` or a comparison")


def comparison_help(left: Type, right: Type) -> str:
    """How two values of different types are made to compare."""
    kinds = {left.kind, right.kind}
    if "none" in kinds:
        return "write `is none` or `is not none`"
    if kinds & NUMBERS and kinds & TEXTS:
        return "make the text a number with `| int`, or write the literal without quotes"
    if kinds & {"date", "datetime"}:
        return "convert one side with `| date` or `| datetime`"
    return "convert one side, for example with `| string`"


def _text_is_instant(left: Type, right: Type, left_node: Node, right_node: Node) -> bool:
    """Whether a literal text beside a date or a datetime is one."""
    for moment, text in ((left, right_node), (right, left_node)):
        read: Callable[[str], object] | None = _READERS.get(moment.kind)
        if read is not None and isinstance(text, Literally) and isinstance(text.value, str):
            try:
                read(text.value)
            except EvaluationError:
                return False
    return True


_READERS: Mapping[str, Callable[[str], object]] = {"date": read_date, "datetime": read_datetime}
