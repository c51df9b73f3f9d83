"""What the grammar admits and the language does not, each with its code and the way out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from jinja2 import nodes as jinja

from specs.expressions.errors import ExpressionError
from specs.expressions.filters import FILTERS, TESTS
from specs.expressions.nodes import Key, Literally, Name, Node
from specs.expressions.tokens import Piece, Tokens
from specs.suggest import did_you_mean

ROOTS = ("params", "env", "run", "trigger", "tasks", "task", "item", "item_index", "item_key", "secrets")
"""Every root name of the language (`LANGUAGE.md` 13)."""

_SIGNS: Mapping[str, str] = {
    "=": "compare with `==`",
    "|": "for an alternative write `or`",
    ";": "one expression only",
}
_METHODS: Mapping[str, str] = {
    "upper": "| upper", "lower": "| lower", "strip": "| trim", "lstrip": "| trim", "rstrip": "| trim",
    "replace": "| replace(old, new)", "split": "| split(separator)", "join": "| join(separator)", "get": "| default(value)",
    "index": "in", "startswith": "==", "format": "~", "sort": "| sort", "reverse": "| reverse", "count": "| length",
    "encode": "| b64encode", "isoformat": "| string", "basename": "| basename", "date": "| date",
}  # fmt: skip
_FUNCTIONS: Mapping[str, str] = {
    "len": "| length", "str": "| string", "int": "| int", "float": "| float", "abs": "| abs", "round": "| round",
    "min": "| min", "max": "| max", "sum": "| sum", "sorted": "| sort", "reversed": "| reverse", "json": "| tojson",
    "toJSON": "| tojson", "toJson": "| tojson", "fromJSON": "| fromjson", "fromJson": "| fromjson", "now": "run.started_at",
    "today": "run.started_at | date", "contains": "in", "defined": "is defined", "set": "| unique",
}  # fmt: skip
_NODES: Mapping[type[jinja.Node], tuple[str, str | None]] = {
    jinja.Pow: ("powers", "multiply: `x * x`"),
    jinja.Slice: ("slices", "take one element with `| first`, `| last` or `[0]`"),
    jinja.Tuple: ("tuples", "write a list: `[a, b]`"),
}


def syntax(message: str, piece: Piece | None, tokens: Tokens, *, ended: bool) -> ExpressionError:
    """FLOW301 at a token, or at the end of the text when the parser ran out of tokens."""
    of_grammar = message.startswith(("unexpected", "expected", "Expected"))
    if piece is None or (ended and of_grammar):
        end = tokens.pieces[-1].end
        return ExpressionError("FLOW301", "expression: it ends too early", start=end - 1, end=end, help="finish it")
    message = f"unexpected `{piece.text}`" if of_grammar else message[:1].lower() + message[1:]
    return ExpressionError(
        "FLOW301", f"expression: {message}", start=piece.start, end=piece.end, help=_SIGNS.get(piece.text)
    )


def missing_else(piece: Piece) -> ExpressionError:
    """A conditional without `else` would be undefined half of the time."""
    return ExpressionError(
        "FLOW301", "expression: `if` without `else`", start=piece.start, end=piece.end, help="write `x if c else y`"
    )


def map_key(piece: Piece) -> ExpressionError:
    """Keys of a map in an expression are known when it is read."""
    return ExpressionError(
        "FLOW306",
        "computed keys are not allowed",
        start=piece.start,
        end=piece.end,
        help="quote the key: `{'key': value}`",
    )


def node(tree: Any, piece: Piece) -> ExpressionError:
    """FLOW306 for a node outside the allow-list, naming the filter that does the same."""
    if isinstance(tree, jinja.Call):
        return _call(tree, piece)
    what, way_out = _NODES.get(type(tree), (f"`{type(tree).__name__.lower()}`", None))
    return ExpressionError("FLOW306", f"{what} are not allowed", start=piece.start, end=piece.end, help=way_out)


def _call(tree: jinja.Call, piece: Piece) -> ExpressionError:
    called = tree.node
    if isinstance(called, jinja.Getattr):
        shown, instead = f".{called.attr}", _METHODS.get(called.attr)
    elif isinstance(called, jinja.Name):
        shown, instead = called.name, _FUNCTIONS.get(called.name)
    else:
        shown, instead = "", None
    message = f"calls are not allowed: `{shown}()`" if shown else "calls are not allowed"
    way_out = f"write `{instead}`" if instead else f"filters are: {', '.join(sorted(FILTERS))}"
    return ExpressionError("FLOW306", message, start=piece.start, end=piece.end, help=way_out)


def check_filter(tree: Any, name: Piece, end: int) -> None:
    """Refuse an unknown filter (FLOW305) and arguments that do not fit (FLOW308)."""
    spec = FILTERS.get(tree.name)
    if spec is None:
        raise _unknown("filter", tree.name, name, FILTERS)
    literals = [argument.value if isinstance(argument, jinja.Const) else ... for argument in tree.args]
    named = bool(tree.kwargs or tree.dyn_args or tree.dyn_kwargs)
    problem = "it takes no named arguments" if named else spec.problem(literals)
    if problem is not None:
        raise ExpressionError(
            "FLOW308", f"filter `{tree.name}`: {problem}", start=name.start, end=end, help=f"write `{spec.signature}`"
        )


def check_test(tree: Any, name: Piece) -> None:
    """Refuse an unknown test (FLOW305) and one with arguments (FLOW308)."""
    if tree.name not in TESTS:
        raise _unknown("test", tree.name, name, TESTS)
    if tree.args or tree.kwargs or tree.dyn_args or tree.dyn_kwargs:
        message = f"test `{tree.name}`: it takes no arguments"
        raise ExpressionError("FLOW308", message, start=name.start, end=name.end, help=f"write `is {tree.name}`")


def _unknown(what: str, name: str, piece: Piece, known: Iterable[str]) -> ExpressionError:
    return ExpressionError(
        "FLOW305",
        f"unknown {what} `{name}`",
        start=piece.start,
        end=piece.start + len(name),
        help=did_you_mean(name, sorted(known)),
    )


_WORD = re.compile(r"[A-Za-z0-9_]*\Z")
_DASHED = re.compile(r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*")


def check_dash(text: str, left: Node, right: Node) -> None:
    """Refuse `tasks.my-id`, which reads as a subtraction: no white space, and what follows is no name of the language."""
    at = left.end
    if text[at : at + 1] != "-" or right.start != at + 1 or not isinstance(left, Key | Name):
        return
    base = right
    while isinstance(base, Key):
        base = base.of
    is_number = isinstance(base, Literally) and base is not right
    if not is_number and not (isinstance(base, Name) and base.name not in ROOTS):
        return
    word = _WORD.search(text[:at])
    start = word.start() if word else at
    dashed = _DASHED.match(text, start)
    written = dashed[0] if dashed else text[start:at]
    raise ExpressionError(
        "FLOW318",
        "`-` here is a minus",
        start=start,
        end=start + len(written),
        help=f"did you mean `{written.replace('-', '_')}`?",
    )
