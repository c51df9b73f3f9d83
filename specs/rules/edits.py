"""Edits that several rules offer: another name in place of a wrong one, and one entry less in a list."""

from __future__ import annotations

from collections.abc import Iterable

from specs.context import FlowContext, Path
from specs.diagnostics import Edit, Fix, Place
from specs.suggest import did_you_mean, nearest

MOST_HINTS = 40
"""Names for which one rule looks for the nearest in one file: more findings of a kind than that are not shown, and each
look goes through all that is known."""


class Hints:
    """Looks for nearest names on behalf of one rule, and stops looking after `MOST_HINTS` names."""

    def __init__(self) -> None:
        self._left = MOST_HINTS

    def help(
        self, name: str, known: Iterable[str], otherwise: str | None = None, *, besides: str | None = None
    ) -> str | None:
        """The nearest known name, or what is known, as a help line; `otherwise` when nothing is. `besides` is known, and
        would be wrong there."""
        self._left -= 1
        return (did_you_mean(name, _without(known, besides)) if self._left >= 0 else None) or otherwise

    def fix(
        self, context: FlowContext, path: Path, name: str, known: Iterable[str], *, besides: str | None = None
    ) -> Fix | None:
        """The nearest known name written at `path`; to be asked for after `help`."""
        return rename(context, path, name, _without(known, besides)) if self._left >= 0 else None


def _without(known: Iterable[str], besides: str | None) -> Iterable[str]:
    return known if besides is None else [name for name in known if name != besides]


def rename(context: FlowContext, path: Path, name: str, known: Iterable[str]) -> Fix | None:
    """Write the nearest known name at `path` instead of `name`; `None` when nothing is near."""
    near = nearest(name, known)
    if near is None or context.places.inherited(path):
        return None
    return Fix(f"write `{near}`", (Edit(context.places.place(path), near),))


def without_entry(context: FlowContext, path: Path) -> Fix | None:
    """Take the entry at `path` out of its list, with what separates it from the one before or after."""
    removed = entry_removal(context, path)
    return None if removed is None else Fix("remove it", (removed,))


def entry_removal(context: FlowContext, path: Path, *, count: int = 0) -> Edit | None:
    """The edit that takes an entry out of a list of `count` entries; `None` for the only entry, and where the text of
    the list cannot be edited in place."""
    *parent, index = path
    if not isinstance(index, int) or context.places.inherited(path):
        return None
    here = context.places.place(path)
    if index > 0:
        before = context.places.place((*parent, index - 1))
        return _cut(before, before.end, here.end) if _follow(before, here) else None
    if count > 1:
        after = context.places.place((*parent, 1))
        return _cut(here, here.start, after.start) if _follow(here, after) else None
    return None


def _follow(first: Place, second: Place) -> bool:
    """Whether nothing but punctuation stands between two entries: no comment would be lost."""
    between = first.source.text[first.end : second.start]
    return first.source is second.source and first.end <= second.start and not between.strip("-, \t\r\n")


def _cut(place: Place, start: int, end: int) -> Edit:
    return Edit(Place(place.source, start, end), "")
