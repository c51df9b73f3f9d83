"""Reading a file that may be anything: never blocks, never reads more than allowed, says plainly what is wrong.

A FIFO, a device, a socket, a folder, a file that vanishes or grows: each is a message, none is a hang
(`RELIABILITY.md` 4.1). No message quotes what a file holds.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

SPEC_BYTES = 8 << 20
"""Bytes of a spec read from the command line; settings may change it."""

_KINDS = (
    (stat.S_ISDIR, "it is a folder"),
    (stat.S_ISFIFO, "it is a pipe, not a file"),
    (stat.S_ISSOCK, "it is a socket, not a file"),
    (stat.S_ISCHR, "it is a device, not a file"),
    (stat.S_ISBLK, "it is a device, not a file"),
)

_REASONS = {
    errno.ENOENT: "there is no such file",
    errno.ENOTDIR: "part of the path is not a folder",
    errno.EACCES: "permission denied",
    errno.EPERM: "permission denied",
    errno.EISDIR: "it is a folder",
    errno.ENXIO: "it is a socket or a device, not a file",
    errno.ENAMETOOLONG: "the path is too long",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "too many files are open",
}


class Unreadable(Exception):
    """The file cannot be read; `str()` is the reason, to be put after `cannot read ...: `."""


def read_regular(path: Path, *, most: int, follow: bool) -> bytes:
    """All bytes of the regular file at `path`, at most `most` of them; raises `Unreadable`.

    Without `follow` the last part of the path may not be a symbolic link.
    """
    handle = _open(path, follow=follow)
    try:
        information = os.fstat(handle)
        _require_regular(information)
        if information.st_size > most:
            raise Unreadable(_too_large(most))
        return _read(handle, most)
    except OSError as error:
        raise Unreadable(reason_of(error)) from error
    finally:
        os.close(handle)


def open_regular(path: Path, *, follow: bool) -> int:
    """A descriptor of the regular file at `path`, for reading; raises `Unreadable`. Without `follow` the last part of the
    path may not be a symbolic link."""
    handle = _open(path, follow=follow)
    try:
        _require_regular(os.fstat(handle))
    except BaseException:
        os.close(handle)
        raise
    return handle


def read_stream(handle: int, *, most: int) -> bytes:
    """All bytes of an open descriptor up to its end, at most `most`; raises `Unreadable`. It waits, as stdin does."""
    try:
        return _read(handle, most)
    except OSError as error:
        raise Unreadable(reason_of(error)) from error


def reason_of(error: OSError) -> str:
    """Why the system refused, in plain words."""
    if error.errno == errno.ELOOP:
        return "it is a symbolic link, or a loop of them"
    return _REASONS.get(error.errno or 0, (error.strerror or "it cannot be read").lower())


def _open(path: Path, *, follow: bool) -> int:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY | (0 if follow else os.O_NOFOLLOW)
    try:
        return os.open(path, flags)
    except OSError as error:
        raise Unreadable(reason_of(error)) from error
    except ValueError as error:  # a NUL in the name, a surrogate that is no file name
        raise Unreadable("that is not a file name") from error


def _require_regular(information: os.stat_result) -> None:
    for is_kind, reason in _KINDS:
        if is_kind(information.st_mode):
            raise Unreadable(reason)
    if not stat.S_ISREG(information.st_mode):
        raise Unreadable("it is not a regular file")


def _read(handle: int, most: int) -> bytes:
    pieces: list[bytes] = []
    left = most + 1  # one more than allowed tells a file that is too large from one that just fits
    while left > 0:
        piece = os.read(handle, min(left, 1 << 20))
        if not piece:
            return b"".join(pieces)
        pieces.append(piece)
        left -= len(piece)
    raise Unreadable(_too_large(most))


def _too_large(most: int) -> str:
    return f"it is larger than {most:,} bytes"


def absolute(path: Path) -> Path:
    """`path` as an absolute one without `.` and `..`; symbolic links are left alone, which `resolve` would follow."""
    return Path(os.path.abspath(path))  # noqa: PTH100 - see above


def shown_path(path: Path) -> str:
    """`path` as a person standing in the current folder would write it: relative where that is the shorter way."""
    try:
        relative = os.path.relpath(path)
    except (OSError, ValueError):  # the current folder is gone, or on another drive
        return str(path)
    return relative if len(relative) <= len(str(path)) or not path.is_absolute() else str(path)
