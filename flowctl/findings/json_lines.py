"""Findings for programs: one JSON object a line, shaped as `DIAGNOSTICS.md` has it."""

from __future__ import annotations

import json
from typing import Any

from specs.diagnostics import Diagnostic, Fix, Place, Source

SCHEMA_VERSION = 1


def json_line(finding: Diagnostic) -> str:
    """A finding as a line of JSON. Lines and columns count code points from 1, offsets from 0; ranges are half-open."""
    shape = {
        "schema_version": SCHEMA_VERSION,
        "code": finding.code,
        "severity": finding.severity.value,
        "message": finding.message,
        "help": finding.help,
        **_place(finding.place),
        "path": list(finding.path),
        "labels": [{**_place(label.place), "text": label.text} for label in finding.labels],
        "fix": _fix(finding.fix) if finding.fix else None,
    }
    return json.dumps(shape)


def _place(place: Place) -> dict[str, Any]:
    return {
        "file": place.source.name,
        "range": {"start": _position(place.source, place.start), "end": _position(place.source, place.end)},
    }


def _position(source: Source, offset: int) -> dict[str, int]:
    line, column = source.position(offset)
    return {"line": line, "column": column, "offset": offset}


def _fix(fix: Fix) -> dict[str, Any]:
    return {"title": fix.title, "edits": [{**_place(edit.place), "text": edit.text} for edit in fix.edits]}
