"""Whether to colour, whether anybody watches, which characters can be shown: decided once for each stream.

`--color` wins; then `NO_COLOR`, `FORCE_COLOR`, `CLICOLOR_FORCE`, `CLICOLOR`, `TERM=dumb`; then whether it is a
terminal.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TextIO


class ColourChoice(StrEnum):
    """What the user asked for with `--color`."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


class Style(StrEnum):
    """The few looks we use, as SGR parameters."""

    ERROR = "1;31"
    WARNING = "1;33"
    INFO = "1;34"
    SUCCESS = "32"
    STRONG = "1"
    FAINT = "2"
    PLACE = "1;36"
    HELP = "1;32"


def is_terminal(stream: TextIO | None) -> bool:
    """Whether `stream` goes to a terminal; a closed one does not."""
    try:
        return stream is not None and stream.isatty()
    except ValueError:
        return False


def wants_colour(stream: TextIO | None, choice: ColourChoice, environ: Mapping[str, str]) -> bool:
    """Whether what is written to `stream` should be coloured."""
    if choice is not ColourChoice.AUTO:
        return choice is ColourChoice.ALWAYS
    if environ.get("NO_COLOR"):
        return False
    if environ.get("FORCE_COLOR", "0") not in ("", "0", "false") or environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    if environ.get("CLICOLOR") == "0" or environ.get("TERM") == "dumb":
        return False
    return is_terminal(stream)


def is_watched(stream: TextIO | None, environ: Mapping[str, str]) -> bool:
    """Whether a display that redraws itself makes sense: a capable terminal, and not a CI job that records one."""
    return is_terminal(stream) and environ.get("TERM") != "dumb" and environ.get("CI", "") in ("", "0", "false")


def speaks_unicode(stream: TextIO | None) -> bool:
    """Whether `stream` can carry more than ASCII."""
    encoding = getattr(stream, "encoding", None) or "ascii"
    return encoding.lower().replace("-", "").replace("_", "") in ("utf8", "utf16", "utf32")


def paint(text: str, style: Style, *, colour: bool) -> str:
    """`text` in `style`, or as it is without colour."""
    return f"\x1b[{style.value}m{text}\x1b[0m" if colour and text else text
