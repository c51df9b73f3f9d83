"""Findings as a table in Markdown, for a merge request or the summary of a step."""

from __future__ import annotations

import re

from flowctl.findings.collected import Collected
from flowctl.findings.text import count_of, summary
from flowctl.terminal.sanitise import visible
from specs.diagnostics import Diagnostic

MOST_ROWS = 500
"""Rows of the table; GitHub refuses a summary above one megabyte."""

_SPECIAL = re.compile(r"[^\w .,;'/()=+-]", re.ASCII)
_UNICODE_LETTER = re.compile(r"[^\W\d_]")


def markdown(collected: Collected) -> str:
    """A headline, the counts, and a row for each finding."""
    findings = collected.findings
    lines = ["## flowctl validate", "", summary(findings, files=len(collected.files)), ""]
    if findings:
        lines += ["| | code | place | finding |", "| --- | --- | --- | --- |"]
        lines += [_row(finding, collected) for finding in findings[:MOST_ROWS]]
    if len(findings) > MOST_ROWS:
        lines += ["", f"and {count_of(len(findings) - MOST_ROWS, 'finding')} more"]
    return "\n".join(lines).rstrip()


def _row(finding: Diagnostic, collected: Collected) -> str:
    line, column = finding.place.source.position(finding.place.start)
    place = _code(f"{collected.names.of(finding.place.source.name)}:{line}:{column}")
    message = _prose(finding.message)
    if finding.help is not None:
        message += "<br>help: " + "<br>".join(_prose(part) for part in finding.help.splitlines())
    return f"| {finding.severity} | {finding.code} | {place} | {message} |"


def _prose(text: str) -> str:
    """A message, its names in code and all else as text: nothing in it is taken for Markdown or HTML."""
    return "".join(_code(part) if number % 2 else _plain(part) for number, part in enumerate(visible(text).split("`")))


def _code(text: str) -> str:
    return f"<code>{_plain(visible(text))}</code>"


def _plain(text: str) -> str:
    # entities are text wherever they stand; backslashes are not inside of `<code>`
    return _SPECIAL.sub(lambda match: match[0] if _UNICODE_LETTER.match(match[0]) else f"&#{ord(match[0])};", text)
