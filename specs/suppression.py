"""Findings that an author has answered with `# flow: ignore[FLOW230]`, and findings that are too many to read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

from specs.diagnostics import Diagnostic, Severity, Source, in_source_order

MOST_OF_ONE_CODE = 20
"""Findings of one code shown for one file; the rest is a count."""

_IGNORE = re.compile(r"#[ \t]*flow:[ \t]*ignore\[([A-Z0-9, \t]*)\]")


def shown(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """The findings in source order, without those suppressed in the file and with long series cut."""
    ignored: dict[int, dict[int, frozenset[str]]] = {}
    kept = [found for found in diagnostics if not _is_ignored(found, ignored)]
    return tuple(_capped(in_source_order(kept)))


def _is_ignored(found: Diagnostic, ignored: dict[int, dict[int, frozenset[str]]]) -> bool:
    if found.severity is Severity.ERROR:
        return False
    source = found.place.source
    if id(source) not in ignored:
        ignored[id(source)] = _ignored_lines(source)
    lines = ignored[id(source)]
    line = source.position(found.place.start)[0] if lines else 0
    return found.code in lines.get(line, ()) or found.code in lines.get(line - 1, ())


def _ignored_lines(source: Source) -> dict[int, frozenset[str]]:
    """The codes ignored by each line that says so."""
    return {
        source.position(match.start())[0]: frozenset(match[1].replace(",", " ").split())
        for match in _IGNORE.finditer(source.text)
    }


def _capped(ordered: list[Diagnostic]) -> list[Diagnostic]:
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
    return kept
