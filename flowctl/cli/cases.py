"""`flowctl test`: run the cases of test files on the simulation and tell which expectations hold."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.findings.json_lines import json_line
from flowctl.findings.text import full
from flowctl.problems import UsageProblem
from flowctl.terminal.sanitise import visible
from flowctl.testing.coverage import Coverage
from flowctl.testing.discovery import find_tests
from flowctl.testing.junit import junit
from flowctl.testing.loading import Suite, Unsound, load_suite
from flowctl.testing.report import (
    case_json,
    case_text,
    coverage_json,
    coverage_text,
    summary_json,
    summary_text,
)
from flowctl.testing.running import CaseResult, run_case
from flowctl.workspace import Workspace


class ResultsForm(StrEnum):
    """How results are printed."""

    TEXT = "text"
    JSON = "json"
    JUNIT = "junit"


def test_command(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATHS", help="Test files, flows or folders; by default the folders of the project's flows."
        ),
    ] = None,
    chosen: Annotated[
        str | None, typer.Option("--filter", metavar="TEXT", help="Only cases with TEXT in `FILE: CASE`.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", metavar="N", help="Of jitter and run ids.")] = 0,
    form: Annotated[
        ResultsForm | None, typer.Option("--format", help="How results are printed.", show_default="text")
    ] = None,
    with_coverage: Annotated[
        bool, typer.Option("--coverage", help="Tell which ways of the flows no case has gone.")
    ] = False,
    least: Annotated[
        float | None,
        typer.Option("--min", metavar="N", help="With --coverage: exit with 1 below N per cent.", min=0, max=100),
    ] = None,
) -> int:
    """Run the cases of `*.test.yaml` files: simulated runs with stubs for what they would start, and expectations.

    Exits with 0 if all hold, 1 if one does not, 2 if a test file or its flow cannot be used.
    """
    frame = frame_of(ctx).about(*(paths or []))
    if least is not None and not with_coverage:
        raise UsageProblem("`--min` asks for `--coverage`", hint="give both, or neither")
    shape = _shape(frame, form)
    workspace = Workspace(frame.settings, frame.environ)
    suites, unsound = _load(frame, workspace, paths or [], shape)
    cases = [(suite, name) for suite in suites for name in suite.spec.cases if _is_chosen(suite, name, chosen)]
    if not cases and not unsound:
        raise UsageProblem(f"no case has `{chosen}` in its name", hint="`--filter` is looked for in `FILE: CASE`")
    coverage = Coverage()
    results = []
    for suite, name in cases:
        coverage.expect(suite.plan, suite.flow)
        result = run_case(suite, name, seed=seed, catalogue=workspace.catalogue, coverage=coverage)
        results.append(result)
        _show_case(frame, result, shape)
    _show_end(frame, results, unsound, coverage if with_coverage else None, shape)
    if unsound:
        return Exit.USAGE
    if least is not None and coverage.percent < least:
        frame.say(f"the coverage of {coverage.percent:.1f}% is below {least:g}%")
        return Exit.FAILED
    return Exit.SUCCESS if all(result.passed for result in results) else Exit.FAILED


def _shape(frame: Frame, form: ResultsForm | None) -> ResultsForm:
    if frame.json and form not in (None, ResultsForm.JSON):
        raise UsageProblem("the flags ask for several formats", hint="give one of `--format` and `--json`")
    return ResultsForm.JSON if frame.json else form or ResultsForm.TEXT


def _is_chosen(suite: Suite, name: str, chosen: str | None) -> bool:
    return chosen is None or chosen in f"{suite.name}: {name}"


def _load(
    frame: Frame, workspace: Workspace, paths: Sequence[str], shape: ResultsForm
) -> tuple[list[Suite], list[Unsound]]:
    if "" in paths:
        raise UsageProblem("a path is empty", hint="name the folder with `.` if it is meant")
    found = find_tests(paths, folder=Path.cwd())
    for problem in found.problems:
        frame.warn(visible(problem))
    if not found.files:
        raise UsageProblem("no test was found here", hint="a test of `NAME.yaml` is `NAME.test.yaml` beside it")
    suites: list[Suite] = []
    unsound: list[Unsound] = []
    for path in found.files:
        loaded = load_suite(path, workspace)
        if isinstance(loaded, Suite):
            suites.append(loaded)
        else:
            unsound.append(loaded)
            _show_unsound(frame, loaded, shape)
    return suites, unsound


def _show_unsound(frame: Frame, one: Unsound, shape: ResultsForm) -> None:
    if shape is ResultsForm.JUNIT:
        return
    look = frame.look(sys.stdout)
    for found in one.findings:
        frame.put(json_line(found) if shape is ResultsForm.JSON else full(found, look) + "\n")


def _show_case(frame: Frame, result: CaseResult, shape: ResultsForm) -> None:
    if shape is ResultsForm.JSON:
        frame.put(case_json(result))
    elif shape is ResultsForm.TEXT and not (result.passed and frame.quiet):
        frame.put(case_text(result, frame.look(sys.stdout)))


def _show_end(
    frame: Frame, results: list[CaseResult], unsound: list[Unsound], coverage: Coverage | None, shape: ResultsForm
) -> None:
    if shape is ResultsForm.JUNIT:
        frame.put(junit(results, unsound))
    elif shape is ResultsForm.JSON and coverage is not None:
        frame.put(coverage_json(coverage))
    elif coverage is not None:
        for line in coverage_text(coverage, frame.look(sys.stdout)):
            frame.put(line)
    if shape is ResultsForm.JSON:
        frame.put(summary_json(results, len(unsound)))
    frame.say(summary_text(results, len(unsound)))
