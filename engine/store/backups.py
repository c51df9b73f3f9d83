"""Backups of a store in a file: their names, and how they are found again when they are needed."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from itertools import count
from pathlib import Path

_MARK = ".backup-"
PARTIAL = ".partial"
"""What the name of a backup ends with that is not whole yet."""


def backup_path(store: Path, *, version: int, now: datetime) -> Path:
    """Where a backup of this instant is kept: beside the store, under a name that is free."""
    first = store.with_name(f"{store.name}{_MARK}{version:04}-{now.astimezone(UTC):%Y%m%dT%H%M%SZ}")
    names = (first if number == 1 else first.with_name(f"{first.name}.{number}") for number in count(1))
    return next(path for path in names if not os.path.lexists(path))


def backups_of(store: Path) -> list[Path]:
    """The backups beside a store, the newest first."""
    try:
        found = [
            entry
            for entry in store.parent.iterdir()
            if entry.name.startswith(store.name + _MARK) and not entry.name.endswith(PARTIAL)
        ]
    except OSError:
        return []
    return sorted(found, key=lambda path: path.name.rpartition("-")[2], reverse=True)


def version_of(backup: Path) -> int | None:
    """The version of a store that a backup of this name is of; `None` where the name does not tell."""
    number = backup.name.rpartition(_MARK)[2].partition("-")[0]
    return int(number) if number.isascii() and number.isdigit() else None


def way_back(name: str) -> str:
    """What to do about a damaged store: the hint of every error that says so. `name` is its file, or no file at all."""
    found = backups_of(Path(name))
    if not found:
        return "bring the store back from a backup; it was left as it is"
    more = f" of {len(found)}" if len(found) > 1 else ""
    return (
        f"it was left as it is; move it and `{Path(name).name}-wal` away and copy a backup to its place: the newest{more} is"
        f" `{found[0]}`"
    )
