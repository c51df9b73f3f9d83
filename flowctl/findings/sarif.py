"""SARIF 2.1.0, for code scanning: https://docs.oasis-open.org/sarif/sarif/v2.1.0/."""

from __future__ import annotations

import json
import os
from typing import Any
from urllib.parse import quote

from flowctl.findings.collected import Collected, Names
from flowctl.findings.fingerprints import Fingerprints
from flowctl.version import VERSION
from specs.codes import CODES, CodeInfo
from specs.diagnostics import Diagnostic, Fix, Place, Severity

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
ROOT = "%SRCROOT%"
LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
_RULE_NUMBERS = {code: number for number, code in enumerate(CODES)}


def sarif(collected: Collected) -> str:
    """A log with one run: a rule for every code there is, and a result for every finding."""
    fingerprints = Fingerprints()
    run = {
        "tool": {"driver": {"name": "flowctl", "version": VERSION, "rules": [_rule(info) for info in CODES.values()]}},
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": {ROOT: {"description": {"text": "the root of the repository"}}},
        "results": [_result(finding, collected.names, fingerprints) for finding in collected.findings],
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2)


def _rule(info: CodeInfo) -> dict[str, Any]:
    tags = [info.group, *(["security"] if info.group == "safety" else [])]
    return {
        "id": info.code,
        "shortDescription": {"text": info.title},
        "help": {"text": f"`flowctl explain {info.code}` says more, with an example"},
        "defaultConfiguration": {"level": LEVELS[info.severity], "enabled": not info.opt_in},
        "properties": {"tags": tags},
    }


def _result(finding: Diagnostic, names: Names, fingerprints: Fingerprints) -> dict[str, Any]:
    text = finding.message if finding.help is None else f"{finding.message}\nhelp: {finding.help}"
    location = _location(finding.place, names)
    if finding.path:
        location["logicalLocations"] = [{"fullyQualifiedName": _dotted(finding.path), "kind": "member"}]
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": _RULE_NUMBERS[finding.code],
        "level": LEVELS[finding.severity],
        "message": {"text": text},
        "locations": [location],
        "partialFingerprints": {"keyPath/v1": fingerprints.of(finding, names.of(finding.place.source.name))},
    }
    if finding.labels:
        result["relatedLocations"] = [
            {"id": number, **_location(label.place, names), "message": {"text": label.text or "see here"}}
            for number, label in enumerate(finding.labels)
        ]
    if finding.fix is not None:
        result["fixes"] = [_fix(finding.fix, names)]
    return result


def _location(place: Place, names: Names) -> dict[str, Any]:
    return {"physicalLocation": {"artifactLocation": _artifact(place.source.name, names), "region": _region(place)}}


def _artifact(shown: str, names: Names) -> dict[str, str]:
    name = names.of(shown)
    encoded = quote(os.fsencode(name))
    return {"uri": f"file://{encoded}"} if name.startswith("/") else {"uri": encoded, "uriBaseId": ROOT}


def _region(place: Place) -> dict[str, int]:
    line, column = place.source.position(place.start)
    end_line, end_column = place.source.position(place.end)
    return {
        "startLine": line,
        "startColumn": column,
        "endLine": end_line,
        "endColumn": end_column,
        "charOffset": place.start,
        "charLength": place.end - place.start,
    }


def _fix(fix: Fix, names: Names) -> dict[str, Any]:
    changes: dict[str, dict[str, Any]] = {}
    for edit in fix.edits:
        shown = edit.place.source.name
        change = changes.setdefault(shown, {"artifactLocation": _artifact(shown, names), "replacements": []})
        change["replacements"].append({"deletedRegion": _region(edit.place), "insertedContent": {"text": edit.text}})
    return {"description": {"text": fix.title}, "artifactChanges": list(changes.values())}


def _dotted(path: tuple[str | int, ...]) -> str:
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")
