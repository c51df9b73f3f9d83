"""Changes to files as a unified diff, for people and for `patch`."""

from __future__ import annotations

import difflib
from collections.abc import Iterator


def unified(name: str, *, old: str, new: str) -> str:
    """What turns `old` into `new`, as `diff -u` prints it; empty when they are the same."""
    lines = difflib.unified_diff(_lines(old), _lines(new), f"a/{name}", f"b/{name}")
    return "".join(_ended(lines))


def _lines(text: str) -> list[str]:
    return text.splitlines(keepends=True)


def _ended(lines: Iterator[str]) -> Iterator[str]:
    for line in lines:
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
