"""Addresses with values in them: a value in the path, or behind the `?`, is data and is percent-encoded, `/` too."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from specs.expressions import resolve_text
from specs.expressions.nodes import Expression, Template
from specs.expressions.values import CompiledValue


def resolve_url(value: CompiledValue, scope: Mapping[str, Any]) -> str:
    """The address that `value` gives. What stands before the path (scheme, host, a whole base address) is taken as it is.

    Raises:
        EvaluationError: an expression in it has no value, or none that can be written as text.
    """
    if not isinstance(value, Template):
        return resolve_text(value, scope)
    written = ""
    for part in value.parts:
        if isinstance(part, Expression):
            text = resolve_text(Template(part.text, (part,), (0,)), scope)
            written += quote(text, safe="", errors="replace") if _is_behind_host(written) else text
        else:
            written += part
    return written


def _is_behind_host(written: str) -> bool:
    """Whether the text so far has ended the host: a `/`, `?` or `#` follows it."""
    _, separator, rest = written.partition("://")
    return bool(separator) and any(mark in rest for mark in "/?#")
