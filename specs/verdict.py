"""What is reported of a checked file: what was found, as the project weighs it and the author has answered it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from specs.codes import CODES, OF_PROJECTS
from specs.diagnostics import Diagnostic, Source
from specs.policy import Policy
from specs.series import in_short
from specs.suppression import Silences, settled

OF_THE_DAY = frozenset({"FLOW225", "FLOW505", "FLOW506"})
"""Codes that are found on some days or with some servers only, so that their silences are never called needless."""


def verdict(
    found: Iterable[Diagnostic],
    *,
    source: Source,
    libraries: Collection[Source],
    policy: Policy,
    root: str,
    is_complete: bool,
) -> tuple[Diagnostic, ...]:
    """The findings to report for the file of `source`, with what is wrong with silences in it and in its libraries.

    Silences that silence nothing are told when every check has run (`is_complete`), and of the file itself only: one in
    a library may be for another flow.
    """
    silences = Silences(policy)
    kept = list(settled(found, policy, root, silences))
    remarks = [remark for one in (source, *libraries) for remark in silences.mistakes(one)]
    if is_complete:
        remarks += silences.unused(source, lambda code: _is_judged(code, policy))
    return in_short([*kept, *settled(remarks, policy, root, silences)])


def project_verdict(
    found: Iterable[Diagnostic], *, sources: Iterable[Source], policy: Policy, root: str
) -> tuple[Diagnostic, ...]:
    """The findings of a project check to report, with silences of their codes that silence nothing in `sources`."""
    silences = Silences(policy)
    kept = list(settled(found, policy, root, silences))
    remarks = [remark for source in sources for remark in silences.unused(source, OF_PROJECTS.__contains__)]
    return in_short([*kept, *settled(remarks, policy, root, silences)])


def _is_judged(code: str, policy: Policy) -> bool:
    """Whether the check of one file can tell that nothing of this code is there."""
    info = CODES[code]
    is_elsewhere = code in OF_PROJECTS or code in OF_THE_DAY or info.group in ("scripts", "validator")
    return not is_elsewhere and (not info.opt_in or policy.reports(code))
