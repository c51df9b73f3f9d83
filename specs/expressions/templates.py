"""Texts with `${{ }}` in them, and whole values of a spec compiled once."""

from __future__ import annotations

from typing import Any

from specs.expressions.errors import ExpressionError
from specs.expressions.nodes import Expression, Template
from specs.expressions.parse import parse
from specs.expressions.values import CompiledValue, Fixed, ListValue, MapValue
from specs.scalars import written_form

OPENING = "${{"
CLOSING = "}}"


def contains_template(text: str) -> bool:
    """Whether a text has an expression in it, complete or not."""
    return OPENING in text


def parse_template(text: str) -> Template:
    """A text as literal pieces and expressions.

    Raises:
        ExpressionError: FLOW317 for `${{` without its end, else as `parse`; offsets count from the start of `text`.
    """
    parts: list[str | Expression] = []
    offsets: list[int] = []
    at = 0
    while (opening := text.find(OPENING, at)) >= 0:
        if opening > at:
            parts.append(text[at:opening])
        start = opening + len(OPENING)
        end = _closing(text, start)
        if end is None:
            raise ExpressionError(
                "FLOW317", "`${{` without `}}`", start=opening, end=start, help="end the expression with `}}`"
            )
        parts.append(_inner(text, start, end))
        offsets.append(start)
        at = end + len(CLOSING)
    if at < len(text) or not parts:
        parts.append(text[at:])
    return Template(text, tuple(parts), tuple(offsets))


def _inner(text: str, start: int, end: int) -> Expression:
    try:
        return parse(text[start:end])
    except ExpressionError as error:
        raise ExpressionError(
            error.code, error.message, start=start + error.start, end=start + error.end, help=error.help
        ) from error


def _closing(text: str, start: int) -> int | None:
    """Where the expression that starts at `start` ends: at the first `}}` outside quoted texts and braces.

    When quotes or braces do not match there is none such; then the first `}}` of all, so that the parser can say why.
    """
    depth = 0
    quote = ""
    at = start
    while at < len(text):
        character = text[at]
        if quote:
            if character == "\\":
                at += 1
            elif character == quote:
                quote = ""
        elif character in "'\"":
            quote = character
        elif character == "{":
            depth += 1
        elif character == "}":
            if depth == 0 and text.startswith(CLOSING, at):
                return at
            depth = max(0, depth - 1)
        at += 1
    end = text.find(CLOSING, start)
    return end if end >= 0 else None


def compile_value(value: Any) -> CompiledValue:
    """A value of a spec, with every text that holds `${{ }}` parsed.

    Raises:
        ExpressionError: for the first text that is no valid template.
    """
    if isinstance(value, str):
        return parse_template(value) if contains_template(value) else Fixed(value, value)
    if isinstance(value, list):
        elements = tuple(compile_value(item) for item in value)
        return Fixed(value, None) if _all_fixed(elements) else ListValue(elements)
    if isinstance(value, dict):
        entries = tuple((str(key), compile_value(item)) for key, item in value.items())
        return Fixed(value, None) if _all_fixed(tuple(item for _, item in entries)) else MapValue(entries)
    return Fixed(value, written_form(value))


def _all_fixed(values: tuple[CompiledValue, ...]) -> bool:
    return all(isinstance(value, Fixed) for value in values)
