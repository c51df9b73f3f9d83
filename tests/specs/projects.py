"""Projects for tests: files in memory, and files of a folder."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from specs.diagnostics import Diagnostic, Fix
from specs.files import FileProblem


@dataclass
class MemoryFiles:
    """Files by path; the root of all is the empty path. `read_paths` tells what was asked for."""

    contents: Mapping[str, str]
    read_paths: list[str] = field(default_factory=list)

    def read(self, path: str) -> bytes:
        self.read_paths.append(path)
        if path not in self.contents:
            raise FileProblem("it does not exist")
        return self.contents[path].encode()

    def root_of(self, path: str) -> str:
        return "."

    def siblings(self, path: str) -> list[str]:
        folder = path.rpartition("/")[0]
        return sorted(name.rpartition("/")[2] for name in self.contents if name.rpartition("/")[0] == folder)


@dataclass(frozen=True)
class FolderFiles:
    """The files of one folder, which is the root."""

    folder: Path

    def read(self, path: str) -> bytes:
        try:
            return (self.folder / path).read_bytes()
        except OSError:
            raise FileProblem("it does not exist") from None

    def root_of(self, path: str) -> str:
        return "."

    def siblings(self, path: str) -> list[str]:
        return sorted(entry.name for entry in (self.folder / path).parent.glob("*"))


def concise(found: Diagnostic, main: str) -> str:
    """A finding as golden files hold it: one line, and one for its help; the file only when it is another one."""
    source = found.place.source
    line, column = source.position(found.place.start)
    where = f"{line}:{column}" if source.name == main else f"{source.name}:{line}:{column}"
    first = f"{where}: {found.severity}[{found.code}]: {found.message}"
    return f"{first}\n  = help: {found.help}" if found.help else first


def applied(text: str, fix: Fix) -> str:
    """`text` after the edits of a fix."""
    for edit in sorted(fix.edits, key=lambda edit: edit.place.start, reverse=True):
        text = text[: edit.place.start] + edit.text + text[edit.place.end :]
    return text
