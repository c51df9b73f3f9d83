"""Where the findings of a command go: in which form, to which stream or file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowctl.cli.frame import Frame
from flowctl.findings.collected import Collected, Names
from flowctl.findings.output import append_report, write_report
from flowctl.findings.reports import FindingsForm, Report, report_in
from flowctl.findings.text import Look
from flowctl.problems import UsageProblem
from specs.diagnostics import Severity


def chosen_form(frame: Frame, form: FindingsForm | None, *, one_line: bool, to_file: bool = False) -> FindingsForm:
    """The form asked for by any of the flags that name one; flags that contradict each other are refused.

    Without one it is text, and on stdout of a step of GitHub Actions annotations.
    """
    asked = {form, FindingsForm.CONCISE if one_line else None, FindingsForm.JSON if frame.json else None} - {None}
    if len(asked) > 1:
        raise UsageProblem("the flags ask for several formats", hint="give one of `--format`, `--concise`, `--json`")
    is_on_github = frame.environ.get("GITHUB_ACTIONS") == "true" and not to_file
    return next(iter(asked), None) or (FindingsForm.GITHUB if is_on_github else FindingsForm.TEXT)


@contextmanager
def reporting(
    frame: Frame, form: FindingsForm, *, target: Path | None, failing: frozenset[Severity]
) -> Iterator[Report]:
    """A report to stdout, or to the file `target`, which is written at the end if nothing was raised.

    Annotations for GitHub come with a table in the summary of the step where it has one.
    """
    collected = Collected(Names(_repository(frame)), failing)
    lines: list[str] = []
    put = frame.put if target is None else lines.append
    look = frame.look(sys.stdout) if target is None else Look()
    report = report_in(form, put, look=look, collected=collected)
    yield report
    report.end()
    if target is not None:
        write_report(target, "".join(f"{line}\n" for line in lines))
    summary = frame.environ.get("GITHUB_STEP_SUMMARY")
    if form is FindingsForm.GITHUB and summary:
        _summarise(frame, Path(summary), collected)


def _summarise(frame: Frame, path: Path, collected: Collected) -> None:
    from flowctl.findings.markdown import markdown

    try:
        append_report(path, markdown(collected) + "\n")
    except UsageProblem as problem:  # the findings have been told; what is beside them must not change how this ends
        frame.warn(str(problem))


def _repository(frame: Frame) -> Path:
    """The folder that reports for a service name files from: its checkout of the repository, else where the user is."""
    for variable in ("GITHUB_WORKSPACE", "CI_PROJECT_DIR"):
        folder = frame.environ.get(variable)
        if folder and Path(folder).is_dir():
            return Path(folder)
    return Path.cwd()
