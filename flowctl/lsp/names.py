"""Names a flow defines, read from its text line by line: also of a flow that is half written."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TOP = re.compile(r"([A-Za-z_][\w-]*)[ \t]*:")
_ENTRY = re.compile(r"([ ]+)(?:\"([^\"\n]*)\"|'([^'\n]*)'|([\w-]+))[ \t]*:(?=[ \t\r]|$)")


def defined_names(text: str) -> Mapping[str, tuple[str, ...]]:
    """By key at the top of the file, the keys one level below it; of `hooks`, those below each kind."""
    found: dict[str, list[str]] = {}
    section, indent, kind, below = "", 0, "", 0
    for line in text.split("\n"):
        top = _TOP.match(line)
        if top is not None:
            section, indent, kind, below = top[1], 0, "", 0
            found.setdefault(section, [])
            continue
        entry = _ENTRY.match(line)
        if entry is None or not section:
            continue
        column, name = len(entry[1]), entry[2] or entry[3] or entry[4] or ""
        indent = indent or column
        if column == indent:
            found[section].append(name)
            kind, below = name, 0
        elif section == "hooks" and column > indent:
            below = below or column
            if column == below:
                found.setdefault(f"hooks.{kind}", []).append(name)
    return {section: tuple(dict.fromkeys(names)) for section, names in found.items()}
