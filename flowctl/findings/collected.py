"""What a check came to as a whole, for the reports that cannot be written line by line."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from msgspec import Struct, field

from specs.diagnostics import Diagnostic, Severity


class Names(Struct, frozen=True):
    """Names of files as a report has them: relative to `base` (a repository's root) where they are below it."""

    base: Path

    def of(self, shown: str) -> str:
        """The name in the report of the file that is shown as `shown`; one that is no path stays as it is."""
        if shown.startswith("<"):
            return shown
        inside = os.path.relpath(shown, self.base)
        return shown if inside.startswith("..") else Path(inside).as_posix()


class Collected(Struct):
    """The files that were checked and the findings to report.

    Attributes:
        names: how files are called.
        failing: severities that fail the check.
    """

    names: Names
    failing: frozenset[Severity] = frozenset({Severity.ERROR})
    files: dict[str, None] = field(default_factory=dict)
    findings: list[Diagnostic] = field(default_factory=list)

    def by_file(self) -> Iterator[tuple[str, list[Diagnostic]]]:
        """Every file with its findings, those in libraries with the library; files as named in the report, in order."""
        groups: dict[str, list[Diagnostic]] = {self.names.of(file): [] for file in self.files}
        for finding in self.findings:
            groups.setdefault(self.names.of(finding.place.source.name), []).append(finding)
        yield from sorted(groups.items())
