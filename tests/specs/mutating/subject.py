"""Clean flows, and how one of them is broken: an edit at a place, and where the finding has to stand afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from engine.connectors.catalogue import InstalledCatalogue
from specs.check import Checked, check_text
from specs.context import FlowContext
from specs.diagnostics import Place
from specs.graph import FlowGraph
from specs.model import FlowSpec
from specs.source import Document, read_document
from tests.specs.projects import FolderFiles

SPECS = Path(__file__).parents[1]
EXAMPLES = SPECS.parents[1] / "examples"
OPEN, CLOSE = "«", "»"


@dataclass(frozen=True)
class Mutant:
    """A broken flow: its text, and the part of it at which the one finding is expected."""

    text: str
    start: int
    end: int

    @property
    def marked(self) -> str:
        """The text the finding is about."""
        return self.text[self.start : self.end]


@dataclass(frozen=True)
class Subject:
    """A flow without errors, with the places of everything in it."""

    path: Path
    folder: Path
    document: Document
    context: FlowContext

    @property
    def name(self) -> str:
        return str(self.path.relative_to(self.folder))

    @property
    def text(self) -> str:
        return self.document.source.text

    @property
    def flow(self) -> FlowSpec:
        return self.context.flow

    @property
    def graph(self) -> FlowGraph:
        return self.context.graphs[0]

    @property
    def tasks(self) -> dict[str, dict[str, Any]]:
        """The tasks as they are written."""
        tasks: dict[str, dict[str, Any]] = self.document.data["tasks"]
        return tasks

    def params(self, *types: str) -> list[str]:
        """Parameters of these types."""
        return [name for name, param in self.flow.params.items() if param.type in types]

    def leaves(self) -> Iterator[str]:
        """Tasks that may be skipped without consequence: nothing waits for them, nothing reads them."""
        for task, spec in self.graph.tasks.items():
            is_wanted = self.graph.outgoing[task] or f"tasks.{task}." in self.text or spec.before_complete
            if not is_wanted and "if" not in self.tasks[task] and "extends" not in self.tasks[task]:
                yield task

    # --- edits --------------------------------------------------------------------------------------------------------

    def edited(self, start: int, end: int, new: str, at: Place | None = None) -> Mutant:
        """The flow with `new` from `start` to `end`. What is expected stands in `new` between «», or `at` this place."""
        before, after = self.text[:start], self.text[end:]
        plain = new.replace(OPEN, "").replace(CLOSE, "")
        text = before + plain + after
        if at is None:
            first = start + new.index(OPEN)
            return Mutant(text, first, start + new.index(CLOSE) - len(OPEN))
        shift = len(plain) - (end - start) if at.start >= end else 0
        return Mutant(text, at.start + shift, at.end + shift)

    def replaced(self, path: tuple[Any, ...], new: str, *, key: bool = False, at: Place | None = None) -> Mutant:
        """With another value, or key, at `path`."""
        place = self.document.place(path, key=key)
        return self.edited(place.start, place.end, new, at)

    def with_entry(self, path: tuple[Any, ...], entry: str, at: Place | None = None) -> Iterator[Mutant]:
        """With `entry` (`key: value`) before the first of the map at `path`; nothing where that map is not written."""
        value = self.document.value(path)
        if isinstance(value, dict) and value and self.document.depth_of(path) == len(path):
            first = self.document.place((*path, next(iter(value))), key=True)
            before = self.text[self.text.rfind("\n", 0, first.start) + 1 : first.start]
            gap = ", " if before.strip(" -") else "\n" + " " * len(before)
            yield self.edited(first.start, first.start, entry + gap, at)

    def with_element(self, path: tuple[Any, ...], element: str, at: Place | None = None) -> Iterator[Mutant]:
        """With `element` before the first of the list in brackets at `path`."""
        if isinstance(self.document.value(path), list) and self.document.depth_of(path) == len(path):
            start = self.document.place(path).start
            if self.text[start] == "[" and self.document.value(path):
                yield self.edited(start + 1, start + 1, element + ", ", at)

    def with_last_element(self, path: tuple[Any, ...], element: str) -> Iterator[Mutant]:
        """With `element` behind the last of the list in brackets at `path`."""
        if isinstance(self.document.value(path), list) and self.document.depth_of(path) == len(path):
            place = self.document.place(path)
            if self.text[place.start] == "[" and self.document.value(path):
                yield self.edited(place.end - 1, place.end - 1, ", " + element)

    def without(self, path: tuple[Any, ...], at: Place) -> Iterator[Mutant]:
        """Without the entry at `path`, which must not be the first of its map."""
        if self.document.depth_of(path) == len(path) and next(iter(self.document.value(path[:-1]))) != path[-1]:
            key, value = self.document.place(path, key=True), self.document.place(path)
            start = len(self.text[: key.start].rstrip(", \n"))
            yield self.edited(start, value.end, "", at)

    def check(self, text: str) -> Checked:
        """What is found in `text` in place of this flow."""
        return check(text, self.name, self.folder)


Mutator = Callable[[Subject], Iterator[Mutant]]
"""Every way in which it can break a flow; nothing for a flow that has not got what it breaks."""


def check(text: str, name: str, folder: Path) -> Checked:
    """Check a flow with the connectors that are built in, and those of the examples."""
    return check_text(text.encode(), name, FolderFiles(folder), catalogue=InstalledCatalogue(_types(), lambda: ()))


@lru_cache(maxsize=1)
def _types() -> dict[str, str]:
    reading = read_document((EXAMPLES / "flowctl.yaml").read_bytes(), "flowctl.yaml")
    assert reading.document is not None
    types: dict[str, str] = reading.document.data["connectors"]
    return types


@lru_cache(maxsize=1)
def subjects() -> tuple[Subject, ...]:
    """The flows of the examples and of the corpus."""
    corpus = SPECS / "corpus"
    paths = [(path, EXAMPLES) for path in sorted((*EXAMPLES.glob("*.yaml"), *EXAMPLES.glob("flows/*.yaml")))]
    paths += [(path, corpus) for path in sorted(corpus.glob("*.yaml"))]
    return tuple(
        _subject(path, folder)
        for path, folder in paths
        if path.name != "flowctl.yaml" and not path.name.endswith(".test.yaml")
    )


def _subject(path: Path, folder: Path) -> Subject:
    text = path.read_text(encoding="utf-8")
    name = str(path.relative_to(folder))
    document, checked = read_document(text.encode(), name).document, check(text, name, folder)
    assert document is not None
    assert checked.context is not None
    assert checked.ok
    return Subject(path, folder, document, checked.context)
