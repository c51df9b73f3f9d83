"""Results of tests in the JUnit form that CI systems read: a suite for each flow, a case for each case."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from flowctl.terminal.sanitise import visible
from flowctl.testing.loading import Unsound
from flowctl.testing.running import CaseResult


def junit(results: Sequence[CaseResult], unsound: Sequence[Unsound]) -> str:
    """The document. `time` is the virtual duration in seconds, so the same tests give the same text."""
    root = ElementTree.Element("testsuites", name="flowctl test")
    by_file: dict[str, list[CaseResult]] = {}
    for result in results:
        by_file.setdefault(result.suite.name, []).append(result)
    for members in by_file.values():
        _suite(root, members)
    for one in unsound:
        _unsound(root, one)
    totals = ("tests", "failures", "errors")
    for key in totals:
        root.set(key, str(sum(int(suite.get(key, "0")) for suite in root)))
    ElementTree.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode")


def _suite(root: ElementTree.Element, results: Sequence[CaseResult]) -> None:
    first = results[0].suite
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=visible(first.plan.name),
        tests=str(len(results)),
        failures=str(sum(bool(result.differences) for result in results)),
        errors=str(sum(result.problem is not None for result in results)),
        time=_seconds(results),
        file=visible(first.name),
    )
    for result in results:
        case = ElementTree.SubElement(
            suite,
            "testcase",
            name=visible(result.name),
            classname=visible(first.plan.name),
            time=_seconds((result,)),
            file=visible(first.name),
        )
        if result.differences:
            _failure(case, result)
        if result.problem is not None:
            ElementTree.SubElement(case, "error", message=visible(result.problem), type="problem")


def _failure(case: ElementTree.Element, result: CaseResult) -> None:
    lines = []
    for one in result.differences:
        line, column = one.place.source.position(one.place.start)
        lines.append(visible(f"{one.place.source.name}:{line}:{column}: {one.message}"))
    first = visible(result.differences[0].message)
    ElementTree.SubElement(case, "failure", message=first, type="difference").text = "\n".join(lines)


def _unsound(root: ElementTree.Element, one: Unsound) -> None:
    name = visible(one.name)
    suite = ElementTree.SubElement(
        root, "testsuite", name=name, tests="1", failures="0", errors="1", time="0.000", file=name
    )
    case = ElementTree.SubElement(suite, "testcase", name="the file is sound", classname=name, time="0.000")
    lines = []
    for found in one.findings:
        line, column = found.place.source.position(found.place.start)
        lines.append(visible(f"{found.place.source.name}:{line}:{column}: {found.code}: {found.message}"))
    first = lines[0] if lines else "it cannot be run"
    ElementTree.SubElement(case, "error", message=first, type="unsound").text = "\n".join(lines)


def _seconds(results: Iterable[CaseResult]) -> str:
    return f"{sum(result.length.total_seconds() for result in results):.3f}"
