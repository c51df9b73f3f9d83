"""Replacing the text of a file: at once or not at all, with the mode, the line ends and the mark it had."""

from __future__ import annotations

import codecs
import os
import tempfile
from contextlib import suppress
from pathlib import Path

from engine.errors import FlowctlError
from flowctl.reading import SPEC_BYTES, Unreadable, read_regular, reason_of


class NotWritten(FlowctlError):
    """A file could not be written, and is as it was."""

    code = "not_written"


def replace_text(path: Path, *, old: str, new: str) -> None:
    """Write `new` where `old` stands, through a symbolic link if it is one.

    A byte order mark at the start stays. Raises `NotWritten`, also when the file no longer holds `old`.
    """
    target = Path(os.path.realpath(path))
    try:
        data = read_regular(target, most=max(SPEC_BYTES, 4 * len(old) + 4), follow=False)
    except Unreadable as error:
        raise NotWritten(f"cannot write `{path}`: {error}") from error
    mark = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    if data != mark + old.encode():
        raise NotWritten(f"`{path}` was changed by somebody else meanwhile", hint="run the command again")
    try:
        _replace(target, mark + new.encode())
    except OSError as error:
        raise NotWritten(f"cannot write `{path}`: {reason_of(error)}") from error


def _replace(target: Path, data: bytes) -> None:
    mode = target.stat().st_mode & 0o7777
    handle, name = tempfile.mkstemp(prefix=f".{target.name[:100]}.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
