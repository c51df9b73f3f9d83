"""Folders for temporary files: each is one attempt's alone while that runs, and used again if it was left empty.

Making and removing a folder for each attempt costs more than starting its process: both wait for the disk's journal.
"""

# ruff: noqa: PTH102, PTH103, PTH116, PTH208 -- pathlib takes milliseconds to load

from __future__ import annotations

import os

_MOST = 1000
_KIND, _FOLDER = 0o170000, 0o040000


class Slots:
    """Numbered folders below one folder for each run. What this process has not made itself is never used."""

    def __init__(self) -> None:
        self._free: dict[bytes, list[int]] = {}
        self._last: dict[bytes, int] = {}

    def take(self, parent: bytes) -> int:
        """The number of an empty folder for one attempt. Raises `OSError`."""
        free = self._free.get(parent)
        while free:
            number = free.pop()
            if os.access(path_of(parent, number), os.W_OK | os.X_OK):
                return number
        if len(self._last) > _MOST:
            self._free.clear()
            self._last.clear()
        number = self._last.get(parent, 0) + 1
        while not _made(parent, number):
            number += 1
        self._last[parent] = number
        return number

    def give_back(self, parent: bytes, number: int) -> bool:
        """The attempt is over; false when it has left something, so that the folder is not used again."""
        path = path_of(parent, number)
        try:
            if os.stat(path, follow_symlinks=False).st_mode & _KIND != _FOLDER or os.listdir(path):
                return False
        except FileNotFoundError:
            return True
        except OSError:
            return False
        self._free.setdefault(parent, []).append(number)
        return True


def path_of(parent: bytes, number: int) -> bytes:
    """Where the folder of this number is."""
    return b"%s/%d" % (parent, number)


def _made(parent: bytes, number: int) -> bool:
    try:
        os.mkdir(path_of(parent, number))
    except FileExistsError:
        return False
    except FileNotFoundError:
        os.makedirs(parent, exist_ok=True)
        os.mkdir(path_of(parent, number))
    return True
