"""`flowctl validate`: check flows and print what was found."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, assert_never

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.files import Discovery, ProjectFiles, discover
from flowctl.findings.json_lines import json_line
from flowctl.findings.text import Look, concise, count_of, full, summary
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, read_stream
from flowctl.terminal.sanitise import visible
from specs.diagnostics import Diagnostic, Severity

STDIN = "<stdin>"
UNREADABLE = "FLOW131"


class FindingsForm(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    CONCISE = "concise"
    JSON = "json"


@dataclass
class Findings:
    """What came of all files: each finding once (those of a library come with each flow that includes it)."""

    found: dict[tuple[str, int, int, str, str], Diagnostic] = field(default_factory=dict)
    files: int = 0
    unreadable: int = 0

    def add(self, checked: Sequence[Diagnostic]) -> list[Diagnostic]:
        """Take in the findings of one more file, and return those that are new."""
        self.files += 1
        self.unreadable += any(finding.code == UNREADABLE for finding in checked)
        new = {_key(finding): finding for finding in checked if _key(finding) not in self.found}
        self.found.update(new)
        return list(new.values())


def _key(finding: Diagnostic) -> tuple[str, int, int, str, str]:
    place = finding.place
    return place.source.name, place.start, place.end, finding.code, finding.message


def validate_command(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[PATHS]...", help="Files, folders, or - for stdin; by default the flows of the project."
        ),
    ] = None,
    form: Annotated[
        FindingsForm | None, typer.Option("--format", help="How findings are printed.", show_default="text")
    ] = None,
    one_line: Annotated[bool, typer.Option("--concise", help="The same as --format concise.")] = False,
    deny_warnings: Annotated[bool, typer.Option("--deny-warnings", help="Exit with 1 for warnings, too.")] = False,
    show_info: Annotated[bool, typer.Option("--show-info", help="Show information, too.")] = False,
) -> int:
    """Check flows as strictly as a compiler checks a program.

    Exits with 0 if nothing was found, 1 for errors, 2 if a file cannot be read.
    """
    frame = frame_of(ctx)
    chosen = chosen_form(frame, form, one_line=one_line)
    findings = Findings()
    look = frame.look(sys.stdout)
    for checked in _check_all(frame, paths or [], findings):
        for finding in findings.add(checked):
            if show_info or finding.severity is not Severity.INFO:
                frame.put(_rendered(finding, chosen, look))
    found = findings.found.values()
    frame.say(summary([one for one in found if show_info or one.severity is not Severity.INFO], files=findings.files))
    if findings.unreadable:
        return Exit.USAGE
    bad = {Severity.ERROR, Severity.WARNING} if deny_warnings else {Severity.ERROR}
    return Exit.FAILED if any(finding.severity in bad for finding in found) else Exit.SUCCESS


def chosen_form(frame: Frame, form: FindingsForm | None, *, one_line: bool) -> FindingsForm:
    """The form asked for by any of the flags that name one; flags that contradict each other are refused."""
    asked = {form, FindingsForm.CONCISE if one_line else None, FindingsForm.JSON if frame.json else None} - {None}
    if len(asked) > 1:
        raise UsageProblem("the flags ask for several formats", hint="give one of `--format`, `--concise`, `--json`")
    return next(iter(asked), None) or FindingsForm.TEXT


def _check_all(frame: Frame, paths: list[str], findings: Findings) -> Iterator[tuple[Diagnostic, ...]]:
    """What was found in each file, file by file, so that a long check shows its first findings at once."""
    from engine.connectors.catalogue import InstalledCatalogue
    from specs.check import check_file, check_text
    from specs.source import Limits

    most = frame.settings.limits
    limits = Limits(file_bytes=most.file_bytes, nodes=most.nodes, depth=most.depth)
    catalogue = InstalledCatalogue(frame.settings.connectors)
    if "-" in paths:
        data = _stdin(alone=len(paths) == 1, most=limits.file_bytes)
        files = ProjectFiles((), most=limits.file_bytes)
        yield check_text(data, STDIN, files, catalogue=catalogue, limits=limits).diagnostics
        return
    if "" in paths:
        raise UsageProblem("a path is empty", hint="name the folder with `.` if it is meant")
    found = discover([Path(path) for path in paths], folder=Path.cwd())
    findings.unreadable += len(found.problems)
    _tell_of(frame, found)
    files = ProjectFiles(found.named, found=found.files, most=limits.file_bytes)
    for path in found.files:
        yield check_file(path.as_posix(), files, catalogue=catalogue, limits=limits).diagnostics


def _stdin(*, alone: bool, most: int) -> bytes:
    if not alone:
        raise UsageProblem("`-` cannot be given with other paths", hint="check stdin in a call of its own")
    try:
        return read_stream(0, most=most)
    except Unreadable as error:
        raise UsageProblem(f"cannot read stdin: {error}") from error


def _tell_of(frame: Frame, found: Discovery) -> None:
    """What the search for flows met besides flows; raises `UsageProblem` if there was none."""
    for problem in found.problems:
        frame.warn(visible(problem))
    for path in found.skipped:
        frame.detail(f"skipped {visible(str(path))}")
    if found.skipped:
        frame.detail(f"skipped {count_of(len(found.skipped), 'file')} that look like no flow")
    if not found.files:
        hint = "name files or folders, or keep flows in `flows/`; `flowctl init` starts a project"
        raise UsageProblem("no flow was found here", hint=hint)


def _rendered(finding: Diagnostic, form: FindingsForm, look: Look) -> str:
    match form:
        case FindingsForm.JSON:
            return json_line(finding)
        case FindingsForm.CONCISE:
            return concise(finding, look)
        case FindingsForm.TEXT:
            return full(finding, look) + "\n"
        case _:
            assert_never(form)
