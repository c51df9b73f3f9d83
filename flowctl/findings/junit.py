"""JUnit's XML, which every continuous integration shows: a suite for each file, a case for each code found in it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from flowctl.findings.collected import Collected
from flowctl.findings.text import Look, full
from flowctl.terminal.sanitise import visible
from specs.codes import CODES
from specs.diagnostics import Diagnostic, Severity

VALID = "valid"
"""The case of a file without findings."""

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit(collected: Collected) -> str:
    """A document whose cases fail for what fails the check; other findings are the output of a case that passed."""
    suites = Element("testsuites", name="flowctl validate")
    tests = failures = 0
    for file, findings in collected.by_file():
        suite = SubElement(suites, "testsuite", name=_text(visible(file)))
        cases = _by_code(findings)
        failed = 0
        for code, of_code in cases.items():
            failed += _add_case(suite, file, code, of_code, collected.failing)
        if not cases:
            SubElement(suite, "testcase", name=VALID, classname=_text(visible(file)))
        count = max(len(cases), 1)
        _count(suite, tests=count, failures=failed)
        tests, failures = tests + count, failures + failed
    _count(suites, tests=tests, failures=failures)
    indent(suites)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(suites, encoding="unicode")


def _add_case(
    suite: Element, file: str, code: str, findings: Sequence[Diagnostic], failing: frozenset[Severity]
) -> bool:
    """Add the case of one code and return whether it failed."""
    case = SubElement(suite, "testcase", name=code, classname=_text(visible(file)))
    text = _text("\n\n".join(full(finding, Look()) for finding in findings))
    worst = [finding for finding in findings if finding.severity in failing]
    if not worst:
        SubElement(case, "system-out").text = text
        return False
    more = f" (and {len(findings) - 1} more)" if len(findings) > 1 else ""
    message = _text(visible(worst[0].message) + more)
    SubElement(case, "failure", type=f"{worst[0].severity}: {CODES[code].title}", message=message).text = text
    return True


def _by_code(findings: Sequence[Diagnostic]) -> dict[str, list[Diagnostic]]:
    groups: dict[str, list[Diagnostic]] = {}
    for finding in findings:
        groups.setdefault(finding.code, []).append(finding)
    return groups


def _count(element: Element, *, tests: int, failures: int) -> None:
    element.set("tests", str(tests))
    element.set("failures", str(failures))
    element.set("errors", "0")


def _text(text: str) -> str:
    """Text as XML can hold it: characters that it has no way to write are shown as a replacement."""
    return _NOT_XML.sub("\ufffd", text)
