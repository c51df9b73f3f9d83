"""Reports that go to files: whole or not at all where that can be, appended where others write, too."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from flowctl.problems import UsageProblem
from flowctl.reading import reason_of


def write_report(path: Path, text: str) -> None:
    """Write a report to `path` in place of what is there. Raises `UsageProblem`."""
    data = text.encode(errors="backslashreplace")
    try:
        if path.exists() and not path.is_file():
            path.write_bytes(data)  # a device or a pipe is written to, never replaced
        else:
            _replace(Path(os.path.realpath(path)), data)
    except OSError as error:
        raise UsageProblem(
            f"cannot write `{path}`: {reason_of(error)}", hint="name a file in a folder that exists"
        ) from error


def append_report(path: Path, text: str) -> None:
    """Add a report to the end of the file at `path`. Raises `UsageProblem`."""
    try:
        with path.open("ab") as file:
            file.write(text.encode(errors="backslashreplace"))
    except OSError as error:
        raise UsageProblem(f"cannot write `{path}`: {reason_of(error)}") from error


def _replace(target: Path, data: bytes) -> None:
    import tempfile

    handle, name = tempfile.mkstemp(prefix=".report.", dir=target.parent)
    try:
        with open(handle, "wb") as file:
            file.write(data)
            os.fchmod(file.fileno(), target.stat().st_mode & 0o7777 if target.exists() else 0o666 & ~_umask())
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
