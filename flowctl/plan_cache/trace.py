"""What a check asked of its surroundings and was told, and whether it would be told the same today.

A flow leads to other files, and which ones is known only when it has been read. So what was asked is remembered: the
files that were read and those that were not there, the root of the project, the names beside a file. Who asks again and is
told the same has nothing new to check.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Literal, TypeAlias

from msgspec import Struct

from engine.connectors.plugins import installed_plugins
from specs.files import FileProblem, Files

Kind: TypeAlias = Literal["read", "root", "siblings", "real"]


class Answer(Struct, frozen=True, array_like=True):
    """What was asked of a path, and a text that differs where the answer does."""

    kind: Kind
    path: str
    answer: str


class Plugins(Struct, frozen=True, array_like=True):
    """The connector types that packages offer, and the state of the folders that were searched for packages."""

    names: tuple[str, ...]
    searched: tuple[tuple[str, int], ...]


class Trace(Struct, frozen=True, array_like=True):
    """Everything a check asked; `plugins` is `None` where it did not matter which packages are installed."""

    answers: tuple[Answer, ...]
    plugins: Plugins | None


class TracedFiles:
    """Files that remember what they were asked, and what they gave: a `specs.files.Files` around another. Their names start
    from `base`."""

    def __init__(self, files: Files, base: Path) -> None:
        self._files = files
        self._base = base
        self._answers: dict[tuple[Kind, str], str] = {}
        self._plugins: Plugins | None = None
        self.contents: dict[str, bytes] = {}

    def read(self, path: str) -> bytes:
        """The content of a file; raises `FileProblem`."""
        try:
            data = self._files.read(path)
        except FileProblem as problem:
            self._answers["read", path] = _refused(problem)
            raise
        self.contents[path] = data
        self._answers["read", path] = _digest(data)
        self._answers["real", path] = _real_folder(path, self._base)
        return data

    def root_of(self, path: str) -> str:
        """The project root of a file."""
        root = self._files.root_of(path)
        self._answers["root", path] = root
        return root

    def siblings(self, path: str) -> list[str]:
        """Names of the files beside `path`."""
        names = self._files.siblings(path)
        self._answers["siblings", path] = _listed(names)
        return names

    def plugins(self) -> tuple[str, ...]:
        """Names of the connector types that installed packages offer."""
        if self._plugins is None:
            self._plugins = Plugins(installed_plugins(), _searched())
        return self._plugins.names

    @property
    def trace(self) -> Trace:
        """What was asked so far."""
        answers = (Answer(kind, path, answer) for (kind, path), answer in self._answers.items())
        return Trace(tuple(answers), self._plugins)


def read_again(trace: Trace, files: Files, base: Path) -> Mapping[str, bytes] | None:
    """The contents of all files that were read, by path; `None` when anything would be answered differently."""
    contents: dict[str, bytes] = {}
    for one in trace.answers:
        if _asked(one, files, base, contents) != one.answer:
            return None
    return contents if trace.plugins is None or _are_the_same(trace.plugins) else None


def _asked(one: Answer, files: Files, base: Path, contents: dict[str, bytes]) -> str:
    match one.kind:
        case "root":
            return files.root_of(one.path)
        case "siblings":
            return _listed(files.siblings(one.path))
        case "real":
            return _real_folder(one.path, base)
        case "read":
            return _read(one.path, files, contents)


def _read(path: str, files: Files, contents: dict[str, bytes]) -> str:
    try:
        contents[path] = files.read(path)
    except FileProblem as problem:
        return _refused(problem)
    return _digest(contents[path])


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _refused(problem: FileProblem) -> str:
    return f"refused: {problem.message}"


def _listed(names: Iterable[str]) -> str:
    return _digest("\0".join(names).encode(errors="surrogateescape"))


def _real_folder(path: str, base: Path) -> str:
    return os.path.realpath((base / path).parent)


def _are_the_same(plugins: Plugins) -> bool:
    if plugins.searched == _searched():
        return True
    return plugins.names == installed_plugins()


def _searched() -> tuple[tuple[str, int], ...]:
    """The folders that packages are found in, each with the time of its last change."""
    found = []
    for folder in sys.path:
        try:
            found.append((folder, os.stat(folder or ".").st_mtime_ns))  # noqa: PTH116 - thrice as fast, on every start
        except OSError:
            continue
    return tuple(found)
