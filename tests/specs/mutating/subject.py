"""Clean flows, and how one of them is broken: an edit at a place, and where the finding has to stand afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from specs.context import FlowContext
from specs.diagnostics import Place
from specs.graph import FlowGraph
from specs.model import FlowSpec
from specs.source import Document, read_document
from tests.specs.mutating.checking import EXAMPLES, SPECS, check
from tests.specs.mutating.mutants import Change, Mutant, changed, marks, unmarked


class Subject(Struct, frozen=True):
    """A flow without errors, with the places of everything in it, and the codes of what is found in it as it is."""

    path: Path
    folder: Path
    document: Document
    context: FlowContext
    codes: frozenset[str]

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

    def is_read(self, task: str) -> bool:
        """Whether anything reads the task, or one behind it."""
        behind = {other for other in self.graph.tasks if self.graph.is_upstream(task, other)}
        return any(f"tasks.{one}." in self.text for one in (task, *behind))

    # --- mutants ------------------------------------------------------------------------------------------------------

    def changed(
        self, *changes: Change | None, at: Place | None = None, beside: Mapping[str, str] | None = None
    ) -> Iterator[Mutant]:
        """The flow with all changes, and other files `beside` it; nothing where one of the changes cannot be made.

        What is expected stands in one of the texts between «», or `at` this place of the flow.
        """
        made = [change for change in changes if change is not None]
        if len(made) == len(changes):
            made += marks(at.start, at.end) if at is not None else ()
            yield unmarked(self.name, {**(beside or {}), self.name: changed(self.text, made)})

    def edited(self, start: int, end: int, new: str, at: Place | None = None) -> Mutant:
        """The flow with `new` from `start` to `end`."""
        (mutant,) = self.changed(Change(start, end, new), at=at)
        return mutant

    def replaced(self, path: tuple[Any, ...], new: str, *, key: bool = False, at: Place | None = None) -> Mutant:
        """With another value, or key, at `path`."""
        place = self.document.place(path, key=key)
        return self.edited(place.start, place.end, new, at)

    def with_entry(self, path: tuple[Any, ...], entry: str, at: Place | None = None) -> Iterator[Mutant]:
        """With `entry` (`key: value`) before the first of the map at `path`; nothing where that map is not written."""
        yield from self.changed(self.entries(path, entry), at=at)

    def with_tasks(self, *tasks: str, at: Place | None = None) -> Iterator[Mutant]:
        """With further tasks (`id: {...}`) before the first."""
        yield from self.changed(self.entries(("tasks",), *tasks), at=at)

    def with_section(self, key: str, *entries: str, at: Place | None = None) -> Iterator[Mutant]:
        """With entries in the map that is `key` of the file."""
        yield from self.changed(self.section(key, *entries), at=at)

    def with_element(self, path: tuple[Any, ...], element: str, at: Place | None = None) -> Iterator[Mutant]:
        """With `element` before the first of the list in brackets at `path`."""
        if self._is_in_brackets(path):
            start = self.document.place(path).start
            yield self.edited(start + 1, start + 1, element + ", ", at)

    def with_last_element(self, path: tuple[Any, ...], element: str) -> Iterator[Mutant]:
        """With `element` behind the last of the list in brackets at `path`."""
        if self._is_in_brackets(path):
            end = self.document.place(path).end
            yield self.edited(end - 1, end - 1, ", " + element)

    def without(self, path: tuple[Any, ...], at: Place) -> Iterator[Mutant]:
        """Without the entry at `path`, which must not be the first of its map."""
        yield from self.changed(self.removal(path), at=at)

    # --- changes ------------------------------------------------------------------------------------------------------

    def entries(self, path: tuple[Any, ...], *entries: str) -> Change | None:
        """Entries before the first of the map at `path`, in the way that is written in."""
        value = self.document.value(path)
        if not isinstance(value, dict) or not value or self.document.depth_of(path) != len(path):
            return None
        first = self.document.place((*path, next(iter(value))), key=True)
        before = self.text[self.text.rfind("\n", 0, first.start) + 1 : first.start]
        gap = ", " if before.strip(" -") else "\n" + " " * len(before)
        return Change(first.start, first.start, "".join(entry + gap for entry in entries))

    def section(self, key: str, *entries: str) -> Change | None:
        """Entries in the map that is `key` of the file, whether or not it has one."""
        if key in self.document.data:
            return self.entries((key,), *entries)
        return self.entries((), f"{key}: {{{', '.join(entries)}}}")

    def removal(self, path: tuple[Any, ...]) -> Change | None:
        """The entry at `path` taken out; the first of its map stays."""
        if self.document.depth_of(path) != len(path) or next(iter(self.document.value(path[:-1]))) == path[-1]:
            return None
        key, value = self.document.place(path, key=True), self.document.place(path)
        return Change(len(self.text[: key.start].rstrip(", \n")), value.end, "")

    def _is_in_brackets(self, path: tuple[Any, ...]) -> bool:
        value = self.document.value(path)
        is_written = isinstance(value, list) and bool(value) and self.document.depth_of(path) == len(path)
        return is_written and self.text[self.document.place(path).start] == "["


Mutator = Callable[[Subject], Iterator[Mutant]]
"""Every way in which it can break a flow; nothing for a flow that has not got what it breaks."""


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
    document, checked = read_document(text.encode(), name).document, check(name, {name: text}, folder)
    assert document is not None
    assert checked.context is not None
    assert checked.ok
    return Subject(path, folder, document, checked.context, frozenset(one.code for one in checked.diagnostics))
