"""Texts made fit to be shown: names, conditions and messages come from anywhere and may hold anything."""

from __future__ import annotations

import unicodedata

_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
"""Categories that are not drawn or that steer what is: control and bidirectional characters, zero width, surrogates."""


def clean(text: str, limit: int) -> str:
    """`text` as one line of at most `limit` characters; what cannot be seen is a space, what is cut ends in `…`."""
    if len(text) <= limit and text.isascii() and text.isprintable() and "  " not in text and text == text.strip():
        return text  # as most texts are
    head = text[: 4 * limit + 16]
    if not head.isprintable() or not head.isascii():
        head = "".join(" " if unicodedata.category(character) in _UNSEEN else character for character in head)
    line = " ".join(head.split())
    if len(head) < len(text):
        line += "…"
    return cut(line, limit)


def cut(text: str, limit: int) -> str:
    """`text` in at most `limit` characters, the last of them `…` when there were more."""
    return text if len(text) <= limit else text[: max(limit - 1, 0)].rstrip() + "…"


def columns(text: str) -> int:
    """How many columns of a terminal a clean `text` takes."""
    if text.isascii():
        return len(text)
    return sum(_columns(character) for character in text)


def fit(text: str, width: int) -> str:
    """A clean `text` in exactly `width` columns: cut with `…` or padded with spaces."""
    return trim(text, width) + " " * max(width - columns(trim(text, width)), 0)


def trim(text: str, width: int) -> str:
    """A clean `text` in at most `width` columns, `…` at its end when it was cut."""
    if columns(text) <= width:
        return text
    kept, used = [], 0
    for character in text:
        used += _columns(character)
        if used > width - 1:
            break
        kept.append(character)
    return "".join(kept).rstrip() + "…" if width > 0 else ""


def duration(seconds: float) -> str:
    """A measured time for a person: `0.4s`, `12s`, `3m05s`, `2h10m`, `1d2h`."""
    if seconds < 9.95:
        return f"{max(seconds, 0.0):.1f}s"
    whole = round(min(seconds, 1e12))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86_400:
        return f"{whole // 3600}h{whole % 3600 // 60:02}m"
    return f"{whole // 86_400}d{whole % 86_400 // 3600}h"


_TO_ASCII = str.maketrans(
    {"\u00d7": "x", "…": "~", "·": "-", "≤": "<=", "→": "->", "\u2013": "-", "\u2014": "-", "•": "*"}
)


def ascii_only(text: str) -> str:
    """`text` without any character a plain terminal may lack; unknown ones are `?`."""
    return text if text.isascii() else text.translate(_TO_ASCII).encode("ascii", "replace").decode("ascii")


def _columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
