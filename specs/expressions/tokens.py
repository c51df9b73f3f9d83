"""The tokens of an expression with their offsets, read by Jinja2's lexer, and how deep they nest.

Jinja2 keeps line numbers only. Here every token's "line number" is its index in the list of tokens, so that each node and
each error of its parser leads back to a token, and a token to its offsets.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise
from typing import NamedTuple

from jinja2 import Environment
from jinja2.exceptions import TemplateSyntaxError
from jinja2.lexer import TokenStream
from msgspec import Struct, field

from specs.expressions.errors import ExpressionError

MAX_NESTING = 32
"""How deep brackets, prefix operators and conditionals may nest."""

MAX_INTEGER_BITS = 4096
"""The largest whole number, in bits: of a literal and of what arithmetic gives."""

_OPEN = {"(": ")", "[": "]", "{": "}"}
_WORDS = frozenset({"not", "and", "or", "in", "is", "if", "else"})
_HINTS = {
    "$": "an expression here has no `${{ }}` of its own",
    "&": "write `and`",
    "!": "write `not`, or `!=`",
    "?": "write `x if c else y`",
    "`": "texts are quoted with `'` or `\"`",
    "'": "close the quoted text",
    '"': "close the quoted text",
    "\\": "escapes belong inside a quoted text",
}


class Piece(NamedTuple):
    """A token as it stands in the text, from `start` up to `end`."""

    kind: str
    text: str
    start: int
    end: int


class Tokens(Struct, frozen=True):
    """All tokens of a text but white space; `closing` maps the index of an opening bracket to that of its partner."""

    text: str
    pieces: tuple[Piece, ...]
    closing: Mapping[int, int] = field(default_factory=dict)

    def stream(self) -> TokenStream:
        """The tokens for Jinja2's parser; the line number of each is its index here."""
        raw = ((index, piece.kind, piece.text) for index, piece in enumerate(self.pieces))
        return TokenStream(environment().lexer.wrap(raw), None, None)

    def is_grouping(self, index: int) -> bool:
        """Whether the `(` at `index` groups, rather than holding the arguments of a call or a filter."""
        if index == 0:
            return True
        before = self.pieces[index - 1]
        if before.kind == "name":
            return before.text in _WORDS
        return before.kind == "operator" and before.text not in ")]}"


@cache
def environment() -> Environment:
    """The Jinja2 environment whose lexer and parser are used. Its delimiters cannot stand in a YAML text."""
    return Environment(  # noqa: S701 - nothing is rendered with it
        variable_start_string="\x01\x02",
        variable_end_string="\x03\x02",
        block_start_string="\x01\x04",
        block_end_string="\x03\x04",
        comment_start_string="\x01\x05",
        comment_end_string="\x03\x05",
    )


def tokenize(text: str) -> Tokens:
    """The tokens of `text`.

    Raises:
        ExpressionError: FLOW301 for what is no token, FLOW307 for a statement, FLOW319 for what nests too deep.
    """
    # The lexer turns every kind of line break into one "\n"; doing it here, length kept, keeps the offsets true.
    source = text.replace("\r\n", " \n").replace("\r", "\n")
    pieces = tuple(_pieces(source))
    for before, after in pairwise(pieces):
        if before.end == after.start and (before.text, after.text) in (("{", "%"), ("%", "}")):
            raise ExpressionError(
                "FLOW307",
                "statements are not allowed",
                start=before.start,
                end=after.end,
                help="write `x if c else y`, or use the keys of the task: `if`, `fan_out`, `branch`",
            )
    for piece in pieces:
        _check_number(piece)
    closing = _closing(pieces)
    _check_nesting(pieces)
    return Tokens(text, pieces, closing)


def _pieces(source: str) -> Iterator[Piece]:
    offset = 0
    try:
        for _, kind, text in environment().lexer.tokeniter(source, None, None, "variable"):
            end = offset + len(text)
            if kind != "whitespace":
                yield Piece(kind, text, offset, end)
            offset = end
    except TemplateSyntaxError as error:
        character = source[offset : offset + 1]
        raise ExpressionError(
            "FLOW301",
            "expression: the quoted text has no end" if character in "'\"" else f"expression: unexpected `{character}`",
            start=offset,
            end=offset + 1,
            help=_HINTS.get(character) or _unbalanced(character),
        ) from error


def _unbalanced(character: str) -> str | None:
    return "check that the brackets match" if character in ")]}" else None


def _check_number(piece: Piece) -> None:
    if piece.kind == "float" and math.isinf(float(piece.text.replace("_", ""))):
        problem = "is too large for a number"
    elif piece.kind == "integer" and len(piece.text) > 300 and _bits(piece.text) > MAX_INTEGER_BITS:
        problem = "has too many digits"
    else:
        return
    shown = piece.text if len(piece.text) <= 20 else piece.text[:17] + "..."
    raise ExpressionError("FLOW301", f"expression: `{shown}` {problem}", start=piece.start, end=piece.end)


def _bits(digits: str) -> int:
    return int(digits.replace("_", ""), 0).bit_length()


def _closing(pieces: tuple[Piece, ...]) -> dict[int, int]:
    """Partners of opening brackets. The lexer has checked that closing ones fit; one may be left open."""
    open_at: list[int] = []
    closing: dict[int, int] = {}
    for index, piece in enumerate(pieces):
        if piece.kind == "operator" and piece.text in _OPEN:
            open_at.append(index)
        elif piece.kind == "operator" and piece.text in ")]}" and open_at:
            closing[open_at.pop()] = index
    if open_at:
        piece = pieces[open_at[-1]]
        raise ExpressionError(
            "FLOW301",
            f"expression: `{piece.text}` is not closed",
            start=piece.start,
            end=piece.end,
            help=f"add `{_OPEN[piece.text]}`",
        )
    return closing


def _check_nesting(pieces: tuple[Piece, ...]) -> None:
    """Refuse what would make a recursive parser go deep: brackets, chains of prefix operators, chains of conditionals."""
    prefixes = 0
    conditionals = [0]  # open ones at each level of brackets
    operand_before = False
    for piece in pieces:
        if piece.kind == "operator":
            _count_brackets(piece.text, conditionals)
        prefix = not operand_before and piece.text in ("-", "+", "not")
        prefixes += prefix
        conditionals[-1] += piece.text == "else"
        if len(conditionals) - 1 + prefixes + sum(conditionals) > MAX_NESTING:
            raise ExpressionError(
                "FLOW319",
                f"expression nested deeper than {MAX_NESTING}",
                start=piece.start,
                end=piece.end,
                help="name a part of it in a `set` task",
            )
        operand_before = piece.text not in _WORDS if piece.kind == "name" else _ends_operand(piece)
        if operand_before and piece.text not in ")]}":
            prefixes = 0


def _count_brackets(operator: str, conditionals: list[int]) -> None:
    if operator in _OPEN:
        conditionals.append(0)
    elif operator in ")]}" and len(conditionals) > 1:
        conditionals.pop()
    elif operator == ",":
        conditionals[-1] = 0


def _ends_operand(piece: Piece) -> bool:
    return piece.kind != "operator" or piece.text in ")]}"


def token_at(error: TemplateSyntaxError, tokens: Tokens) -> Piece | None:
    """The token a Jinja2 error is about."""
    return tokens.pieces[error.lineno] if 0 <= error.lineno < len(tokens.pieces) else None
