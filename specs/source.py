"""From bytes to a document: plain values, and where each key and value of them stands.

All limits on hostile input live here and in `specs/builder.py`; whatever is wrong comes back as a finding.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Callable
from typing import Any

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # an extension without stubs
from msgspec import Struct, field
from ruamel.yaml.error import YAMLError

from specs.builder import Builder, ReadingStoppedError
from specs.codes import CODES
from specs.collection import without_collection
from specs.diagnostics import Diagnostic, Label, Place, Source, has_errors
from specs.scalars import WrittenFloat, WrittenInt, offset_of, written_form

__all__ = [
    "DEFAULT_LIMITS",
    "Document",
    "Limits",
    "Reading",
    "WrittenFloat",
    "WrittenInt",
    "read_document",
    "written_form",
]

Path = tuple[Any, ...]


class Limits(Struct, frozen=True):
    """What a file may cost; settings, since they hold before the file is read."""

    file_bytes: int = 8 << 20
    nodes: int = 1_000_000
    depth: int = 40


DEFAULT_LIMITS = Limits()


class Document(Struct, frozen=True):
    """A file as plain dicts, lists and scalars, and the place of everything in it.

    A value that is an alias stands where the alias stands; what is inside it, where the anchor is.
    """

    source: Source
    data: Any
    built: Builder
    _orders: dict[int, dict[Any, int]] = field(default_factory=dict)

    def depth_of(self, path: Path) -> int:
        """How many parts of `path` exist in the file."""
        value = self.data
        for number, part in enumerate(path):
            if not _has(value, part):
                return number
            value = value[part]
        return len(path)

    def value(self, path: Path) -> Any:
        """The value at `path`, `None` when there is none."""
        value = self.data
        for part in path:
            if not _has(value, part):
                return None
            value = value[part]
        return value

    def place(self, path: Path, *, key: bool = False) -> Place:
        """Where the value at `path` stands, or with `key` its key; the nearest parent of a path that goes too deep."""
        depth = self.depth_of(path)
        span = self._span(path[:depth], key=key and depth == len(path))
        start, end = span >> 32, span & 0xFFFFFFFF
        text = self.source.text
        trimmed = start + len(text[start:end].rstrip())
        return Place(self.source, start, max(trimmed, start))

    def scalar_offset(self, path: Path, index: int) -> int | None:
        """The offset in the file of code point `index` of the text at `path`; `None` where it cannot be told."""
        value = self.value(path)
        if not path or not isinstance(value, str) or self.depth_of(path) < len(path):
            return None
        span = self._span(path)
        span = self.built.alias_targets.get(span >> 32, span)
        start, end = span >> 32, span & 0xFFFFFFFF
        text, column = self.source.text, self._parent_column(path)
        return offset_of(text, start=start, end=end, value=value, index=index, parent_column=column)

    def _span(self, path: Path, *, key: bool = False) -> int:
        if not path:
            return self.built.root_span
        parent = self.value(path[:-1])
        first = self.built.first_span[id(parent)]
        if isinstance(parent, list):
            return self.built.spans[first + int(path[-1])]
        return self.built.spans[first + 2 * self._order(parent)[path[-1]] + (0 if key else 1)]

    def _order(self, container: dict[Any, Any]) -> dict[Any, int]:
        order = self._orders.get(id(container))
        if order is None:
            order = self._orders[id(container)] = {key: number for number, key in enumerate(container)}
        return order

    def _parent_column(self, path: Path) -> int:
        """The column (from 0) block content of this value is indented against: of its key, or of its dash."""
        if isinstance(path[-1], int) and isinstance(self.value(path[:-1]), list):
            at = self.source.text.rfind("-", 0, self._span(path) >> 32)
        else:
            at = self._span(path, key=True) >> 32
        return self.source.position(max(at, 0))[1] - 1


class Reading(Struct, frozen=True):
    """What came of reading a file: a document unless it could not be read at all, and what was found.

    `is_sound` says whether the values can be relied on: nothing but a second occurrence of a key was left out.
    """

    source: Source
    document: Document | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def is_sound(self) -> bool:
        """Whether a check of the structure makes sense."""
        return self.document is not None and not has_errors(d for d in self.diagnostics if d.code != "FLOW103")


def read_document(data: bytes, name: str, limits: Limits = DEFAULT_LIMITS) -> Reading:
    """Read a file. Never raises for what the bytes are; a map at the top is the only root there may be."""
    if len(data) > limits.file_bytes:
        source = Source(name, "")
        return _refused(source, "FLOW108", 0, 0, f"the file is larger than {_size(limits.file_bytes)}")
    text_or_refusal = _decode(data, name)
    if isinstance(text_or_refusal, Reading):
        return text_or_refusal
    source = Source(name, text_or_refusal)
    bad = _FORBIDDEN.search(source.text)
    if bad is not None:
        return _refuse_character(source, bad)
    with without_collection():
        return _build(source, limits)


# --- bytes to text --------------------------------------------------------------------------------------------------

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)")
"""What YAML does not allow as it stands, and line breaks that readers disagree about."""


def _decode(data: bytes, name: str) -> str | Reading:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            return _refused(Source(name, ""), "FLOW109", 0, 0, f"the file is {encoding}, not UTF-8", _SAVE_AS_UTF8)
    data = data.removeprefix(codecs.BOM_UTF8)
    if data[:1] == b"\0" or data[1:2] == b"\0":
        return _refused(Source(name, ""), "FLOW109", 0, 0, "the file is UTF-16 or UTF-32, not UTF-8", _SAVE_AS_UTF8)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        before = data[: error.start].decode()
        source = Source(name, data.decode(errors="replace"))
        message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        return _refused(source, "FLOW109", len(before), len(before) + 1, message, _SAVE_AS_UTF8)


_SAVE_AS_UTF8 = "save the file as UTF-8"


def _refuse_character(source: Source, bad: re.Match[str]) -> Reading:
    character = bad[0]
    if character == "\r":
        message, help_ = "a carriage return without a line feed", "end lines with LF or CRLF"
    else:
        message = f"the character U+{ord(character):04X} is not allowed"
        escape = f"\\u{ord(character):04x}"
        help_ = "remove it" if character == "\0" else f"remove it, or write `{escape}` in double quotes"
    return _refused(source, "FLOW109", bad.start(), bad.end(), message, help_)


def _size(size_bytes: int) -> str:
    whole = size_bytes % (1 << 20) == 0
    return f"{size_bytes >> 20} MiB" if whole and size_bytes else f"{size_bytes} bytes"


# --- text to document -----------------------------------------------------------------------------------------------

PURE_PARSER_LIMIT = 200_000
"""Characters up to which a text that the C parser refuses is read again by the pure one, which is 20 times slower."""


def _build(source: Source, limits: Limits) -> Reading:
    builder = Builder(source, nodes=limits.nodes, depth=limits.depth)
    try:
        builder.build(CParser(source.text).get_event)
    except ReadingStoppedError:
        return Reading(source, None, tuple(builder.diagnostics))
    except YAMLError as error:
        again = _build_again(source, limits) if _may_be_mistaken(error, source) else None
        return again or _yaml_error(source, error)
    except Exception as error:  # noqa: BLE001 - the parser is not ours, and no input may end in a traceback
        return _refused(source, "FLOW101", 0, 0, f"YAML: the reader failed with {type(error).__name__}")
    return _finished(source, builder)


def _may_be_mistaken(error: YAMLError, source: Source) -> bool:
    """The C parser refuses a colon inside a plain scalar in brackets (`[group:dba]`), which YAML 1.2 allows."""
    problem = getattr(error, "problem", None) or ""
    return problem == "found unexpected ':'" and len(source.text) <= PURE_PARSER_LIMIT


def _build_again(source: Source, limits: Limits) -> Reading | None:
    from ruamel.yaml import YAML  # the pure parser: only when it is needed

    builder = Builder(source, nodes=limits.nodes, depth=limits.depth)
    events = iter(YAML(typ="safe", pure=True).parse(source.text))
    next_event: Callable[[], Any] = events.__next__
    try:
        builder.build(next_event)
    except ReadingStoppedError:
        return Reading(source, None, tuple(builder.diagnostics))
    except Exception:  # noqa: BLE001 - the C parser's message is shown instead
        return None
    return _finished(source, builder)


def _finished(source: Source, builder: Builder) -> Reading:
    root, (start, end) = builder.root, (builder.root_span >> 32, builder.root_span & 0xFFFFFFFF)
    found = tuple(builder.diagnostics)
    if root is None and not found:
        return _refused(source, "FLOW102", 0, 0, "the file is empty", "a flow needs `version` and `tasks`")
    if not isinstance(root, dict) and has_errors(found):
        return Reading(source, None, found)
    if not isinstance(root, dict):
        kind = "a list" if isinstance(root, list) else "text" if isinstance(root, str) else "a single value"
        refused = _refused(source, "FLOW112", start, end, f"expected a map, found {kind}", "begin with `version: 1`")
        return Reading(source, None, (*found, *refused.diagnostics))
    return Reading(source, Document(source, root, builder), found)


_YAML_HELP = (
    ("mapping values are not allowed", "put text with a colon and a space in quotes; else look at the indentation"),
    ("cannot start any token", "put the text in quotes; indent with spaces, not with tabs"),
    ("found unexpected ':'", "put the text in quotes"),
    ("did not find expected <block end>", "look at the indentation"),
    ("did not find expected key", "look at the indentation, and for a missing quote"),
    ("could not find expected ':'", "look for a missing colon, and at the indentation"),
    ("unexpected end of stream", "a quote or a bracket is never closed"),
    ("unknown escape", "double the backslash, or use single quotes"),
    ("Unicode character escape", "write the character itself"),
)  # fmt: skip


def _yaml_error(source: Source, error: YAMLError) -> Reading:
    problem = " ".join(str(getattr(error, "problem", None) or "it cannot be read").split())
    start = _index(source, getattr(error, "problem_mark", None))
    context, context_mark = getattr(error, "context", None), getattr(error, "context_mark", None)
    labels: tuple[Label, ...] = ()
    if context and context_mark is not None:
        at = _index(source, context_mark)
        labels = (Label(Place(source, at, _end(source, at)), str(context)),)
    help_ = next((text for part, text in _YAML_HELP if part in problem), None)
    place = Place(source, start, _end(source, start))
    diagnostic = Diagnostic("FLOW101", place, f"YAML: {problem}", help=help_, labels=labels)
    return Reading(source, None, (diagnostic,))


def _index(source: Source, mark: Any) -> int:
    return min(max(getattr(mark, "index", 0), 0), len(source.text))


def _end(source: Source, start: int) -> int:
    return start + 1 if start < len(source.text) and source.text[start] not in "\r\n" else start


def _refused(source: Source, code: str, start: int, end: int, message: str, help_: str | None = None) -> Reading:
    found = Diagnostic(code, Place(source, start, end), message, help=help_, severity=CODES[code].severity)
    return Reading(source, None, (found,))


def _has(value: Any, part: Any) -> bool:
    if isinstance(value, list):
        return type(part) is int and 0 <= part < len(value)
    return isinstance(value, dict) and part in value
