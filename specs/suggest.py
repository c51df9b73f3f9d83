"""Did you mean: the nearest known name, or the list of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache

LIST_LENGTH = 120
"""How many characters of known names a help line lists before it says how many there are."""

MANY = 2000
"""Past this many known names only those with a similar length and the same first or last letter are compared."""


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was most likely meant to be, `None` when nothing is near. Ties go to the first."""
    return _nearest(name, tuple(known))


@lru_cache(maxsize=256)
def _nearest(name: str, known: tuple[str, ...]) -> str | None:
    from difflib import SequenceMatcher

    folded = name.casefold()[:64]
    if not folded:
        return None
    best, best_score = None, 0.0
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(folded)
    for candidate in _plausible(folded, known):
        other = candidate.casefold()
        if other.replace("-", "_") == folded.replace("-", "_"):
            return candidate
        matcher.set_seq1(other[:64])
        if matcher.real_quick_ratio() <= best_score or matcher.quick_ratio() <= best_score:
            continue
        score = matcher.ratio()
        if score > best_score and score >= _threshold(len(folded)):
            best, best_score = candidate, score
    return best


def did_you_mean(name: str, known: Iterable[str]) -> str | None:
    """A help line for an unknown name: the nearest known one, else a list of what is known; `None` if nothing is."""
    names = list(known)
    near = nearest(name, names)
    if near is not None:
        return f"did you mean `{near}`?"
    return f"known here: {listed(names)}" if names else None


def listed(names: Iterable[str]) -> str:
    """Names in backticks, separated by commas, cut to a sensible length with a count of the rest."""
    everything = list(names)
    shown: list[str] = []
    length = 0
    for name in everything:
        length += len(name) + 4
        if shown and length > LIST_LENGTH:
            return f"{', '.join(shown)} and {len(everything) - len(shown)} more"
        shown.append(f"`{name}`")
    return ", ".join(shown)


def _threshold(length: int) -> float:
    # one wrong letter in a short name weighs more than in a long one
    return 0.5 if length <= 3 else 0.6 if length <= 5 else 0.65


def _plausible(folded: str, known: Iterable[str]) -> list[str]:
    names = [name for name in known if name]
    if len(names) <= MANY:
        return names
    ends = (folded[0], folded[-1])
    return [
        name
        for name in names
        if abs(len(name) - len(folded)) <= 3 and (name[0].casefold() == ends[0] or name[-1].casefold() == ends[1])
    ]
