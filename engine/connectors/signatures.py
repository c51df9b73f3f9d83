"""Signatures of the built-in connectors; reading them imports none of their code."""

from __future__ import annotations

from collections.abc import Mapping

from specs.context import ActionSpec, FieldSpec

_PATH = FieldSpec("string", required=True)

HTTP: Mapping[str, ActionSpec] = {
    "request": ActionSpec(
        {
            "method": FieldSpec("string"),
            "url": FieldSpec("string", required=True),
            "query": FieldSpec("map"),
            "headers": FieldSpec("map", secret=True),
            "json": FieldSpec("any"),
            "body": FieldSpec("string"),
            "expect": FieldSpec("any"),
            "timeout": FieldSpec("duration"),
            "verify": FieldSpec("bool"),
        },
        {"status": "int", "headers": "map", "json": "json", "text": "string"},
    ),
}

FILE: Mapping[str, ActionSpec] = {
    "read": ActionSpec({"path": _PATH}, {"content": "string", "size": "int"}),
    "write": ActionSpec(
        {"path": _PATH, "content": FieldSpec("string", required=True), "append": FieldSpec("bool")},
        {"path": "path", "size": "int"},
    ),
    "copy": ActionSpec({"path": _PATH, "to": _PATH}, {"path": "path"}),
    "move": ActionSpec({"path": _PATH, "to": _PATH}, {"path": "path"}),
    "delete": ActionSpec({"path": _PATH, "missing_ok": FieldSpec("bool")}, {"deleted": "bool"}),
    "list": ActionSpec({"path": _PATH, "pattern": FieldSpec("string")}, {"files": "list"}),
    "exists": ActionSpec({"path": _PATH}, {"exists": "bool", "kind": "string", "size": "int"}),
}

BUILT_IN: Mapping[str, Mapping[str, ActionSpec]] = {"file": FILE, "http": HTTP}
"""Actions of the built-in connector types by name."""
