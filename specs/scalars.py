"""Scalars of YAML 1.2: what a plain text stands for, how a number was written, and where a character of it stands.

The core schema and nothing else: no dates, no sexagesimal numbers, no `yes`. Numbers are kept in the range
that every store and every JSON reader agrees on.
"""

from __future__ import annotations

import re
from typing import TypeAlias

Scalar: TypeAlias = str | int | float | bool | None

SMALLEST, LARGEST = -(2**63), 2**63 - 1
"""Whole numbers outside this range are refused: stores and other readers would change them silently."""

_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_FIRST_OF_NUMBER = frozenset("+-.0123456789")
MAY_BE_SPECIAL = _FIRST_OF_NUMBER | {word[:1] for word in _WORDS}
"""First characters (`""` for the empty text) of plain scalars that may be more than text."""

_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class NumberError(Exception):
    """A plain scalar is a number, but none that can be kept. The message says why."""


class WrittenInt(int):
    """A whole number whose written form differs from `str()` of it: `0755`, `0x1F`, `+1`."""

    written: str

    def __new__(cls, value: int, written: str) -> WrittenInt:
        self = super().__new__(cls, value)
        self.written = written
        return self

    def __getnewargs__(self) -> tuple[int, str]:  # type: ignore[override]  # int's own has one element
        return int(self), self.written


class WrittenFloat(float):
    """A number whose written form differs from `str()` of it: `1.10`, `1e3`."""

    written: str

    def __new__(cls, value: float, written: str) -> WrittenFloat:
        self = super().__new__(cls, value)
        self.written = written
        return self

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]  # float's own has one element
        return float(self), self.written


def resolve(text: str) -> Scalar:
    """What a plain scalar stands for in the core schema.

    Raises:
        NumberError: it is a number that is not finite or too large.
    """
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in _FIRST_OF_NUMBER:
        return text
    if first != "0" and len(text) < 19 and text.isdecimal() and text.isascii():
        return int(text)  # what most numbers are
    if _INT.fullmatch(text):
        return _whole(text)
    if _FLOAT.fullmatch(text):
        return _real(text)
    if _NOT_FINITE.fullmatch(text):
        raise NumberError(f"`{text}` is not a finite number")
    return text


def written_form(value: object) -> str | None:
    """The text of a scalar where text is wanted (`1.10`, `0755`, `true`), `None` for null, lists and maps."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, WrittenInt | WrittenFloat):
        return value.written
    return str(value) if isinstance(value, int | float) else None


def _whole(text: str) -> int:
    base = {"0o": 8, "0x": 16}.get(text[:2], 10)
    # no number in range has more digits than this, but for leading zeros, which nobody writes by the dozen
    value = int(text[2:] if base != 10 else text, base) if len(text) <= 40 else LARGEST + 1
    if not SMALLEST <= value <= LARGEST:
        raise NumberError(f"`{shortened(text)}` is not between {SMALLEST} and {LARGEST}")
    return value if str(value) == text else WrittenInt(value, text)


def _real(text: str) -> float:
    value = float(text) if len(text) <= 400 else float("inf")
    if value in (float("inf"), float("-inf")):
        raise NumberError(f"`{shortened(text)}` is not a finite number")
    return value if repr(value) == text else WrittenFloat(value, text)


def shortened(text: str, length: int = 40) -> str:
    """`text` as a message may show it: on one line, at most `length` characters, nothing a terminal would act on."""
    line = text[: 4 * length]
    if not line.isprintable():
        line = " ".join(line.split())
        line = "".join(character if character.isprintable() else f"\\u{ord(character):04x}" for character in line)
    return line if len(line) <= length and len(text) <= 4 * length else line[: length - 3] + "..."


# --- where a character of a value stands ----------------------------------------------------------------------------

_LITERAL_HEAD = re.compile(r"\|([-+]?)([1-9]?)([-+]?)[ \t]*(?:#[^\n]*)?\r?\n")
_DOUBLE_QUOTED_UNIT = re.compile(r"\\x[0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\.|.", re.DOTALL)


def offset_of(text: str, *, start: int, end: int, value: str, index: int, parent_column: int) -> int | None:
    """Where code point `index` of `value`, the scalar written at `text[start:end]`, stands in `text`.

    `index` may be the length of the value: the place just behind it. `parent_column` (from 0) is needed for block
    scalars with an indentation indicator. `None` where characters and places do not correspond:
    folded and multi-line scalars.
    """
    if not 0 <= index <= len(value) or start == end:
        return None
    first = text[start]
    if first == "|":
        return _offset_in_literal(text, start, end, value, index, parent_column)
    if first == ">" or "\n" in text[start:end]:
        return None
    if first == "'":
        return _offset_in_units(re.compile(r"''|."), text, start + 1, end - 1, index)
    if first == '"':
        return _offset_in_units(_DOUBLE_QUOTED_UNIT, text, start + 1, end - 1, index)
    return start + index


def _offset_in_units(unit: re.Pattern[str], text: str, start: int, end: int, index: int) -> int:
    at = start
    for _ in range(index):
        match = unit.match(text, at, end)
        if match is None:
            return end
        at = match.end()
    return at


def _offset_in_literal(text: str, start: int, end: int, value: str, index: int, parent_column: int) -> int | None:
    head = _LITERAL_HEAD.match(text, start)
    if head is None:
        return None
    line_number = value.count("\n", 0, index)
    column = index - (value.rfind("\n", 0, index) + 1)
    indent = parent_column + int(head[2]) if head[2] else _literal_indent(text, head.end(), end)
    at = head.end()
    for _ in range(line_number):
        at = text.find("\n", at) + 1
        if at == 0:
            return end
    return at + min(indent, _spaces(text, at)) + column


def _literal_indent(text: str, at: int, end: int) -> int:
    while at < end:
        spaces = _spaces(text, at)
        if text[at + spaces : at + spaces + 1] not in ("\n", "\r", ""):
            return spaces
        line_end = text.find("\n", at)
        at = line_end + 1 if line_end >= 0 else end
    return 0


def _spaces(text: str, at: int) -> int:
    stop = at
    while stop < len(text) and text[stop] == " ":
        stop += 1
    return stop - at
