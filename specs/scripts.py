"""The scripts of a flow: their text, which language it is in, what is around them, and where each character stands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal, TypeAlias

from msgspec import Struct

from specs.diagnostics import Diagnostic, Fix, Place
from specs.expressions.templates import contains_template
from specs.model.parts import OutputSpec

if TYPE_CHECKING:
    from specs.context import FlowContext

Path: TypeAlias = tuple[str | int | float | bool, ...]
Language: TypeAlias = Literal["sh", "bash", "python", "other"]

_BY_PROGRAM: Mapping[str, Language] = {"sh": "sh", "dash": "sh", "bash": "bash"}
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")


class Script(Struct, frozen=True):
    """A `run` of a task or of its `undo`.

    Attributes:
        path: of the text; `task_path` of the task.
        env: names that its task gives it.
        outputs: what its task declares; nothing for an `undo`.
    """

    context: FlowContext
    path: Path
    task_path: Path
    text: str
    language: Language
    env: frozenset[str]
    outputs: Mapping[str, OutputSpec]

    @property
    def is_undo(self) -> bool:
        """Whether it undoes what a task did."""
        return len(self.path) > len(self.task_path) + 1

    def index_of(self, line: int, column: int) -> int:
        """The index in the text of a line and a column, both from 1; at most its last character."""
        at = 0
        for _ in range(line - 1):
            following = self.text.find("\n", at)
            if following < 0:
                break
            at = following + 1
        end = self.text.find("\n", at)
        return min(at + max(column, 1) - 1, max(len(self.text) if end < 0 else end, at), max(len(self.text) - 1, 0))

    def place(self, span: tuple[int, int] | None) -> Place | None:
        """Where a span of the text stands in its file; `None` where that cannot be told."""
        if span is None:
            return None
        places = self.context.places
        start = places.scalar_offset(self.path, span[0])
        last = places.scalar_offset(self.path, max(span[1] - 1, span[0]))
        if start is None or last is None or last < start:
            return None
        return Place(places.place(self.path).source, start, last + 1)

    def finding(
        self, code: str, span: tuple[int, int] | None, message: str, *, help_: str | None = None, fix: Fix | None = None
    ) -> Diagnostic:
        """A finding at a span of the text, or at `run` where the span has no place of its own."""
        place = self.place(span)
        return self.context.finding(code, self.path, message, key=place is None, place=place, help=help_, fix=fix)


def scripts_of(context: FlowContext) -> Iterator[Script]:
    """The scripts of a flow, in file order (`FlowContext.scripts` holds them); one that many tasks inherit is there for each.

    Those with an expression in them are left out: FLOW410 says what is wrong there.
    """
    for graph in context.graphs:
        for task, spec in graph.having("run", "undo"):
            path: Path = (*graph.prefix, task)
            language = language_of(spec.shell)
            if spec.run is not None and not contains_template(spec.run):
                yield Script(context, (*path, "run"), path, spec.run, language, frozenset(spec.env), spec.outputs)
            undone = spec.undo.run if spec.undo is not None else None
            if spec.undo is not None and undone is not None and not contains_template(undone):
                names = frozenset((*spec.env, *spec.undo.env))
                yield Script(context, (*path, "undo", "run"), path, undone, language, names, {})


def language_of(shell: str | list[str] | None) -> Language:
    """The language that a `shell` reads; `other` for what is not known, and for a list that says more than options."""
    if shell is None:
        return "sh"
    argv = shell if isinstance(shell, list) else [shell]
    if not argv or any(not word.startswith("-") or word in ("-c", "-m") for word in argv[1:]):
        return "other"
    program = argv[0].rpartition("/")[2]
    return "python" if _PYTHON.fullmatch(program) else _BY_PROGRAM.get(program, "other")


def each_once(findings: Iterable[Diagnostic]) -> Iterator[Diagnostic]:
    """The findings without repetitions: a script that many tasks inherit stands in one place."""
    seen: set[tuple[str, int, int, str, str]] = set()
    for found in findings:
        mark = (found.place.source.name, found.place.start, found.place.end, found.code, found.message)
        if mark not in seen:
            seen.add(mark)
            yield found
