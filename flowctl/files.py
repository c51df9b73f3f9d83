"""The files of a project: which are flows, which belong together, and how each is read."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from flowctl.reading import SPEC_BYTES, Unreadable, absolute, read_regular, reason_of
from flowctl.settings import PROJECT_FILE, find_upward
from specs.files import FileProblem

SUFFIXES = (".yaml", ".yml")
FOLDERS = ("flows", ".flowctl")
"""Where a project keeps its flows."""

_SKIPPED_FOLDERS = frozenset({"node_modules", "venv", "__pycache__"})
_TEST_SUFFIXES = (".test.yaml", ".test.yml")
_TOP_LEVEL_KEY = re.compile(rb"""^(?:"([^"\n]*)"|'([^'\n]*)'|([A-Za-z_][\w-]*))[ \t]*:(?=[ \t\r\n]|\Z)""", re.MULTILINE)
_LIBRARY_SECTIONS = frozenset({b"templates", b"connectors", b"pools", b"env"})
_LIBRARY_KEYS = _LIBRARY_SECTIONS | {b"version", b"include"}


class ProjectFiles:
    """The files a check may read: those the user named, and what is below the roots of their projects.

    The `specs.files.Files` of the command line. A named file may be a symbolic link; one that was found in a folder,
    or that a flow leads to, may not, and no folder on the way there may lead out of the project.
    """

    def __init__(self, named: Iterable[Path], *, found: Iterable[Path] = (), most: int = SPEC_BYTES) -> None:
        self._named = {absolute(path) for path in named}
        self._folders = {absolute(path).parent for path in found} | {path.parent for path in self._named}
        self._most = most
        self._roots: frozenset[Path] | None = None

    def read(self, path: str) -> bytes:
        """The content of a regular file; raises `FileProblem`."""
        place = absolute(Path(path))
        is_named = place in self._named
        if not is_named and not self._is_inside(place):
            raise FileProblem("it is outside of the project")
        try:
            return read_regular(place, most=self._most, follow=is_named)
        except Unreadable as error:
            raise FileProblem(str(error)) from error

    def root_of(self, path: str) -> str:
        """The project root of a file, absolute for an absolute path, else relative to the current folder."""
        root = project_root(Path(path))
        return str(root) if Path(path).is_absolute() else os.path.relpath(root)

    def siblings(self, path: str) -> list[str]:
        """Names of the files beside `path`, sorted."""
        try:
            with os.scandir(Path(path).parent) as entries:
                return sorted(entry.name for entry in entries if entry.is_file(follow_symlinks=False))
        except (OSError, ValueError):
            return []

    def _is_inside(self, place: Path) -> bool:
        if self._roots is None:
            folders = self._folders or {Path.cwd()}  # a flow from stdin stands where the user does
            self._roots = frozenset(project_root(folder).resolve() for folder in folders)
        folder = Path(os.path.realpath(place.parent))
        return any(folder.is_relative_to(root) for root in self._roots)


class Discovery(Struct, frozen=True):
    """What was found.

    Attributes:
        files: what to check, in a stable order.
        named: those of `files` that the user named.
        skipped: files in folders that are no flows.
        libraries: those of `skipped` that flows could include.
        problems: what is wrong with folders.
        is_whole: whether `files` are all flows of their projects, so that what none of them has does not exist.
    """

    files: tuple[Path, ...]
    named: frozenset[Path] = frozenset()
    skipped: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()
    libraries: tuple[Path, ...] = ()
    is_whole: bool = False


def discover(paths: Sequence[Path], *, folder: Path) -> Discovery:
    """The flows that `paths` stand for; without any, all flows of the project that `folder` is in.

    A file is taken as named, whatever it is called. Of a folder, everything below it that is YAML and looks like a
    flow: not tests, settings or libraries, nothing in hidden folders, no symbolic link is followed.
    """
    found: dict[Path, Path] = {}
    named: list[Path] = []
    skipped: list[Path] = []
    problems: list[str] = []
    for start in paths or _default_folders(folder):
        if not start.is_dir():
            found.setdefault(absolute(start), start)
            named.append(start)
            continue
        for candidate in _walk(start, problems):
            if looks_like_flow(candidate):
                found.setdefault(absolute(candidate), candidate)
            else:
                skipped.append(candidate)
    skipped.sort()
    return Discovery(
        files=tuple(sorted(found.values())),
        named=frozenset(named),
        skipped=tuple(skipped),
        problems=tuple(problems),
        libraries=tuple(path for path in skipped if _looks_like_library(path)),
        is_whole=not problems and _is_whole([path for path in paths if path.is_dir()] if paths else None),
    )


def project_root(path: Path) -> Path:
    """The root of the project the file or folder belongs to: the nearest folder upward with `flowctl.yaml`, else with
    `.git`, else its own."""
    own = absolute(path if path.is_dir() else path.parent)
    marker = find_upward(own, PROJECT_FILE) or find_upward(own, ".git")
    return marker.parent if marker else own


def looks_like_flow(path: Path) -> bool:
    """Whether a YAML file found in a folder is to be checked as a flow.

    In doubt it is: one that cannot be read is reported, and one with a misspelled `tasks` is a flow with an error.
    """
    try:
        data = read_regular(path, most=SPEC_BYTES, follow=False)
    except Unreadable:
        return True
    return reads_like_flow(data)


def reads_like_flow(data: bytes) -> bool:
    """Whether a text is to be checked as a flow; in doubt it is."""
    if data.lstrip().startswith(b"{"):
        return b"tasks" in data or b"version" in data
    keys = {b"".join(match) for match in _TOP_LEVEL_KEY.findall(data)}
    if b"tasks" in keys:
        return True
    is_library = all(key in _LIBRARY_KEYS or key.startswith(b"x-") for key in keys)
    return b"version" in keys and not is_library


def _looks_like_library(path: Path) -> bool:
    try:
        data = read_regular(path, most=SPEC_BYTES, follow=False)
    except Unreadable:
        return False
    keys = {b"".join(match) for match in _TOP_LEVEL_KEY.findall(data)}
    return b"version" in keys and not keys.isdisjoint(_LIBRARY_SECTIONS)


def _is_whole(folders: Sequence[Path] | None) -> bool:
    """Whether folders hold all flows of their projects; `None` are the folders in which a project keeps them.

    A project without such folders is as large as what is asked about.
    """
    if folders is None:
        return True
    given = [absolute(folder) for folder in folders]
    homes = {root / name for root in {project_root(folder) for folder in given} for name in FOLDERS}
    return bool(given) and all(any(home.is_relative_to(folder) for folder in given) for home in homes if home.is_dir())


def _default_folders(folder: Path) -> list[Path]:
    root = project_root(folder)
    shown = Path(os.path.relpath(root, folder))
    return [shown / name for name in FOLDERS if (root / name).is_dir()]


def _walk(start: Path, problems: list[str]) -> Iterator[Path]:
    """Everything below `start` that is named like a flow, iteratively: folders may nest deeper than Python's stack."""
    pending = [start]
    while pending:
        folder = pending.pop()
        try:
            with os.scandir(folder) as entries:
                listed = sorted(entries, key=lambda entry: entry.name)
        except OSError as error:
            problems.append(f"cannot read `{folder}`: {reason_of(error)}")
            continue
        for entry in listed:
            if entry.is_dir(follow_symlinks=False):
                if not entry.name.startswith(".") and entry.name not in _SKIPPED_FOLDERS:
                    pending.append(folder / entry.name)
            elif _is_named_like_flow(entry.name):
                yield folder / entry.name


def _is_named_like_flow(name: str) -> bool:
    lower = name.lower()
    return lower.endswith(SUFFIXES) and not lower.endswith(_TEST_SUFFIXES) and lower != PROJECT_FILE
