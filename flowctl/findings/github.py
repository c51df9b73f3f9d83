"""Annotations of GitHub Actions: commands on stdout that the runner turns into remarks beside the lines of a change."""

from __future__ import annotations

import hashlib

from flowctl.findings.collected import Collected
from flowctl.findings.text import Look, concise, count_of
from flowctl.terminal.sanitise import visible
from specs.diagnostics import Diagnostic, Severity

MOST_OF_ONE_KIND = 10
"""Annotations of one severity that GitHub shows for one step; it drops the rest without a word."""

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "notice"}


def github(collected: Collected) -> str:
    """Annotations, the most severe first, then in the log the findings that GitHub would not show."""
    shown: list[Diagnostic] = []
    left: list[Diagnostic] = []
    for severity in Severity:
        of_kind = [finding for finding in collected.findings if finding.severity is severity]
        shown += of_kind[:MOST_OF_ONE_KIND]
        left += of_kind[MOST_OF_ONE_KIND:]
    lines = [_annotation(finding, collected) for finding in shown]
    return "\n".join([*lines, *(_rest(left) if left else [])])


def _annotation(finding: Diagnostic, collected: Collected) -> str:
    place = finding.place
    line, column = place.source.position(place.start)
    end_line, end_column = place.source.position(place.end)
    properties = {"file": collected.names.of(place.source.name), "line": line, "endLine": end_line}
    if line == end_line:  # GitHub takes columns only within a line
        properties |= {"col": column, "endColumn": end_column}
    properties["title"] = finding.code
    written = ",".join(f"{name}={_property(str(value))}" for name, value in properties.items())
    text = finding.message if finding.help is None else f"{finding.message}\nhelp: {finding.help}"
    return f"::{COMMANDS[finding.severity]} {written}::{_data(text)}"


def _rest(left: list[Diagnostic]) -> list[str]:
    """The findings past the cap as plain lines, in which nothing is taken for a command."""
    lines = [concise(finding, Look()) for finding in left]
    # what the lines say cannot hold the digest of itself, so nothing in them ends the pause
    pause = hashlib.sha256("\n".join(lines).encode(errors="replace")).hexdigest()
    told = f"GitHub shows {MOST_OF_ONE_KIND} annotations of a kind; {count_of(len(left), 'finding')} more in the log"
    return [
        f"::notice title=flowctl::{told}",
        f"::group::{told}",
        f"::stop-commands::{pause}",
        *lines,
        f"::{pause}::",
        "::endgroup::",
    ]


def _data(text: str) -> str:
    lines = "\n".join(visible(line) for line in text.splitlines())
    return lines.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(visible(text)).replace(":", "%3A").replace(",", "%2C")
