"""Where in a flow the cursor stands, told from the text around it alone: it is being written, and may not be YAML yet.

Only lines upward from the cursor are looked at, and of brackets only those that are open there, so that an answer takes
as long for a large file as for a small one.
"""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

Path: TypeAlias = tuple[str | int, ...]

_LINE = re.compile(
    r"(?P<indent> *)(?P<dashes>(?:-(?: +|$))*)"
    r"(?:(?P<key>\"[^\"\n]*\"|'[^'\n]*'|[^\s#\[\]{},\"'&*!|>%@`][^#\[\]{},\n]*?)[ \t]*:(?=[ \t\r]|$))?"
)
_BLOCK = re.compile(r"[ \t]*(?:&\S+[ \t]+)?[|>][-+0-9]*[ \t]*(?:#.*)?\r?$")
_SPACE = re.compile(r"(?:\s|(?<![^\s])#[^\n]*)*")
_WORD = re.compile(r"[\w.$-]*$")
_MOST_LINES = 20_000
"""Lines looked at upward from the cursor."""

_BARE_ENDS = ("if", "where", "until", "dedup_key")
_BARE_PATHS = (("fan_out", "items"), ("fan_out", "key"), ("switch", "value"), ("concurrency", "key"), ("dedup", "key"))


class Cursor(Struct, frozen=True):
    """A place in a flow.

    Attributes:
        path: of the map whose key stands here, or of the value that does.
        kind: a `key` of the map at `path`, its `value`, or text inside a `literal` block.
        word: what stands between the start of the token and the cursor.
        start: where the token starts.
        siblings: keys the map has already, the one under the cursor left out.
        expression: the expression up to the cursor, `None` where there is none.
        in_brackets: whether the value stands inside brackets of a list or map.
    """

    path: Path
    kind: Literal["key", "value", "literal"]
    word: str
    start: int
    siblings: frozenset[str] = frozenset()
    expression: str | None = None
    in_brackets: bool = False


class _Line(Struct):
    """A line as far as its shape tells: its dashes and its key."""

    number: int
    indent: int
    dashes: list[int]
    key: str | None
    key_column: int
    rest: int  # column behind dashes and key

    @property
    def column(self) -> int:
        """Where the entry of the line starts."""
        return self.dashes[0] if self.dashes else self.key_column


def cursor_at(text: str, offset: int) -> Cursor:
    """Where the cursor stands. Never raises, whatever the text is."""
    offset = max(0, min(offset, len(text)))
    line_start = text.rfind("\n", 0, offset) + 1
    end = text.find("\n", offset)
    lines = _lines_above(text, line_start)
    current = text[line_start : end if end >= 0 else len(text)]
    found = _Finder(lines, current, offset - line_start).find()
    start = line_start + found.start
    return _with_expression(replace(found, start=start, word=text[start:offset]), text[line_start:offset])


def _lines_above(text: str, line_start: int) -> list[str]:
    """The lines above the cursor, the nearest last."""
    at = line_start
    for _ in range(_MOST_LINES):
        if at == 0:
            break
        at = text.rfind("\n", 0, at - 1) + 1
    return text[at:line_start].split("\n")[:-1]


def _shape(line: str, number: int) -> _Line | None:
    """The shape of a line, `None` for an empty one and a comment."""
    if not line.strip() or line.lstrip().startswith("#"):
        return None
    match = _LINE.match(line)
    assert match is not None  # noqa: S101 - every part of the pattern may be empty
    dashes = [match.start("dashes") + at for at, character in enumerate(match["dashes"]) if character == "-"]
    key_column = match.end("dashes")
    rest = match.end() + 1 if match["key"] is not None else key_column
    key = match["key"].strip("\"'") if match["key"] is not None else None
    return _Line(number, len(match["indent"]), dashes, key, key_column, rest)


class _Finder:
    """Finds the path of one cursor."""

    def __init__(self, above: list[str], current: str, column: int) -> None:
        self._above = above
        self._current = current
        self._column = column

    def find(self) -> Cursor:
        before = self._current[: self._column]
        if before.lstrip().startswith("#"):
            return Cursor((), "literal", "", self._word_start(before))
        own = _shape(before + "x" if not before.strip() else before, len(self._above)) or _Line(0, 0, [], None, 0, 0)
        chain = self._ancestors(own.dashes[0] if own.dashes else own.key_column)
        literal = self._literal(chain)
        if literal is not None:
            return Cursor(literal, "literal", "", self._word_start(before))
        opener = self._opener(own, chain)
        if opener is not None:
            return opener
        base = self._path(chain)
        path = (*base, *(self._index(own, column, chain) for column in own.dashes))
        if own.key is not None and self._column >= own.rest:
            value_start = own.rest + len(before[own.rest :]) - len(before[own.rest :].lstrip())
            return Cursor((*path, own.key), "value", "", value_start)
        if own.dashes and own.key is None:
            start = own.key_column
            return Cursor(path, "value", "", start)
        return Cursor(path, "key", "", own.key_column, self._siblings(own))

    def _word_start(self, before: str) -> int:
        match = _WORD.search(before)
        return match.start() if match else len(before)

    # --- lines above ------------------------------------------------------------------------------------------------------

    def _ancestors(self, column: int) -> list[_Line]:
        """The lines the cursor's entry lies below, the outermost first; a list may stand as far left as its key."""
        chain: list[_Line] = []
        own_is_item = self._current[column : column + 1] == "-"
        for number in range(len(self._above) - 1, -1, -1):
            shape = _shape(self._above[number], number)
            if shape is None:
                continue
            parts = [*shape.dashes, shape.key_column] if shape.key is not None else list(shape.dashes)
            nearest = max((part for part in parts if part < column), default=None)
            if own_is_item and self._opens_list(shape, column):
                nearest = column
            if nearest is None:
                continue
            chain.append(self._cut(shape, nearest))
            column, own_is_item = shape.dashes[0] if shape.dashes else shape.key_column, bool(shape.dashes)
            if column == 0 and not own_is_item:
                break
        return chain[::-1]

    def _opens_list(self, shape: _Line, column: int) -> bool:
        """Whether a line is a key without a value, so that a list may follow in its own column."""
        return (
            shape.key is not None and shape.key_column == column and not self._above[shape.number][shape.rest :].strip()
        )

    def _cut(self, shape: _Line, nearest: int) -> _Line:
        """A line as the parent of what starts right of `nearest`: its key counts only if that is what is nearest."""
        if shape.key is not None and shape.key_column <= nearest:
            return shape
        dashes = [dash for dash in shape.dashes if dash <= nearest]
        return replace(shape, dashes=dashes, key=None)

    def _literal(self, chain: list[_Line]) -> Path | None:
        """The path of the block of text the cursor is in."""
        for count, line in enumerate(chain, 1):
            if line.key is not None and _BLOCK.match(self._above[line.number], line.rest):
                return self._path(chain[:count])
        return None

    def _path(self, chain: list[_Line]) -> Path:
        path: list[str | int] = []
        for count, line in enumerate(chain):
            path += [self._index(line, column, chain[:count]) for column in line.dashes]
            if line.key is not None:
                path.append(line.key)
        return tuple(path)

    def _index(self, line: _Line, column: int, chain: list[_Line]) -> int:
        """Which item of its list the dash at `column` is."""
        first = chain[-1].number if chain else -1
        count = 0
        for number in range(line.number - 1, first, -1):
            shape = _shape(self._above[number], number)
            if shape is not None and column in shape.dashes:
                count += 1
            elif shape is not None and shape.column < column:
                break
        return count

    def _siblings(self, own: _Line) -> frozenset[str]:
        found = set()
        for number in range(own.number - 1, -1, -1):
            shape = _shape(self._above[number], number)
            if shape is None:
                continue
            if shape.key is not None and shape.key_column == own.key_column:
                found.add(shape.key)
            if shape.column < own.key_column:
                break
        return frozenset(found)

    # --- brackets ---------------------------------------------------------------------------------------------------------

    def _opener(self, own: _Line, chain: list[_Line]) -> Cursor | None:
        """The cursor inside brackets that are open where it stands, on this line or since one above it."""
        before = self._current[: self._column]
        inside = _Brackets().read(before[own.rest :])
        if inside.frames:
            path = (*self._path(chain), *(self._index(own, column, chain) for column in own.dashes))
            path = path if own.key is None else (*path, own.key)
            return inside.cursor(path, own.rest)
        for count in range(len(chain), 0, -1):
            line = chain[count - 1]
            text = "\n".join([self._above[line.number][line.rest :], *self._above[line.number + 1 :], before])
            if not text.lstrip().startswith(("[", "{")):
                continue
            inside = _Brackets().read(text)
            if inside.frames:
                shift = len(text) - len(before)
                return inside.cursor(self._path(chain[:count]), -shift)
        return None


class _Frame(Struct):
    """An open bracket: of a map with its key so far, or of a list with its index."""

    is_map: bool
    key: str | None = None
    index: int = 0
    seen: list[str] = field(default_factory=list)


class _Brackets:
    """Reads a value up to the cursor."""

    def __init__(self) -> None:
        self.frames: list[_Frame] = []
        self._token = 0
        self._text = ""

    def read(self, text: str) -> _Brackets:
        self._text = text
        at = 0
        while at < len(text):
            character = text[at]
            if character in "\"'" and not text[self._token : at].strip():
                at = self._quoted_end(at)
                continue
            if character == "#" and (at == 0 or text[at - 1].isspace()):
                line_end = text.find("\n", at)
                at = line_end if line_end >= 0 else len(text)
                continue
            if not self.frames and character not in "[{" and not character.isspace():
                return self  # a plain value, in which brackets are text
            if text.startswith("${{", at):
                closing = text.find("}}", at)
                at = closing + 2 if closing >= 0 else len(text)
                continue
            self._sign(character, at)
            at += 1
        return self

    def _quoted_end(self, at: int) -> int:
        quote, stop = self._text[at], at + 1
        while stop < len(self._text) and self._text[stop] != quote:
            stop += 2 if self._text[stop] == "\\" and quote == '"' else 1
        return stop + 1

    def _sign(self, character: str, at: int) -> None:
        frame = self.frames[-1] if self.frames else None
        if character in "[{":
            self.frames.append(_Frame(character == "{"))
        elif character in "]}" and frame is not None:
            self.frames.pop()
        elif character == "," and frame is not None:
            frame.index += 1
            if frame.key is not None:
                frame.seen.append(frame.key)
            frame.key = None
        elif character == ":" and frame is not None and frame.is_map and frame.key is None:
            frame.key = self._text[self._token : at].strip().strip("\"'")
        else:
            return
        self._token = at + 1

    def cursor(self, base: Path, shift: int) -> Cursor:
        """The cursor at the end of what was read, `shift` columns further on its line."""
        path: list[str | int] = list(base)
        for frame in self.frames[:-1]:
            path.append((frame.key or "") if frame.is_map else frame.index)
        last = self.frames[-1]
        token = self._text[self._token :]
        start = shift + self._token + _SPACE.match(token).end()  # type: ignore[union-attr]  # it matches nothing, too
        if last.is_map and last.key is None:
            return Cursor(tuple(path), "key", "", start, frozenset(last.seen), in_brackets=True)
        path.append((last.key or "") if last.is_map else last.index)
        return Cursor(tuple(path), "value", "", start, in_brackets=True)


# --- expressions ------------------------------------------------------------------------------------------------------


def _with_expression(cursor: Cursor, before: str) -> Cursor:
    """The cursor with the expression it stands in: behind `${{` on its line, or in a field that is one."""
    opening = before.rfind("${{")
    if opening >= 0 and "}}" not in before[opening:]:
        return replace(cursor, expression=before[opening + 3 :])
    if cursor.kind == "value" and is_bare(cursor.path):
        return replace(cursor, expression=cursor.word.lstrip("\"'"))
    return cursor


def is_bare(path: Path) -> bool:
    """Whether the text at `path` is an expression by its place."""
    if not path:
        return False
    return path[-1] in _BARE_ENDS or path[-2:] in _BARE_PATHS or path[-3:-1] == ("fan_out", "matrix")
