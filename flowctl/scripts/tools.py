"""Running a tool on scripts: found on the PATH of the user, given little to see, and stopped when it takes too long."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from msgspec import Struct

TIMEOUT_S = 20.0
"""Seconds after which a tool is given up."""


class ToolFailed(Exception):
    """The tool could not be started, or took too long."""


class Answer(Struct, frozen=True):
    """What a tool said."""

    exit_code: int
    out: str
    err: str


def find_tool(name: str, environ: Mapping[str, str]) -> str | None:
    """The path of a program, `None` when it is not installed."""
    return shutil.which(name, path=environ.get("PATH", os.defpath))


def ask(argv: Sequence[str], environ: Mapping[str, str], *, text: str = "", folder: Path | None = None) -> Answer:
    """Run a tool with `text` on its input; raises `ToolFailed`."""
    import subprocess  # most scripts are plain, and no tool is asked

    # nothing of the user's shell start-up files, and messages in one language
    env = {"PATH": environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "HOME": "/"}
    try:
        done = subprocess.run(
            argv,
            input=text.encode("utf-8", "surrogateescape"),
            capture_output=True,
            env=env,
            cwd=folder,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise ToolFailed(f"it took longer than {TIMEOUT_S:.0f} s") from error
    except OSError as error:
        raise ToolFailed((error.strerror or "it cannot be started").lower()) from error
    return Answer(done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace"))


@contextmanager
def written(texts: Sequence[str], *, suffix: str) -> Iterator[tuple[Path, list[str]]]:
    """A folder with each text in a file, and the names of the files; gone afterwards. Raises `ToolFailed`."""
    import tempfile

    try:
        with tempfile.TemporaryDirectory(prefix="flowctl-") as name:
            folder = Path(name)
            names = [f"{number}{suffix}" for number in range(len(texts))]
            for each, text in zip(names, texts, strict=True):
                (folder / each).write_bytes(text.encode("utf-8", "surrogateescape"))
            yield folder, names
    except OSError as error:
        raise ToolFailed((error.strerror or "its files cannot be written").lower()) from error
