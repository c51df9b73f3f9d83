"""Where other files come from: a small protocol that the caller implements, and the arithmetic of their paths.

Paths are texts with `/`. They are combined here and opened elsewhere, so checking stays pure.
"""

from __future__ import annotations

import posixpath
import re
from typing import Protocol


class FileProblem(Exception):
    """A file cannot be had. The message is for the author and never quotes the file."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class Files(Protocol):
    """The files of a project as the checker may see them."""

    def read(self, path: str) -> bytes:
        """The content of a regular file inside its project.

        Raises:
            FileProblem: it does not exist, is not a regular file, is outside, or cannot be read.
        """

    def root_of(self, path: str) -> str:
        """The project root of a file: the nearest folder upward with `flowctl.yaml`, else with `.git`, else its own.

        In the form of `path`: absolute for an absolute path, else relative to the same folder (`.` or a prefix)."""

    def siblings(self, path: str) -> list[str]:
        """Names of the files in the folder of `path`, sorted; empty when there is no such folder."""


_DRIVE = re.compile(r"[A-Za-z]:")


def path_problem(text: str) -> str | None:
    """Why `text` may not name a file of the project, `None` if it may: relative, downward, with `/`."""
    if not text or "\0" in text or "\n" in text:
        return "it is not a path"
    if text.startswith("/") or _DRIVE.match(text):
        return "absolute paths are not allowed"
    if text.startswith("~"):
        return "`~` is not expanded"
    if "\\" in text:
        return "paths are written with `/`"
    if ".." in text.split("/"):
        return "`..` is not allowed"
    return None


def beside(path: str, relative: str) -> str:
    """The path `relative` starts from the folder of `path`."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), relative))


def inside(root: str, relative: str) -> str:
    """The path of `relative` below `root`."""
    return posixpath.normpath(posixpath.join(root, relative))


def relative_to(root: str, path: str) -> str:
    """`path` as seen from `root`; as it is when it is not below it."""
    clean, base = posixpath.normpath(path), posixpath.normpath(root or ".")
    if base == ".":
        return clean
    prefix = base if base.endswith("/") else f"{base}/"
    return clean.removeprefix(prefix)


def stem(path: str) -> str:
    """The file's name without folder and ending."""
    name = posixpath.basename(path)
    return posixpath.splitext(name)[0] or name
