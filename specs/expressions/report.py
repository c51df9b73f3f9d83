"""Findings about expressions, each at the exact name inside its text."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from specs.diagnostics import Diagnostic, Edit, Fix, Place
from specs.expressions.analysis import Part
from specs.expressions.infer import Problem
from specs.expressions.uses import Use
from specs.suggest import listed, nearest

if TYPE_CHECKING:
    from specs.context import FlowContext

_SUGGESTIONS = 20
"""So many names of one code are looked up for a near one; no more findings of one code are shown."""


class Reporter:
    """Makes the findings of one rule."""

    def __init__(self, context: FlowContext) -> None:
        self.context = context
        self._suggested: dict[str, int] = {}

    def at(
        self,
        code: str,
        use: Use,
        span: tuple[int, int] | None,
        message: str,
        *,
        help: str | None = None,  # noqa: A002 - the diagnostic's word
        fix: Fix | None = None,
    ) -> Diagnostic:
        """A finding at a span of the text of `use`, or at the whole of it where the span has no place of its own."""
        place = place_of(self.context, use, span)
        return self.context.finding(code, use.path, message, place=place, help=help, fix=fix)

    def problem(self, use: Use, part: Part, problem: Problem) -> Diagnostic:
        """The finding of a problem that inference met."""
        span = (part.offset + problem.start, part.offset + problem.end)
        near, listing = self._known(problem) if problem.asked is not None else (None, None)
        way_out = f"did you mean `{near}`?" if near else problem.help or listing
        replacement = problem.replacement or near
        fix = self.replacing(use, span, replacement) if replacement else None
        return self.at(problem.code, use, span, problem.message, help=way_out, fix=fix)

    def replacing(self, use: Use, span: tuple[int, int], text: str) -> Fix | None:
        """The fix that writes `text` over a span; `None` where the span has no place of its own in this file."""
        place = place_of(self.context, use, span)
        if place is None or self.context.places.inherited(use.path):
            return None
        return Fix(f"write `{text}`", (Edit(place, text),))

    def _known(self, problem: Problem) -> tuple[str | None, str | None]:
        """The name that was meant, if there is one near, and all that could be."""
        count = self._suggested.get(problem.code, 0)
        self._suggested[problem.code] = count + 1
        if problem.asked is None or count >= _SUGGESTIONS:
            return None, None
        names = listed(problem.known)
        return nearest(problem.asked, problem.known), f"known here: {names}" if names else None


def place_of(context: FlowContext, use: Use, span: tuple[int, int] | None) -> Place | None:
    """Where a span of the text of `use` stands in its file, `None` where that cannot be told."""
    if span is None or span[1] <= span[0]:
        return None
    start = context.places.scalar_offset(use.path, span[0])
    last = context.places.scalar_offset(use.path, span[1] - 1)
    if start is None or last is None or last < start:
        return None
    return Place(context.places.place(use.path).source, start, last + 1)


def findings_of(context: FlowContext, codes: Iterable[str]) -> Iterable[Diagnostic]:
    """The findings of all problems that inference met with one of these codes."""
    wanted = frozenset(codes)
    reporter = Reporter(context)
    for read in context.expressions.reads:
        for part in read.parts:
            for problem in part.inferred.problems:
                if problem.code in wanted:
                    yield reporter.problem(read.use, part, problem)
