"""Results of tests for people and as JSON lines."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from flowctl.findings.excerpt import excerpt
from flowctl.findings.text import Look, count_of
from flowctl.records import SCHEMA_VERSION
from flowctl.terminal.colour import Style
from flowctl.terminal.sanitise import visible
from flowctl.testing.coverage import Coverage, FlowCoverage, percent_of
from flowctl.testing.running import CaseResult, Difference
from specs.quantities import format_duration

MOST_MISSED = 20


def case_text(result: CaseResult, look: Look) -> str:
    """A case on one line, and below it what was not as expected, each with its place in the test file."""
    name = f"{visible(result.suite.name)}: {visible(result.name)}"
    if result.passed:
        return f"{look.paint('ok', Style.SUCCESS)}     {name} ({format_duration(result.length)})"
    lines = [f"{look.paint('FAILED', Style.ERROR)} {name}"]
    if result.problem is not None:
        lines.append(f"  {look.text(result.problem)}")
    for one in result.differences:
        lines += _difference(one, look)
    return "\n".join(lines)


def _difference(one: Difference, look: Look) -> Iterator[str]:
    line, column = one.place.source.position(one.place.start)
    yield f"  {look.text(one.message)}"
    yield f"    --> {visible(one.place.source.name)}:{line}:{column}"
    found = excerpt(one.place, columns=look.columns - 12, ellipsis=look.ellipsis)
    gutter = len(str(found.line))
    yield f"    {found.line} | {found.text}".rstrip()
    yield f"    {' ' * gutter} | {' ' * found.indent}{look.paint('^' * found.length, Style.ERROR)}"


def summary_text(results: Sequence[CaseResult], unsound: int) -> str:
    """One line: `2 failed, 5 passed in 3 files`."""
    failed = sum(not result.passed for result in results)
    parts = [f"{failed} failed"] if failed else []
    parts.append(f"{len(results) - failed} passed")
    if unsound:
        parts.append(f"{count_of(unsound, 'file')} could not be run")
    return ", ".join(parts)


# --- coverage -----------------------------------------------------------------------------------------------------------


def coverage_text(coverage: Coverage, look: Look) -> Iterator[str]:
    """A line for each flow, the ways no case has gone, and the total."""
    yield "coverage"
    width = max((len(visible(flow.name)) for flow in coverage.flows), default=0)
    for flow in coverage.flows:
        kinds = ", ".join(f"{kind} {reached}/{there}" for kind, reached, there in flow.by_kind())
        yield f"  {visible(flow.name).ljust(width)}  {percent_of(flow):5.1f}%  {kinds}"
        yield from _missed(flow, look)
    yield f"  {'total'.ljust(width)}  {coverage.percent:5.1f}%"


def _missed(flow: FlowCoverage, look: Look) -> Iterator[str]:
    missed = flow.missed
    for name in missed[:MOST_MISSED]:
        yield f"    {look.paint('not reached', Style.WARNING)}: {look.text(name)}"
    if len(missed) > MOST_MISSED:
        yield f"    and {len(missed) - MOST_MISSED} more"


# --- JSON ---------------------------------------------------------------------------------------------------------------


def case_json(result: CaseResult) -> str:
    """A case as one object of JSON."""
    return _line(
        {
            "type": "case",
            "file": result.suite.name,
            "flow": result.suite.flow,
            "case": result.name,
            "passed": result.passed,
            "duration_s": result.length.total_seconds(),
            "problem": result.problem,
            "differences": [_difference_json(one) for one in result.differences],
        }
    )


def _difference_json(one: Difference) -> dict[str, Any]:
    line, column = one.place.source.position(one.place.start)
    return {
        "file": one.place.source.name,
        "line": line,
        "column": column,
        "what": one.what,
        "expected": one.expected,
        "found": one.actual,
    }


def coverage_json(coverage: Coverage) -> str:
    """The coverage of all flows as one object of JSON."""
    flows = [
        {
            "flow": flow.name,
            "percent": round(percent_of(flow), 2),
            "kinds": {kind: {"reached": reached, "total": there} for kind, reached, there in flow.by_kind()},
            "missed": list(flow.missed),
        }
        for flow in coverage.flows
    ]
    return _line({"type": "coverage", "percent": round(coverage.percent, 2), "flows": flows})


def summary_json(results: Sequence[CaseResult], unsound: int) -> str:
    """The counts as one object of JSON, the last line."""
    failed = sum(not result.passed for result in results)
    return _line({"type": "summary", "passed": len(results) - failed, "failed": failed, "unsound": unsound})


def _line(shape: dict[str, Any]) -> str:
    return json.dumps({"schema_version": SCHEMA_VERSION, **shape}, ensure_ascii=False, separators=(",", ":"))
