"""What a project makes of findings: how much a code weighs, which are asked for, and where one is accepted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, field
from msgspec.structs import replace

from specs.codes import CODES, GROUPS, JUDGEMENTS
from specs.diagnostics import Diagnostic, Severity
from specs.files import relative_to
from specs.globs import matches

FIXED = frozenset({"FLOW131", "FLOW901"})
"""Codes nobody can change: the file was not checked, or not in full."""


class Acceptance(Struct, frozen=True):
    """Findings of `code` in files below the root that one of `paths` (see `specs.globs`) matches, and why they may stay."""

    code: str
    paths: tuple[str, ...]
    reason: str


class Policy(Struct, frozen=True):
    """How findings count.

    Attributes:
        severities: by code, its severity here; `None` is off. A code that is named here needs no `enabled`.
        accepted: findings that are left out in some files.
        enabled: codes to report although they are off unless asked for.
        disabled: codes not to report.
    """

    severities: Mapping[str, Severity | None] = field(default_factory=dict)
    accepted: tuple[Acceptance, ...] = ()
    enabled: frozenset[str] = frozenset()
    disabled: frozenset[str] = frozenset()

    def severity(self, code: str) -> Severity:
        """How much a finding of `code` weighs, were it reported."""
        return self.severities.get(code) or CODES[code].severity

    def reports(self, code: str) -> bool:
        """Whether findings of `code` are wanted at all."""
        if code in self.disabled:
            return False
        if code in self.severities:
            return self.severities[code] is not None
        return not CODES[code].opt_in or code in self.enabled

    def accepts(self, found: Diagnostic, root: str) -> bool:
        """Whether the finding is in a file, of the project at `root`, where its code is accepted."""
        if not self.accepted:
            return False
        path = relative_to(root, found.place.source.name)
        return any(
            one.code == found.code and any(matches(pattern, path) for pattern in one.paths) for one in self.accepted
        )

    def weighed(self, found: Diagnostic) -> Diagnostic:
        """The finding with the severity that its code has here; a severity it was given by itself stays."""
        severity = self.severities.get(found.code)
        return found if severity in (None, found.severity) else replace(found, severity=severity)

    def for_runs(self) -> Policy:
        """What of this holds for a run: judgements that the project has answered for do not stop it; nothing else
        changes what a run refuses."""
        lowered = {code: level for code, level in self.severities.items() if code in JUDGEMENTS}
        return Policy(lowered, tuple(one for one in self.accepted if one.code in JUDGEMENTS), self.enabled)

    def changed(self, *, enable: Iterable[str] = (), disable: Iterable[str] = ()) -> Policy:
        """The same with some codes on and others off, as a call asks for them."""
        on, off = frozenset(enable), frozenset(disable)
        severities = {code: level for code, level in self.severities.items() if code not in on or level is not None}
        return replace(
            self, severities=severities, enabled=(self.enabled | on) - off, disabled=(self.disabled - on) | off
        )


AS_WRITTEN = Policy()
"""Every code as `specs/codes.py` has it."""

ANSWERED = Policy(dict.fromkeys(JUDGEMENTS, Severity.WARNING))
"""For flows that have run: whoever ran them has answered for what is a judgement."""


def codes_named(name: str) -> frozenset[str]:
    """The codes that a word stands for: a code itself, or all of a group (`style`); empty for anything else."""
    if name in CODES:
        return frozenset({name})
    return frozenset(code for code, info in CODES.items() if info.group == name)


def names_of_codes() -> tuple[str, ...]:
    """Everything `codes_named` knows: groups, then codes."""
    return (*GROUPS.values(), *CODES)
