"""The Code Quality report of GitLab, which it shows in merge requests: a list of issues in Code Climate's shape."""

from __future__ import annotations

import json
from typing import Any

from flowctl.findings.collected import Collected
from flowctl.findings.fingerprints import Fingerprints
from specs.codes import CODES
from specs.diagnostics import Diagnostic, Severity

SEVERITIES = {Severity.ERROR: "major", Severity.WARNING: "minor", Severity.INFO: "info"}


def gitlab(collected: Collected) -> str:
    """One issue for each finding; an error of safety is critical."""
    fingerprints = Fingerprints()
    return json.dumps([_issue(finding, collected, fingerprints) for finding in collected.findings], indent=2)


def _issue(finding: Diagnostic, collected: Collected, fingerprints: Fingerprints) -> dict[str, Any]:
    place = finding.place
    file = collected.names.of(place.source.name)
    is_safety = CODES[finding.code].group == "safety"
    is_critical = finding.severity is Severity.ERROR and is_safety
    issue: dict[str, Any] = {
        "type": "issue",
        "check_name": finding.code,
        "description": f"{finding.code}: {finding.message}",
        "categories": ["Security" if is_safety else "Bug Risk"],
        "severity": "critical" if is_critical else SEVERITIES[finding.severity],
        "fingerprint": fingerprints.of(finding, file),
        "location": {
            "path": file,
            "lines": {
                "begin": place.source.position(place.start)[0],
                "end": place.source.position(place.end)[0],
            },
        },
    }
    if finding.help is not None:
        issue["content"] = {"body": finding.help}
    return issue
