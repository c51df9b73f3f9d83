"""Checks of small flows for the tests of rules: a text in, what was found out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from specs.check import Checked, check_file
from specs.context import ActionSpec
from specs.diagnostics import Diagnostic
from tests.specs.projects import MemoryFiles, applied

HEAD = "version: 1\n"


@dataclass
class Signatures:
    """A catalogue made of a table; types in `configured_only` need an entry in `connectors`."""

    table: Mapping[str, Mapping[str, ActionSpec]]
    configured_only: tuple[str, ...] = field(default=())

    def types(self) -> tuple[str, ...]:
        return tuple(self.table)

    def actions(self, type_name: str) -> Mapping[str, ActionSpec] | None:
        return self.table.get(type_name)

    def unconfigured(self) -> tuple[str, ...]:
        return tuple(name for name in self.table if name not in self.configured_only)


def check(text: str, *, catalogue: Signatures | None = None, **others: str) -> Checked:
    """Check `text` as `flow.yaml`; `others` are files beside it, `.yaml` added to their names."""
    files = {"flow.yaml": text if text.startswith("version") else HEAD + text}
    files |= {f"{name}.yaml": HEAD + content for name, content in others.items()}
    return check_file("flow.yaml", MemoryFiles(files), catalogue=catalogue)


def found(text: str, code: str, *, catalogue: Signatures | None = None, **others: str) -> list[Diagnostic]:
    """The findings of one code."""
    checked = check(text, catalogue=catalogue, **others)
    assert checked.context is not None, [one.message for one in checked.diagnostics]
    return [one for one in checked.diagnostics if one.code == code]


def only(text: str, code: str, *, catalogue: Signatures | None = None, **others: str) -> Diagnostic:
    """The one finding of a code."""
    (finding,) = found(text, code, catalogue=catalogue, **others)
    return finding


def codes(text: str, *, catalogue: Signatures | None = None, **others: str) -> list[str]:
    """Every code found, in source order, FLOW190 left out: what the engine honours changes, the language does not."""
    return [one.code for one in check(text, catalogue=catalogue, **others).diagnostics if one.code != "FLOW190"]


def marked(finding: Diagnostic) -> str:
    """The text at which a finding stands."""
    return finding.place.source.text[finding.place.start : finding.place.end]


def fixed(finding: Diagnostic) -> str:
    """The file after the finding's fix."""
    assert finding.fix is not None
    return applied(finding.place.source.text, finding.fix)
