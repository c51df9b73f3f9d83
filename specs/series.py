"""The list a reader gets: findings in source order, those of one code that go on and on cut to a count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from msgspec.structs import replace

from specs.diagnostics import Diagnostic, in_source_order

MOST_OF_ONE_CODE = 20
"""Findings of one code shown for one file; the rest is a count."""


def in_short(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings in source order; past `MOST_OF_ONE_CODE` of a code in a file, one that says how many more there are."""
    ordered = in_source_order(diagnostics)
    counts = Counter((found.place.source.name, found.code) for found in ordered)
    seen: Counter[tuple[str, str]] = Counter()
    kept = []
    for found in ordered:
        kind = (found.place.source.name, found.code)
        seen[kind] += 1
        if seen[kind] <= MOST_OF_ONE_CODE:
            kept.append(found)
        elif seen[kind] == MOST_OF_ONE_CODE + 1:
            rest = counts[kind] - MOST_OF_ONE_CODE
            message = f"{rest} more {'finding' if rest == 1 else 'findings'} of {found.code} in this file"
            kept.append(replace(found, message=message, help=None, labels=(), fix=None))
    return tuple(kept)
