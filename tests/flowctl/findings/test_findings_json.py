"""Findings as programs see them."""

from __future__ import annotations

import json

from flowctl.findings.json_lines import json_line
from specs.diagnostics import Diagnostic, Edit, Fix, Label, Place, Source


def test_the_shape_is_that_of_the_documents() -> None:
    source = Source("flow.yaml", "é: 1\nafter: [fecth]\n")
    place = Place(source, 13, 18)
    found = Diagnostic(
        "FLOW201",
        place,
        "`load` waits for `fecth`",
        help="did you mean `fetch`?",
        labels=(Label(Place(source, 0, 1), "here"),),
        fix=Fix("write `fetch`", (Edit(place, "fetch"),)),
        path=("tasks", "load", "after", 0),
    )
    span = {"start": {"line": 2, "column": 9, "offset": 13}, "end": {"line": 2, "column": 14, "offset": 18}}
    first = {"start": {"line": 1, "column": 1, "offset": 0}, "end": {"line": 1, "column": 2, "offset": 1}}
    assert json.loads(json_line(found)) == {
        "schema_version": 1,
        "code": "FLOW201",
        "severity": "error",
        "message": "`load` waits for `fecth`",
        "help": "did you mean `fetch`?",
        "file": "flow.yaml",
        "range": span,
        "path": ["tasks", "load", "after", 0],
        "labels": [{"file": "flow.yaml", "range": first, "text": "here"}],
        "fix": {"title": "write `fetch`", "edits": [{"file": "flow.yaml", "range": span, "text": "fetch"}]},
    }


def test_a_finding_is_one_line_whatever_it_holds() -> None:
    found = Diagnostic("FLOW110", Place(Source("a\nb\udce9", "x"), 0, 1), "line\u2028feed \ud800 \n")
    line = json_line(found)
    assert line.isascii()
    assert "\n" not in line
