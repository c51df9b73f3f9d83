"""Text of others made safe for a terminal (`RELIABILITY.md` 4.5).

Log output keeps its colours (SGR) and nothing else; names and messages keep no control character at all.
"""

from __future__ import annotations

import re

_SGR = re.compile(r"\x1b\[[0-9;:]*m")
_SEQUENCE = re.compile(
    r"""
      (?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]                # CSI: cursor, erase, modes
    | (?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])         # OSC, DCS, SOS, PM, APC: titles, links, the clipboard
      [^\x07\x1b\x9c\n]*(?:\x07|\x1b\\|\x9c)?
    | \x1b[ -/]*[0-~]?                                # every other escape, a lone ESC included
    | [\x00-\x08\x0b-\x1f\x7f-\x9f]                   # C0 without tab and line feed, DEL, C1
    """,
    re.VERBOSE,
)
_UNSAFE = re.compile(r"[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")
RESET = "\x1b[0m"


def safe_log(text: str) -> str:
    """Output of a task with its colours kept and every other control sequence removed.

    Line feeds and tabs stay. Colours that are still on at the end are switched off, so that they do not leak.
    """
    if text.isprintable():
        return text
    kept = _SEQUENCE.sub(lambda match: match[0] if _SGR.fullmatch(match[0]) else "", text)
    last = _last_colour(kept)
    return kept + RESET if last not in (None, RESET, "\x1b[m") else kept


def visible(text: str) -> str:
    r"""`text` on one line with control, bidirectional and invisible characters escaped: `\x1b`, `\n`, `\u202e`."""
    if text.isprintable():
        return text
    return _UNSAFE.sub(lambda match: _escaped(match[0]), text)


def _last_colour(text: str) -> str | None:
    last = None
    for match in _SGR.finditer(text):
        last = match[0]
    return last


def _escaped(character: str) -> str:
    named = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(character)
    code = ord(character)
    return named or (f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}")
