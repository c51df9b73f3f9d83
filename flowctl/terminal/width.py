"""How many columns a text takes on a terminal."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Mapping
from typing import TextIO

TAB = 4
"""Columns of a tab in what we print; a terminal's own stops would depend on where the line starts."""


def display_width(text: str) -> int:
    """Columns of `text`, which holds no control characters: wide characters count two, combining ones none."""
    return len(text) if text.isascii() else sum(map(character_width, text))


def character_width(character: str) -> int:
    """Columns of one character."""
    if character < "\x7f":
        return 1
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def cut(text: str, columns: int, *, ellipsis: str = "…") -> str:
    """`text` cut to at most `columns`, with the ellipsis where something is missing."""
    if display_width(text) <= columns:
        return text
    room = columns - display_width(ellipsis)
    taken = 0
    for index, character in enumerate(text):
        taken += character_width(character)
        if taken > room:
            return text[:index] + ellipsis if room >= 0 else ""
    return text


def terminal_columns(stream: TextIO | None, environ: Mapping[str, str], *, default: int = 100) -> int:
    """Columns of the terminal behind `stream`: `COLUMNS` if set, else asked from the system, else `default`."""
    given = environ.get("COLUMNS", "")
    if given.isascii() and given.isdigit() and int(given[:6]) > 0:
        return int(given[:6])
    try:
        return os.get_terminal_size(stream.fileno() if stream else -1).columns or default
    except (OSError, ValueError):
        return default
