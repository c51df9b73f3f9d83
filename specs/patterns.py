"""Patterns that match in linear time: which regular expressions of a spec are accepted.

Accepted is what never leaves the matcher a choice: at each character at most one way goes on. Then Python's backtracking
matcher tries nothing twice, and a whole match takes time linear in the text. The condition is that of one-unambiguous
expressions (Brueggemann-Klein and Wood, 1998), sharpened so that no empty loop and no loop in a loop hides a choice.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Iterable
from functools import lru_cache, reduce
from operator import or_
from typing import Any

from msgspec import Struct

LONGEST = 1000
DEEPEST = 40
_ASCII = (1 << 128) - 1
# beyond ASCII one bit for each class that `\d`, `\s` and `\w` tell apart
_OTHER_DIGIT, _OTHER_SPACE, _OTHER_WORD, _OTHER_REST = (1 << bit for bit in range(128, 132))
_OTHERS = _OTHER_DIGIT | _OTHER_SPACE | _OTHER_WORD | _OTHER_REST
_ALL = _ASCII | _OTHERS
_NEEDS_MEMORY = {
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ASSERT": "a look-around",
    "ASSERT_NOT": "a look-around",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}


_NO_ASCII = "is invalid: the flag `a` is not supported"


class _Refused(Exception):
    """The pattern is not accepted; the message says why."""


class _Shape(Struct, frozen=True):
    """What the check knows of a piece: may it match nothing, which characters may begin it, and with which may it go
    on after it could have ended."""

    nullable: bool
    first: int
    more: int


_EMPTY = _Shape(True, 0, 0)


@lru_cache(maxsize=1024)
def pattern_problem(pattern: str) -> str | None:
    """Why a pattern is not accepted, in words that follow "the pattern"; `None` if it is."""
    if len(pattern) > LONGEST:
        return f"is longer than {LONGEST} characters"
    if _nesting(pattern) > DEEPEST:
        return f"is nested deeper than {DEEPEST} groups"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            compiled = re.compile(pattern)
            tree = _parse(pattern)
        except (re.error, OverflowError, RecursionError, ValueError) as error:
            return f"is invalid: {getattr(error, 'msg', None) or 'it cannot be read'}"
    if compiled.flags & re.ASCII:
        return _NO_ASCII
    try:
        _sequence(list(tree), ignore_case=bool(compiled.flags & re.IGNORECASE))
    except _Refused as refused:
        return str(refused)
    return None


def _parse(pattern: str) -> Any:
    from re import _parser  # type: ignore[attr-defined]  # the tree that `re` itself compiles; no public way to it

    return _parser.parse(pattern)


def _nesting(pattern: str) -> int:
    depth = deepest = 0
    for character in pattern:
        depth += (character == "(") - (character == ")")
        deepest = max(deepest, depth)
    return deepest


def _sequence(nodes: list[Any], *, ignore_case: bool) -> _Shape:
    whole = _EMPTY
    for node in nodes:
        piece = _shape(node, ignore_case=ignore_case)
        if whole.more & piece.first or (whole.nullable and whole.first & piece.first):
            raise _Refused("needs backtracking: what follows a repetition or an option may begin like it")
        whole = _Shape(
            nullable=whole.nullable and piece.nullable,
            first=whole.first | (piece.first if whole.nullable else 0),
            more=piece.more | (whole.more | piece.first if piece.nullable else 0),
        )
    return whole


def _shape(node: Any, *, ignore_case: bool) -> _Shape:
    name, argument = str(node[0]), node[1]
    if name in _NEEDS_MEMORY:
        raise _Refused(f"needs backtracking: {_NEEDS_MEMORY[name]}")
    if name in ("MAX_REPEAT", "MIN_REPEAT"):
        least, most, body = argument
        return _repeated(_sequence(list(body), ignore_case=ignore_case), int(least), int(most))
    if name == "SUBPATTERN":
        _, added, removed, body = argument
        if added & re.ASCII:
            raise _Refused(_NO_ASCII)
        inner = (ignore_case or bool(added & re.IGNORECASE)) and not removed & re.IGNORECASE
        return _sequence(list(body), ignore_case=inner)
    if name == "BRANCH":
        return _alternatives([_sequence(list(branch), ignore_case=ignore_case) for branch in argument[1]])
    if name == "AT":
        return _EMPTY
    return _Shape(nullable=False, first=_characters(node, ignore_case=ignore_case), more=0)


def _repeated(body: _Shape, least: int, most: int) -> _Shape:
    if most == 0:
        return _EMPTY
    if most > 1 and (body.nullable or body.more & body.first):
        raise _Refused("needs backtracking: a repetition inside a repetition, with nothing between two rounds")
    may_go_on = body.first if least != most else 0
    return _Shape(body.nullable or least == 0, body.first, body.more | (may_go_on if most > 1 else 0))


def _alternatives(branches: list[_Shape]) -> _Shape:
    nullable, first, more = False, 0, 0
    for branch in branches:
        if first & branch.first or (nullable and branch.nullable):
            raise _Refused("needs backtracking: two alternatives may begin alike")
        nullable, first, more = nullable or branch.nullable, first | branch.first, more | branch.more
    return _Shape(nullable, first, more)


def _characters(node: Any, *, ignore_case: bool) -> int:
    """The characters a one-character piece may match, as bits; it may match fewer, never more."""
    name, argument = str(node[0]), node[1]
    if name == "LITERAL":
        return _with_case(_bit(argument), ignore_case=ignore_case)
    if name == "NOT_LITERAL":
        return _ALL if ignore_case else _ALL & ~_covered(("LITERAL", argument))
    if name == "ANY":
        return _ALL
    if name == "CATEGORY":
        return _category(str(argument))
    if name == "RANGE":
        low, high = argument
        return _with_case(_ascii_range(low, high) | (_OTHERS if high > 127 else 0), ignore_case=ignore_case)
    if name == "IN" and str(argument[0][0]) == "NEGATE":
        left_out = 0 if ignore_case else _union(_covered(member) for member in argument[1:])
        return _ALL & ~left_out
    if name == "IN":
        return _union(_characters(member, ignore_case=ignore_case) for member in argument)
    raise _Refused(f"needs backtracking: `{name.lower()}` is not known")


def _union(sets: Iterable[int]) -> int:
    """The union of character sets."""
    return reduce(or_, sets, 0)


def _covered(node: Any) -> int:
    """Bits all of whose characters a member of a class matches: what a negated class certainly leaves out."""
    name, argument = str(node[0]), node[1]
    if name == "CATEGORY":
        return _category(str(argument))
    low, high = argument if name == "RANGE" else (argument, argument)
    return _ascii_range(low, high)


def _ascii_range(low: int, high: int) -> int:
    return sum(1 << code for code in range(low, min(high, 127) + 1))


def _bit(code: int) -> int:
    return 1 << code if code < 128 else _class_bit(chr(code))


def _class_bit(character: str) -> int:
    if character.isdecimal():
        return _OTHER_DIGIT
    if character.isspace():
        return _OTHER_SPACE
    return _OTHER_WORD if character.isalnum() else _OTHER_REST


def _with_case(bits: int, *, ignore_case: bool) -> int:
    if not ignore_case:
        return bits
    both = bits
    for code in range(128):
        if bits >> code & 1 and chr(code).isalpha():
            both |= _bit(ord(chr(code).swapcase()))
            both |= _OTHER_WORD if chr(code) in _FOLDED_FROM_AFAR else 0
    if bits & _OTHERS:
        both |= _OTHERS | _union(_bit(ord(letter)) for letter in _FOLDED_FROM_AFAR)
    return both


_FOLDED_FROM_AFAR = "iIsSkK"  # dotless i, long s and the sign for kelvin match these when case is ignored


def _category(name: str) -> int:
    word = _ascii_where(lambda character: character.isalnum() or character == "_") | _OTHER_DIGIT | _OTHER_WORD
    exactly = {
        "DIGIT": _ascii_where(str.isdecimal) | _OTHER_DIGIT,
        "SPACE": _ascii_where(str.isspace) | _OTHER_SPACE,
        "WORD": word,
    }
    bits = exactly[name.rpartition("_")[2]]
    return _ALL & ~bits if "_NOT_" in name else bits


def _ascii_where(holds: Callable[[str], bool]) -> int:
    return sum(1 << code for code in range(128) if holds(chr(code)))
