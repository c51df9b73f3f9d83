"""The cache of plans: what the file of one holds, and under which conditions it is the plan that compiling would make.

Its name is a digest of all that a check is told (`Conditions`); in it stands what the check then asked (`trace.py`). The
texts of the flow are read anew each time and not kept, and neither is any value of a parameter, variable or secret.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from msgspec import Struct

from engine.plan import Plan
from engine.plan_codec import NotDecodable, NotEncodable, decode_plan, encode_plan
from flowctl.plan_cache.folder import CacheFolder
from flowctl.plan_cache.trace import Trace, TracedFiles, read_again
from flowctl.version import VERSION
from specs.diagnostics import Diagnostic, Label, Place, Severity, Source
from specs.files import Files, relative_to

if TYPE_CHECKING:
    from flowctl.settings import FileLimits
    from specs.policy import Policy

FORMAT = 1
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"


class Conditions(Struct, frozen=True, array_like=True):
    """What a check of a flow is told, besides the answers to what it asks.

    Attributes:
        path: the flow as it was named, seen from `folder`.
        connectors: connector types of the project.
        version: what else tells flows apart, such as a digest of their texts.
    """

    path: str
    folder: str
    limits: FileLimits
    policy: Policy
    connectors: Mapping[str, str]
    version: str = ""

    def digest(self) -> str | None:
        """A name for what is made under these conditions by this program; `None` where a path is no Unicode."""
        try:
            told = msgspec.msgpack.encode((FORMAT, _program(), self), order="deterministic")
        except UnicodeEncodeError:
            return None
        return hashlib.sha256(told).hexdigest()


class Compiled(Struct, frozen=True):
    """A plan, and the warnings that whoever runs it is shown."""

    plan: Plan
    warnings: tuple[Diagnostic, ...]


class _Spot(Struct, frozen=True, array_like=True):
    """A place in the file at `path`, where a label of it says `text`."""

    path: str
    start: int
    end: int
    text: str = ""


class _Warning(Struct, frozen=True, array_like=True):
    code: str
    message: str
    help: str | None
    at: _Spot
    labels: tuple[_Spot, ...]
    path: tuple[str | int, ...]


class _Entry(Struct, frozen=True, array_like=True):
    """What is kept: `root` is the project's, from which a plan names its files; `plan` is read when the trace holds."""

    trace: Trace
    root: str
    warnings: tuple[_Warning, ...]
    plan: bytes


class PlanCache:
    """The plans kept in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = CacheFolder(folder)

    def find(self, conditions: Conditions, files: Files) -> Compiled | None:
        """What was kept of a flow, provided that `files` answer as they did when it was compiled."""
        name = conditions.digest()
        data = self._folder.read(name) if name is not None else None
        if name is None or data is None:
            return None
        try:
            entry = msgspec.msgpack.decode(data, type=_Entry)
            contents = read_again(entry.trace, files, Path(conditions.folder))
            return None if contents is None else _compiled(entry, contents)
        except (msgspec.DecodeError, NotDecodable, UnicodeDecodeError, LookupError):
            self._folder.remove(name)  # kept by another version of this program that calls itself the same
            return None

    def keep(self, conditions: Conditions, compiled: Compiled, files: TracedFiles, *, root: str) -> None:
        """Keep what was compiled from `files`, if it can be."""
        name = conditions.digest()
        entry = _entry(compiled, files, root) if name is not None else None
        if name is not None and entry is not None:
            self._folder.write(name, entry)


def _compiled(entry: _Entry, contents: Mapping[str, bytes]) -> Compiled:
    texts = {path: _text(data) for path, data in contents.items()}
    sources = {path: Source(path, text) for path, text in texts.items()}
    plan = decode_plan(entry.plan, {relative_to(entry.root, path): text for path, text in texts.items()})
    return Compiled(plan, tuple(_diagnostic(one, sources) for one in entry.warnings))


def _entry(compiled: Compiled, files: TracedFiles, root: str) -> bytes | None:
    """The bytes to keep; `None` for what would not come back as it is."""
    try:
        texts = {path: _text(data) for path, data in files.contents.items()}
        named = {relative_to(root, path): text for path, text in texts.items()}
        if any(named.get(name) != text for name, text in compiled.plan.files.items()):
            return None
        if any(texts.get(source.name) != source.text for one in compiled.warnings for source in _sources(one)):
            return None
        warnings = tuple(_warning(one) for one in compiled.warnings)
        return msgspec.msgpack.encode(_Entry(files.trace, root, warnings, encode_plan(compiled.plan)))
    except (NotEncodable, UnicodeError):
        return None


def _text(data: bytes) -> str:
    return data.removeprefix(_BYTE_ORDER_MARK).decode()


# --- warnings -----------------------------------------------------------------------------------------------------------


def _sources(finding: Diagnostic) -> tuple[Source, ...]:
    return (finding.place.source, *(label.place.source for label in finding.labels))


def _warning(finding: Diagnostic) -> _Warning:
    labels = tuple(_spot(label.place, label.text) for label in finding.labels)
    return _Warning(finding.code, finding.message, finding.help, _spot(finding.place), labels, finding.path)


def _spot(place: Place, text: str = "") -> _Spot:
    return _Spot(place.source.name, place.start, place.end, text)


def _diagnostic(kept: _Warning, sources: Mapping[str, Source]) -> Diagnostic:
    return Diagnostic(
        kept.code,
        _place(kept.at, sources),
        kept.message,
        help=kept.help,
        severity=Severity.WARNING,
        labels=tuple(Label(_place(spot, sources), spot.text) for spot in kept.labels),
        path=kept.path,
    )


def _place(spot: _Spot, sources: Mapping[str, Source]) -> Place:
    return Place(sources[spot.path], spot.start, spot.end)


# --- the program --------------------------------------------------------------------------------------------------------


def _program() -> tuple[object, ...]:
    """What tells this program from any other that could have compiled a plan: versions, and the state of its files.

    A version says nothing of a working copy, and the folder of installed packages changes with each of them.
    """
    packages = Path(msgspec.__file__).parents[1]
    own = Path(__file__).parents[2]
    code = [state for package in ("engine", "specs") for state in _states(str(own / package))]
    return VERSION, sys.version, os.stat(packages).st_mtime_ns, sorted(code)  # noqa: PTH116 - on every start


def _states(folder: str) -> list[tuple[str, int, int]]:
    found: list[tuple[str, int, int]] = []
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.endswith(".py"):
                state = entry.stat()
                found.append((entry.path, state.st_mtime_ns, state.st_size))
            elif entry.name != "__pycache__" and entry.is_dir():
                found += _states(entry.path)
    return found
