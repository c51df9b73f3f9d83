"""Expressions that cannot be read, names that do not exist, and `${{ }}` where none belongs (FLOW301-310, 317-323, 341)."""

from __future__ import annotations

from collections.abc import Iterator

from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic, Fix
from specs.expressions.analysis import Read
from specs.expressions.report import Reporter, findings_of
from specs.expressions.templates import CLOSING, OPENING

_CODES = ("FLOW256", "FLOW302", "FLOW303", "FLOW304", "FLOW308", "FLOW309", "FLOW321", "FLOW322", "FLOW323")


def unreadable_expressions(context: FlowContext) -> Iterator[Diagnostic]:
    """Every expression is one of the language."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        error = read.error
        if error is not None:
            span = (error.start, error.end)
            fix = _without_braces(reporter, read) if error.code == "FLOW310" else None
            yield reporter.at(error.code, read.use, span, error.message, help=error.help, fix=fix)


def _without_braces(reporter: Reporter, read: Read) -> Fix | None:
    text = read.use.text.strip()
    inner = text.removeprefix("$").removeprefix("{{").removesuffix(CLOSING).strip()
    start = read.use.text.index(text)
    return reporter.replacing(read.use, (start, start + len(text)), inner) if "{{" not in inner else None


def unknown_names(context: FlowContext) -> Iterator[Diagnostic]:
    """Every name and key that an expression reads exists, and may be read there."""
    yield from findings_of(context, _CODES)


def literal_fields(context: FlowContext) -> Iterator[Diagnostic]:
    """Ids, names, paths of flows and the like hold no expression."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        use = read.use
        if use.form != "literal":
            continue
        start = use.text.index(OPENING)
        end = use.text.find(CLOSING, start)
        span = (start, end + len(CLOSING) if end >= 0 else start + len(OPENING))
        way_out = (
            "write the whole list as one expression" if use.path[2:3] == ("fan_out",) else "write the value itself"
        )
        yield reporter.at("FLOW341", use, span, f"`{use.field}` takes no expression", help=way_out)


RULES: tuple[Rule, ...] = (unreadable_expressions, unknown_names, literal_fields)
