"""Patterns that match in linear time: which regular expressions of a spec are accepted.

Accepted is what never leaves the matcher a choice: at each character at most one way goes on. Then Python's backtracking
matcher tries nothing twice, and a whole match takes time linear in the text. The condition is that of one-unambiguous
expressions (Brueggemann-Klein and Wood, 1998), sharpened so that no empty loop and no loop in a loop hides a choice.
"""

from __future__ import annotations

import re
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

LONGEST = 1000
DEEPEST = 40
_ASCII = (1 << 128) - 1
_OTHERS = 1 << 128  # one bit for everything beyond ASCII
_ALL = _ASCII | _OTHERS
_NEEDS_MEMORY = {
    "GROUPREF": "a back reference",
    "GROUPREF_EXISTS": "a conditional group",
    "ASSERT": "a look-around",
    "ASSERT_NOT": "a look-around",
    "ATOMIC_GROUP": "an atomic group",
    "POSSESSIVE_REPEAT": "a possessive repetition",
}


class _Refused(Exception):
    """The pattern is not accepted; the message says why."""


@dataclass(frozen=True, slots=True)
class _Shape:
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
    """The characters a one-character piece may match, as bits; more than it does where Unicode is concerned."""
    name, argument = str(node[0]), node[1]
    if name == "LITERAL":
        return _with_case(_bit(argument), ignore_case=ignore_case)
    if name == "NOT_LITERAL":
        return _ALL if ignore_case else _complement(_bit(argument))
    if name == "ANY":
        return _ALL
    if name == "CATEGORY":
        return _category(str(argument))
    if name == "RANGE":
        low, high = argument
        bits = sum(1 << code for code in range(low, min(high, 127) + 1)) | (_OTHERS if high > 127 else 0)
        return _with_case(bits, ignore_case=ignore_case)
    if name == "IN":
        is_negated = str(argument[0][0]) == "NEGATE"
        bits = 0
        for member in argument[1:] if is_negated else argument:
            bits |= _characters(member, ignore_case=ignore_case)
        return _complement(bits) if is_negated and not ignore_case else _ALL if is_negated else bits
    raise _Refused(f"needs backtracking: `{name.lower()}` is not known")


def _bit(code: int) -> int:
    return 1 << code if code < 128 else _OTHERS


def _complement(bits: int) -> int:
    return (_ASCII & ~bits) | _OTHERS


def _with_case(bits: int, *, ignore_case: bool) -> int:
    if not ignore_case:
        return bits
    both = bits
    for code in range(128):
        if bits >> code & 1 and chr(code).isalpha():
            both |= _bit(ord(chr(code).swapcase())) | _OTHERS  # `k` also matches the sign for kelvin
    return both


def _category(name: str) -> int:
    ascii_of = {
        "DIGIT": sum(1 << code for code in range(128) if chr(code).isdigit()),
        "SPACE": sum(1 << code for code in range(128) if chr(code).isspace()),
        "WORD": sum(1 << code for code in range(128) if chr(code).isalnum() or chr(code) == "_"),
    }
    kind = name.rpartition("_")[2]
    bits = ascii_of[kind]
    return (_ASCII & ~bits if "_NOT_" in name else bits) | _OTHERS
