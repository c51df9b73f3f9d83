"""The end of a log, made fit for a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from flowctl.terminal.sanitise import safe_log

MOST_BYTES = 64 * 1024


def last_lines(log: Path, *, most: int) -> list[str]:
    """The last `most` lines of a file, at most 64 KiB of it; nothing when it cannot be read."""
    try:
        with log.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - MOST_BYTES))
            data = file.read(MOST_BYTES)
    except OSError:
        return []
    lines = data.decode("utf-8", "replace").splitlines()
    if size > MOST_BYTES and len(lines) > 1:
        lines = lines[1:]
    return [safe_log(line) for line in lines[-most:]]
