"""From the parser's events to plain values with positions beside them; every limit is counted at each event.

The reader's own composer and constructor are not used: they recurse, they expand what an attacker wrote, and they know
types this language does not have.
"""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable
from typing import Any

from msgspec import Struct
from ruamel.yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from specs.codes import CODES
from specs.diagnostics import Diagnostic, Edit, Fix, Label, Place, Source
from specs.scalars import MAY_BE_SPECIAL, NumberError, resolve, shortened
from specs.suggest import did_you_mean

STOP_AFTER = 200
"""Reading stops after so many findings: what follows would not be read by anybody."""

_NO_KEY: Any = object()  # the map waits for a key
_DROPPED: Any = object()  # the key was refused, its value goes nowhere
_PROPERTIES = re.compile(r"(?:[&!][^\s,\[\]{}]*(?:[ \t]*(?:#[^\n]*)?\r?\n)*[ \t]*)+")
_ANCHOR = re.compile(r"&[^\s,\[\]{}]+[ \t]*")
_TAG = re.compile(r"![^\s,\[\]{}]*")
_NOT_STORABLE = re.compile("[\x00\ud800-\udfff]")


class ReadingStoppedError(Exception):
    """Reading cannot or should not go on; the finding that says so has been recorded."""


class Anchor(Struct):
    """What an anchor names. `height` is how many levels its value is deep, `nodes` how many nodes it expands to."""

    name: str
    at: int
    value: Any = None
    span: int = 0
    nodes: int = 1
    height: int = 0
    is_complete: bool = False
    is_used: bool = False


class _Frame:
    """A list or map under construction."""

    __slots__ = ("anchor", "height", "key", "key_span", "nodes_before", "slots", "start", "value")

    def __init__(self, value: Any, start: int, anchor: Anchor | None, nodes_before: int) -> None:
        self.value = value
        self.start = start
        self.anchor = anchor
        self.nodes_before = nodes_before
        self.key: Any = _NO_KEY
        self.key_span = 0
        self.slots: list[int] = []
        self.height = 1


class Builder:
    """Builds one document from events.

    Attributes:
        root: the value, once `build` has returned.
        root_span: where it stands, packed like all spans: start << 32 | end.
        spans: the spans of all children of lists (values) and maps (key, value, key, value, ...).
        first_span: by `id` of a list or map, where its children's spans begin in `spans`.
        alias_targets: by start of an alias, the span of what its anchor names.
    """

    def __init__(self, source: Source, *, nodes: int, depth: int) -> None:
        self.source = source
        self.diagnostics: list[Diagnostic] = []
        self.root: Any = None
        self.root_span = 0
        self.spans = array("Q")
        self.first_span: dict[int, int] = {}
        self.alias_targets: dict[int, int] = {}
        self.documents = 0
        self._node_limit, self._depth_limit = nodes, depth
        self._nodes = 0
        self._texts: dict[str, str] = {}  # an id is written where it is defined and wherever it is named
        self._anchors: dict[str, Anchor] = {}
        self._all_anchors: list[Anchor] = []
        self._top = _Frame([], 0, None, 0)
        self._frame = self._top
        self._stack: list[_Frame] = []
        self._handlers: dict[type, Callable[[Any], None]] = {
            ScalarEvent: self._scalar,
            AliasEvent: self._alias,
            MappingStartEvent: self._start_map,
            SequenceStartEvent: self._start_list,
            MappingEndEvent: self._end,
            SequenceEndEvent: self._end,
            DocumentStartEvent: self._start_document,
            DocumentEndEvent: self._ignore,
            StreamStartEvent: self._ignore,
        }

    def build(self, next_event: Callable[[], Any]) -> None:
        """Take events until the stream ends.

        Raises:
            ReadingStoppedError: a limit was passed, or there is a second document.
        """
        handlers = self._handlers
        while True:
            event = next_event()
            kind = type(event)
            if kind is StreamEndEvent:
                break
            handlers[kind](event)
        self._texts.clear()
        if self._top.value:
            self.root, self.root_span = self._top.value[0], self._top.slots[0]
        if not self.diagnostics:  # an alias that was refused may have been meant for one of them
            for anchor in self._all_anchors:
                if not anchor.is_used:
                    self._report_unused(anchor)

    def report(self, code: str, start: int, end: int, message: str, **more: Any) -> None:
        """Record a finding; past `STOP_AFTER` of them, stop.

        Raises:
            ReadingStoppedError: there are too many.
        """
        place = Place(self.source, start, end)
        self.diagnostics.append(Diagnostic(code, place, message, severity=CODES[code].severity, **more))
        if len(self.diagnostics) >= STOP_AFTER:
            raise ReadingStoppedError

    # --- events ---

    def _ignore(self, event: Any) -> None:
        pass

    def _start_document(self, event: Any) -> None:
        self.documents += 1
        if self.documents > 1:
            start = event.start_mark.index
            self.report("FLOW102", start, start + 3, "the file has more than one document", help="one flow, one file")
            raise ReadingStoppedError

    def _scalar(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        self._nodes = nodes = self._nodes + 1
        if nodes > self._node_limit:
            self._refuse_size(start)
        anchor = None
        if event.anchor is not None or event.ctag is not None:
            anchor, start = self._properties(event, start, end)
        value = self._texts.setdefault(event.value, event.value)
        if not event.style:
            if value[:1] in MAY_BE_SPECIAL:
                value = self._resolved(value, start, end)
        elif event.style == '"' and _NOT_STORABLE.search(value):
            self.report(
                "FLOW109", start, end, "the text holds a character that cannot be stored", help="no NUL, no surrogates"
            )
        span = start << 32 | end
        if anchor is not None:
            anchor.value, anchor.span, anchor.is_complete = value, span, True
        frame = self._frame
        target = frame.value  # what follows is for most scalars; the rest is `_add`'s
        if type(target) is list:
            target.append(value)
            frame.slots.append(span)
        elif frame.key is _NO_KEY and type(value) is str and value not in target and value != "<<":
            frame.key = value
            frame.key_span = span
        else:
            self._add(value, span)

    def _alias(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        anchor = self._anchors.get(event.anchor)
        if anchor is None:
            help_ = did_you_mean(event.anchor, self._anchors)
            self.report("FLOW107", start, end, f"alias `*{shortened(event.anchor)}` is unknown", help=help_)
            self._add(None, start << 32 | end)
            return
        anchor.is_used = True
        if not anchor.is_complete:
            self.report("FLOW107", start, end, f"alias `*{anchor.name}` contains itself")
            self._add(None, start << 32 | end)
            return
        self._nodes += anchor.nodes
        if self._nodes > self._node_limit or len(self._stack) + anchor.height > self._depth_limit:
            limits = f"{self._node_limit} nodes, {self._depth_limit} levels"
            self.report("FLOW107", start, end, f"alias `*{anchor.name}` expands too far", help=f"the limits: {limits}")
            raise ReadingStoppedError
        self._frame.height = max(self._frame.height, anchor.height + 1)
        self.alias_targets[start] = anchor.span
        self._add(anchor.value, start << 32 | end)

    def _start_map(self, event: Any) -> None:
        self._start(event, {})

    def _start_list(self, event: Any) -> None:
        self._start(event, [])

    def _start(self, event: Any, value: Any) -> None:
        start = event.start_mark.index
        self._nodes += 1
        if self._nodes > self._node_limit:
            self._refuse_size(start)
        anchor = None
        if event.anchor is not None or event.ctag is not None:
            anchor, start = self._properties(event, start, event.end_mark.index)
        self._stack.append(self._frame)
        if len(self._stack) > self._depth_limit:
            limit = self._depth_limit
            self.report("FLOW108", start, start + 1, f"the file is nested deeper than {limit} levels")
            raise ReadingStoppedError
        self._frame = _Frame(value, start, anchor, self._nodes - 1)

    def _end(self, event: Any) -> None:
        frame, parent = self._frame, self._stack.pop()
        self._frame = parent
        span = frame.start << 32 | max(event.end_mark.index, frame.start)
        self.first_span[id(frame.value)] = len(self.spans)
        self.spans.extend(frame.slots)
        if frame.height >= parent.height:
            parent.height = frame.height + 1
        if frame.anchor is not None:
            anchor = frame.anchor
            anchor.value, anchor.span, anchor.is_complete = frame.value, span, True
            anchor.nodes, anchor.height = self._nodes - frame.nodes_before, frame.height
        self._add(frame.value, span)

    # --- values and keys ---

    def _add(self, value: Any, span: int) -> None:
        frame = self._frame
        if type(frame.value) is list:
            frame.value.append(value)
            frame.slots.append(span)
        elif frame.key is _NO_KEY:
            frame.key = self._checked_key(frame, value, span)
            frame.key_span = span
        else:
            key, frame.key = frame.key, _NO_KEY
            if key is not _DROPPED:
                frame.value[key] = value
                frame.slots.append(frame.key_span)
                frame.slots.append(span)

    def _checked_key(self, frame: _Frame, key: Any, span: int) -> Any:
        start, end = span >> 32, span & 0xFFFFFFFF
        if isinstance(key, dict | list) or key is None:
            kind = "a map" if isinstance(key, dict) else "a list" if isinstance(key, list) else "null"
            self.report("FLOW106", start, end, f"a key must be text, a number or a boolean, this is {kind}")
            return _DROPPED
        if key == "<<" and self.source.text[start:end] == "<<":
            help_ = "put what tasks share under `templates` and name it with `extends`"
            self.report("FLOW104", start, end, "merge keys are not supported", help=help_)
            return _DROPPED
        if key in frame.value:
            first = frame.slots[2 * list(frame.value).index(key)]
            label = Label(Place(self.source, first >> 32, first & 0xFFFFFFFF), "first here")
            shown = shortened(self.source.text[start:end].strip("\"'"))
            self.report("FLOW103", start, end, f"key `{shown}` occurs twice", labels=(label,))
            return _DROPPED
        return key

    def _resolved(self, text: str, start: int, end: int) -> Any:
        try:
            return resolve(text)
        except NumberError as refusal:
            self.report("FLOW119", start, end, str(refusal), help="put it in quotes if it is text")
            return text

    # --- anchors and tags ---

    def _properties(self, event: Any, start: int, end: int) -> tuple[Anchor | None, int]:
        """The anchor of a node, if it has one, and where the node itself starts."""
        text = self.source.text
        if event.tag is not None:
            tag = _TAG.search(text, start, max(end, start + 1))
            at, stop = tag.span() if tag else (start, end)
            shown = shortened(text[at:stop])
            help_ = "types come from the field; put a value in quotes to make it text"
            self.report("FLOW105", at, stop, f"tags are not supported: `{shown}`", help=help_)
        anchor = None
        if event.anchor is not None:
            at = text.find("&", start)
            anchor = self._anchors[event.anchor] = Anchor(event.anchor, at if at >= 0 else start)
            self._all_anchors.append(anchor)
        match = _PROPERTIES.match(text, start)
        is_empty = isinstance(event, ScalarEvent) and not event.value and not event.style
        return anchor, end if is_empty or match is None else min(match.end(), max(end, start))

    def _report_unused(self, anchor: Anchor) -> None:
        match = _ANCHOR.match(self.source.text, anchor.at)
        end = match.end() if match else anchor.at
        fix = Fix("remove the anchor", (Edit(Place(self.source, anchor.at, end), ""),))
        name_end = anchor.at + 1 + len(anchor.name)
        self.report("FLOW126", anchor.at, name_end, f"anchor `&{shortened(anchor.name)}` is never used", fix=fix)

    def _refuse_size(self, start: int) -> None:
        self.report("FLOW108", start, start + 1, f"the file has more than {self._node_limit} nodes")
        raise ReadingStoppedError
