"""How a broken flow is checked: with everything that can be found, and for some codes with tools, or with its project."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

from msgspec import Struct

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.checking import CheckOptions, check_files
from flowctl.files import discover
from flowctl.scripts import ScriptChecks
from specs.check import Checked, check_text
from specs.codes import CODES, OF_PROJECTS
from specs.diagnostics import Diagnostic, Fix, Severity
from specs.policy import Policy
from specs.source import DEFAULT_LIMITS, read_document
from tests.specs.mutating.mutants import Mutant
from tests.specs.projects import FolderFiles

SPECS = Path(__file__).parents[1]
EXAMPLES = SPECS.parents[1] / "examples"
NOW = datetime(2026, 1, 1, tzinfo=UTC)
EVERYTHING = Policy(enabled=frozenset(code for code, info in CODES.items() if info.opt_in))
PATH = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
BY_TOOLS = frozenset({"FLOW701", "FLOW702", "FLOW704"})
"""Codes that are found by programs, which take their time."""


class Found(Struct, frozen=True):
    """A finding as it is compared: its code, its file, from where to where it goes, whether it is an error, its fix."""

    code: str
    name: str
    start: int
    end: int
    is_error: bool
    fix: Fix | None


def findings(mutant: Mutant, folder: Path, code: str) -> list[Found]:
    """What is found in a broken flow of `folder`, looked at in the way in which `code` is found."""
    if code in OF_PROJECTS:
        return _in_project(mutant, folder)
    checked = check(mutant.main, mutant.texts, folder, tools=code in BY_TOOLS)
    return [_found(one, one.place.source.name) for one in checked.diagnostics]


def _found(one: Diagnostic, name: str) -> Found:
    return Found(one.code, name, one.place.start, one.place.end, one.severity is Severity.ERROR, one.fix)


def check(main: str, texts: Mapping[str, str], folder: Path, *, tools: bool = False) -> Checked:
    """Check `main` with all checks, the connectors that are built in and those of the examples."""
    return check_text(
        texts[main].encode(),
        main,
        _Overlaid(FolderFiles(folder), texts),
        catalogue=_catalogue(),
        policy=EVERYTHING,
        now=NOW,
        more_rules=ScriptChecks({"PATH": PATH}).rules if tools else (),
    )


class _Overlaid(Struct, frozen=True):
    """The files of a folder, some of them with other texts than there, or only here."""

    folder: FolderFiles
    texts: Mapping[str, str]

    def read(self, path: str) -> bytes:
        return self.texts[path].encode() if path in self.texts else self.folder.read(path)

    def root_of(self, path: str) -> str:
        return self.folder.root_of(path)

    def siblings(self, path: str) -> list[str]:
        return self.folder.siblings(path)


def _in_project(mutant: Mutant, folder: Path) -> list[Found]:
    """What is found when the flow, what it calls and the files beside it are all there is."""
    reached = check(mutant.main, mutant.texts, folder).files
    with TemporaryDirectory() as root:
        for name, text in {**reached, **mutant.texts, "flowctl.yaml": ""}.items():
            path = Path(root, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
        options = CheckOptions(_catalogue(), DEFAULT_LIMITS, EVERYTHING, now=NOW)
        return [
            _found(one, str(Path(one.place.source.name).relative_to(root)))
            for _, found in check_files(discover([Path(root)], folder=Path(root)), options)
            for one in found
        ]


@lru_cache(maxsize=1)
def _catalogue() -> InstalledCatalogue:
    reading = read_document((EXAMPLES / "flowctl.yaml").read_bytes(), "flowctl.yaml")
    assert reading.document is not None
    return InstalledCatalogue(reading.document.data["connectors"], lambda: ())
