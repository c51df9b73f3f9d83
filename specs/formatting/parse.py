"""From the parser's events, and the text between them, to the tree that is laid out again."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from _ruamel_yaml import CParser  # type: ignore[import-not-found]  # an extension without stubs
from msgspec import Struct
from msgspec.structs import replace
from ruamel.yaml.error import YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
)

from specs.diagnostics import Source
from specs.formatting.tree import Alias, Collection, Comment, Entry, FileTree, Node, Scalar

_GAP = re.compile(r"(?P<comment>#[^\r\n]*)|&[^\s,\[\]{}]+|^%[^\s]+(?:[ \t]+[^\s#][^\s]*)*|.", re.MULTILINE | re.DOTALL)
_PROPERTIES = re.compile(r"&[^\s,\[\]{}]+(?:\s+(?:#[^\r\n]*)?)*")
_HEAD = re.compile(r"[|>][-+0-9]*[ \t]*(?P<comment>#[^\r\n]*)?")
_INDICATOR = re.compile(r"[|>][-+]?([1-9])")


class _Found(Struct, frozen=True):
    """A comment on its way to its entry."""

    comment: Comment
    column: int


def parse_tree(source: Source) -> FileTree:
    """The tree of a text that `read_document` accepts without an error."""
    return _Parse(source).run()


def _events(text: str) -> Iterator[Any]:
    """All events. What the C parser refuses is read by the pure one, as `specs.source` does."""
    try:
        parser = CParser(text)
        events: list[Any] = []
        while not events or not isinstance(events[-1], StreamEndEvent):
            events.append(parser.get_event())
    except YAMLError:
        from ruamel.yaml import YAML

        events = list(YAML(typ="safe", pure=True).parse(text))
    return iter(events)


class _Parse:
    """One pass over the events."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._text = source.text
        self._done = 0  # everything before this offset has been looked at
        self._pending: list[_Found] = []
        self._last: Entry | None = None  # whose token was the last
        self._last_line = 0
        self._stack: list[tuple[Collection, Entry | None]] = []
        self._current: Collection | None = None
        self._open: Entry | None = None  # has a key and waits for its value
        self._head_comment: str | None = None  # stands behind the indicator of a block scalar
        self._root: Collection | None = None
        self._header: list[Comment] = []

    def run(self) -> FileTree:
        for event in _events(self._text):
            self._scan(event.start_mark.index)
            if isinstance(event, ScalarEvent):
                self._add(self._scalar(event), event.start_mark.index, event.end_mark.index)
            elif isinstance(event, AliasEvent):
                self._add(Alias(event.anchor), event.start_mark.index, event.end_mark.index)
            elif isinstance(event, MappingStartEvent | SequenceStartEvent):
                self._start(event)
            elif isinstance(event, MappingEndEvent | SequenceEndEvent):
                self._end(event)
            else:
                self._scan(event.end_mark.index)
        self._scan(len(self._text))
        assert self._root is not None  # noqa: S101 - a document that was accepted has a map at its top
        self._root.footer += self._taken()
        return FileTree(self._header, self._root)

    # --- comments ---------------------------------------------------------------------------------------------------------

    def _scan(self, end: int) -> None:
        """Collect the comments up to `end`; a comment behind a token on its line belongs to that token's entry."""
        if end <= self._done:
            return
        for match in _GAP.finditer(self._text, self._done, end):
            if match["comment"] is not None:
                self._comment(match.start(), match["comment"].rstrip())
        self._done = end

    def _comment(self, at: int, text: str) -> None:
        line, column = self._source.position(at)
        alone = not self._source.line(line)[: column - 1].strip()
        owner = self._last
        if alone or owner is None or self._last_line != line:
            self._pending.append(_Found(Comment(text, self._blank_before(line)), column - 1 if alone else 0))
        else:
            self._attach(owner, text)

    def _attach(self, entry: Entry, text: str) -> None:
        """Put a comment behind an entry; a line has room for one, a further one goes before it."""
        if entry.trailing is None:
            entry.trailing = text
        else:
            entry.leading.append(Comment(text))

    def _blank_before(self, line: int) -> bool:
        return line > 1 and not self._source.line(line - 1).strip()

    def _taken(self) -> list[Comment]:
        taken = [found.comment for found in self._pending]
        self._pending.clear()
        return taken

    def _owned(self, entry: Entry | None, start: int, end: int) -> None:
        """Note that the token from `start` to `end` is of `entry`."""
        self._done = max(self._done, end)
        self._last = entry
        self._last_line = self._source.position(max(start, end - 1))[0]

    # --- nodes ------------------------------------------------------------------------------------------------------------

    def _scalar(self, event: Any) -> Scalar:
        start, end = event.start_mark.index, event.end_mark.index
        if event.anchor is not None:
            start = self._skip_anchor(start, end)
        raw, style = self._text[start:end], event.style or ""
        if style not in ("|", ">"):
            return Scalar(event.value, style, raw.rstrip() if not style else raw, event.anchor)
        head = _HEAD.match(raw)
        assert head is not None  # noqa: S101 - the parser has read it as a block scalar
        self._head_comment = head["comment"]
        return Scalar(event.value, style, raw, event.anchor, self._content_indent(raw))

    def _skip_anchor(self, start: int, end: int) -> int:
        """Where a value begins behind its anchor; comments between the two are collected."""
        head = _PROPERTIES.match(self._text, start, end)
        start = head.end() if head is not None else start
        self._scan(start)
        return start

    def _content_indent(self, raw: str) -> int:
        indicator = _INDICATOR.match(raw)
        lines = raw.split("\n")[1:]
        if indicator is not None:
            assert self._current is not None  # noqa: S101 - the top of a flow is a map
            return self._current.column + int(indicator[1])
        return next((len(line) - len(line.lstrip(" ")) for line in lines if line.strip()), 0)

    def _add(self, node: Node, start: int, end: int) -> None:
        """Put a node where it belongs: a key, a value, an item."""
        entry = self._place(node, start)
        comment, self._head_comment = self._head_comment, None
        if comment is not None:
            self._attach(entry, comment.rstrip())
        self._owned(entry, start, end)

    def _place(self, node: Node, start: int) -> Entry:
        current = self._current
        assert current is not None  # noqa: S101 - the top of a flow is a map
        if self._open is not None:
            entry, self._open = self._open, None
            entry.value = node
            if not isinstance(node, Collection) or node.is_flow:
                entry.leading += self._taken()
            return entry
        line = self._source.position(start)[0]
        key = node if current.is_map and not isinstance(node, Collection) else None
        entry = Entry(key, node, blank=self._blank_before(line))
        if current is self._root and not current.entries:
            self._take_header(entry)
        entry.leading = self._taken()
        current.entries.append(entry)
        if current.is_map:
            self._open = entry
        return entry

    def _take_header(self, first: Entry) -> None:
        """Comments at the top of a file with an empty line after them are about the file, not about its first key."""
        comments = [found.comment for found in self._pending]
        blanks = [*(comment.blank for comment in comments[1:]), first.blank]
        count = max((number + 1 for number, follows in enumerate(blanks) if follows), default=0) if comments else 0
        self._header = comments[:count]
        del self._pending[:count]
        if count == len(comments):
            first.blank = False  # the empty line ends the header, wherever its first key goes
        elif count:
            self._pending[0] = replace(self._pending[0], comment=Comment(self._pending[0].comment.text))

    def _start(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        self._scan(end if not event.flow_style else max(start, end - 1))
        head = _PROPERTIES.match(self._text, start)
        column = self._source.position(head.end() if head is not None else start)[1] - 1
        node = Collection(isinstance(event, MappingStartEvent), bool(event.flow_style), column, event.anchor)
        if self._current is None:
            self._root, entry = node, None
        else:
            entry = self._place(node, start)
        if node.is_flow:
            self._owned(entry, start, end)
        self._stack.append((self._current, entry) if self._current is not None else (node, None))
        self._current = node

    def _end(self, event: Any) -> None:
        node = self._current
        assert node is not None  # noqa: S101 - it was started
        parent, entry = self._stack.pop()
        if node.is_flow:
            self._end_flow(node, entry)
            self._owned(entry, event.start_mark.index, event.end_mark.index)
        else:
            count = self._own_comments(node, parent)
            node.footer = [found.comment for found in self._pending[:count]]
            del self._pending[:count]
        self._current = parent if self._stack else None

    def _end_flow(self, node: Collection, entry: Entry | None) -> None:
        comments = self._taken()
        if node.entries or entry is None:
            node.footer = comments
        else:
            entry.leading += comments

    def _own_comments(self, node: Collection, parent: Collection) -> int:
        """How many of the comments behind a collection are indented as its entries are."""
        least = node.column
        if not node.is_map and parent.is_map and parent.column == node.column and parent is not node:
            least += 1  # a list that is not indented below its key
        count = 0
        while count < len(self._pending) and self._pending[count].column >= least:
            count += 1
        return count
