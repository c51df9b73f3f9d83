"""Which test files there are: those named, those below a folder, and those beside a flow."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from msgspec import Struct

from flowctl.files import FOLDERS, project_root
from flowctl.problems import UsageProblem
from flowctl.reading import absolute, reason_of
from flowctl.testing.loading import SUFFIXES

_NOT_ENTERED = frozenset({"node_modules", "venv", "__pycache__"})


class FoundTests(Struct, frozen=True):
    """Test files in a stable order, and folders that could not be read."""

    files: tuple[Path, ...]
    problems: tuple[str, ...] = ()


def find_tests(paths: Sequence[str], *, folder: Path) -> FoundTests:
    """The test files that `paths` stand for; without any, those of the project that `folder` is in.

    A file that is no test stands for the test file beside it. Raises `UsageProblem` if there is none.
    """
    found: dict[Path, Path] = {}
    problems: list[str] = []
    for start in [Path(path) for path in paths] or _default_folders(folder):
        candidates = _walk(start, problems) if start.is_dir() else iter([_test_of(start)])
        for path in candidates:
            found.setdefault(absolute(path), path)
    return FoundTests(tuple(sorted(found.values())), tuple(problems))


def _default_folders(folder: Path) -> list[Path]:
    """The folders of the project's flows; where it has none, the current one."""
    root = project_root(folder)
    shown = Path(os.path.relpath(root, folder))
    return [shown / name for name in FOLDERS if (root / name).is_dir()] or [Path()]


def _test_of(path: Path) -> Path:
    if path.name.endswith(SUFFIXES):
        return path
    beside = [path.with_name(path.stem + suffix) for suffix in SUFFIXES]
    found = next((one for one in beside if one.is_file()), None)
    if found is None:
        hint = f"write `{beside[0].name}` beside it; a test file is named so"
        raise UsageProblem(f"`{path}` is no test file, and there is none beside it", hint=hint)
    return found


def _walk(start: Path, problems: list[str]) -> Iterator[Path]:
    """Everything below `start` that is named like a test, iteratively; no symbolic link is followed."""
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
                if not entry.name.startswith(".") and entry.name not in _NOT_ENTERED:
                    pending.append(folder / entry.name)
            elif entry.name.lower().endswith(SUFFIXES):
                yield folder / entry.name
