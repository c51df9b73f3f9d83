"""The forms in which findings are reported, and which of them can be written while the check goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import StrEnum
from importlib import import_module
from typing import Protocol

from flowctl.findings.collected import Collected
from flowctl.findings.json_lines import json_line
from flowctl.findings.text import Look, concise, full
from specs.diagnostics import Diagnostic


class FindingsForm(StrEnum):
    """How findings are reported."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"
    NDJSON = "ndjson"
    SARIF = "sarif"
    GITHUB = "github"
    GITLAB = "gitlab"
    JUNIT = "junit"
    MARKDOWN = "markdown"


class Report(Protocol):
    """Takes findings as they come and puts them out, sooner or later."""

    def add(self, file: str, findings: Sequence[Diagnostic]) -> None:
        """`file` was checked, and these findings are new."""

    def end(self) -> None:
        """Everything was checked."""


class LineReport:
    """A report that is written finding by finding."""

    def __init__(self, put: Callable[[str], None], render: Callable[[Diagnostic], str]) -> None:
        self._put = put
        self._render = render

    def add(self, file: str, findings: Sequence[Diagnostic]) -> None:  # noqa: ARG002 - the signature of reports
        """Put out the findings."""
        for finding in findings:
            self._put(self._render(finding))

    def end(self) -> None:
        """All is said already."""


class WholeReport:
    """A report that can be written only when everything is known; one without a text is not put out."""

    def __init__(self, put: Callable[[str], None], render: Callable[[Collected], str], collected: Collected) -> None:
        self._put = put
        self._render = render
        self._collected = collected

    def add(self, file: str, findings: Sequence[Diagnostic]) -> None:
        """Keep the findings; what is added twice for one file counts as one file."""
        self._collected.files[file] = None
        self._collected.findings.extend(findings)

    def end(self) -> None:
        """Put out the report."""
        text = self._render(self._collected)
        if text:
            self._put(text)


def report_in(form: FindingsForm, put: Callable[[str], None], *, look: Look, collected: Collected) -> Report:
    """A report in the form; `look` is for those people read, `collected` what others gather."""
    match form:
        case FindingsForm.TEXT:
            return LineReport(put, lambda finding: full(finding, look) + "\n")
        case FindingsForm.CONCISE:
            return LineReport(put, lambda finding: concise(finding, look))
        case FindingsForm.JSON | FindingsForm.NDJSON:
            return LineReport(put, json_line)
        case _:
            # the module of a form has a function of its name, and is imported by whom it is asked for
            render = getattr(import_module(f"flowctl.findings.{form.value}"), form.value)
            return WholeReport(put, render, collected)
