"""Text to expression. Jinja2 is loaded when the first expression is read that is more than a path of names."""

from __future__ import annotations

import re
from functools import lru_cache

from specs.expressions.errors import ExpressionError
from specs.expressions.nodes import Expression, Key, Name, Node
from specs.expressions.references import children

MAX_LENGTH = 4096
"""Bytes of UTF-8 that one expression may take."""

MAX_DEPTH = 200
"""How deep the tree may be, chains such as `a + b + c` included: what compares or stores a tree may be recursive."""

_CACHED = 32_768

# Most expressions are a path such as `tasks.load.output.rows`, with one reading only; those need no parser. What could be
# a word of the grammar goes to Jinja2.
_PATH = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z_][A-Za-z0-9_]*)*)\s*", re.ASCII)
_WORDS = frozenset({"true", "false", "none", "True", "False", "None", "not", "and", "or", "in", "is", "if", "else"})


@lru_cache(maxsize=_CACHED)
def parse(text: str) -> Expression:
    """The expression a text writes; the same text gives the same object while it is remembered.

    Raises:
        ExpressionError: with the code and the place of what is wrong.
    """
    if len(text) * 4 > MAX_LENGTH and len(text.encode("utf-8", "surrogatepass")) > MAX_LENGTH:
        raise ExpressionError(
            "FLOW319",
            f"expression longer than {MAX_LENGTH // 1024} KiB",
            start=0,
            end=len(text),
            help="name a part of it in a `set` task",
        )
    path = _PATH.fullmatch(text)
    root = _path(path) if path and path[1] not in _WORDS else _parsed(text)
    if len(text) > MAX_DEPTH and depth_of(root) > MAX_DEPTH:  # a shorter text has not that many nodes
        raise ExpressionError(
            "FLOW319",
            f"expression has a chain of more than {MAX_DEPTH} operators",
            start=0,
            end=len(text),
            help="name a part of it in a `set` task",
        )
    return Expression(text, root)


def _path(match: re.Match[str]) -> Node:
    start, at = match.start(1), match.end(1)
    node: Node = Name(match[1], start, at)
    for key in match[2].split(".")[1:]:
        end = at + 1 + len(key)
        node = Key(node, key, at + 1, start, end)
        at = end
    return node


def _parsed(text: str) -> Node:
    from specs.expressions.tokens import tokenize
    from specs.expressions.translate import translate

    tokens = tokenize(text)
    if not tokens.pieces:
        raise ExpressionError(
            "FLOW301", "expression: it is empty", start=0, end=len(text), help="write a value, or `''`"
        )
    return translate(tokens)


def depth_of(root: Node) -> int:
    """How many nodes the longest way down a tree passes."""
    deepest = 0
    pending = [(root, 1)]
    while pending:
        node, depth = pending.pop()
        deepest = max(deepest, depth)
        pending.extend((child, depth + 1) for child in children(node))
    return deepest
