"""A folder of small files that may be deleted at any time: written at once or not at all, checked when read, bounded.

Nothing here raises for what the disk does: a file that cannot be read was never there, one that cannot be written is
left out.
"""

from __future__ import annotations

import hashlib
import os
import stat
import threading
import time
from contextlib import suppress
from pathlib import Path

from msgspec import Struct

SUFFIX = ".plan"
MOST_FILES = 500
MOST_BYTES = 256 << 20
LARGEST = 64 << 20
"""Bytes of one file; a larger one is not kept."""

_MAGIC = b"flowctl cache\n"
_DIGEST = hashlib.sha256
_DIGEST_BYTES = 32
_LEFT_OVER_S = 3600.0
"""A file that was being written so long ago never will be."""


class CacheFolder(Struct, frozen=True):
    """The folder at `path`, which is made when the first file is written, and what it may hold."""

    path: Path
    most_files: int = MOST_FILES
    most_bytes: int = MOST_BYTES

    def read(self, name: str) -> bytes | None:
        """What was written as `name`; `None` when there is nothing, or something that cannot be trusted."""
        try:
            data = self._read(name)
        except OSError:
            return None
        start = len(_MAGIC) + _DIGEST_BYTES
        if data.startswith(_MAGIC) and _DIGEST(data[start:]).digest() == data[len(_MAGIC) : start]:
            with suppress(OSError):
                os.utime(self._file(name))  # what is used is kept
            return data[start:]
        self.remove(name)
        return None

    def write(self, name: str, content: bytes) -> None:
        """Keep `content` as `name` in the place of what was there; the least recently used make room."""
        if len(content) > LARGEST:
            return
        written = self.path / f".{name}.{os.getpid()}.{threading.get_ident()}"
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            handle = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            try:
                _write_all(handle, _MAGIC + _DIGEST(content).digest() + content)
            finally:
                os.close(handle)
            written.replace(self._file(name))
        except OSError:
            with suppress(OSError):
                written.unlink()
            return
        self._make_room()

    def remove(self, name: str) -> None:
        """Forget `name`, if it can be."""
        with suppress(OSError):
            self._file(name).unlink()

    def _file(self, name: str) -> Path:
        return self.path / f"{name}{SUFFIX}"

    def _read(self, name: str) -> bytes:
        """The bytes of a regular file that is the user's own and that nobody else may write: it says what is run."""
        handle = os.open(self._file(name), os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOFOLLOW)
        with open(handle, "rb") as file:
            found = os.fstat(handle)
            is_ours = found.st_uid == os.geteuid() and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            return file.read(LARGEST + 1024) if stat.S_ISREG(found.st_mode) and is_ours else b""

    def _make_room(self) -> None:
        with suppress(OSError), os.scandir(self.path) as entries:
            files = [(entry, entry.stat(follow_symlinks=False)) for entry in entries]
            kept = sorted((found.st_mtime, found.st_size, entry.path) for entry, found in files if _is_whole(entry))
            size = sum(bytes_ for _, bytes_, _ in kept)
            left = len(kept)
            for _, bytes_, path in kept:
                if left <= self.most_files and size <= self.most_bytes:
                    break
                Path(path).unlink(missing_ok=True)
                size, left = size - bytes_, left - 1
            for entry, found in files:
                if not _is_whole(entry) and found.st_mtime < time.time() - _LEFT_OVER_S:
                    Path(entry.path).unlink(missing_ok=True)


def _is_whole(entry: os.DirEntry[str]) -> bool:
    return entry.name.endswith(SUFFIX)


def _write_all(handle: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(handle, left) :]
