"""`flowctl validate`: check flows and print what was found."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from msgspec import Struct

from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame, frame_of
from flowctl.cli.reporting import chosen_form, reporting
from flowctl.files import Discovery, discover
from flowctl.findings.reports import FindingsForm
from flowctl.findings.text import count_of, summary
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, read_stream
from flowctl.terminal.sanitise import visible
from specs.codes import CODES
from specs.diagnostics import Diagnostic, Severity

if TYPE_CHECKING:
    import typer

    from flowctl.checking import CheckOptions, Findings
    from flowctl.scripts import ScriptChecks

STDIN = "<stdin>"
OF_SCRIPTS = frozenset(code for code, info in CODES.items() if info.group == "scripts")
MATCHER = Path(__file__).parent.parent / "findings" / "problem-matcher.json"


def validate_command(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Files, folders, or - for stdin; by default the flows of the project."),
    ] = None,
    form: Annotated[
        FindingsForm | None,
        typer.Option("--format", help="How findings are reported.", show_default="text, in GitHub Actions github"),
    ] = None,
    one_line: Annotated[bool, typer.Option("--concise", help="The same as --format concise.")] = False,
    output_file: Annotated[
        Path | None,
        typer.Option("--output-file", metavar="FILE", help="Write the report to FILE.", show_default="stdout"),
    ] = None,
    enable: Annotated[
        list[str] | None,
        typer.Option(
            "--enable", metavar="CODE|GROUP", help="Switch a check on, such as FLOW205 or style.", show_default=False
        ),
    ] = None,
    disable: Annotated[
        list[str] | None,
        typer.Option(
            "--disable", metavar="CODE|GROUP", help="Switch a check off that is no error.", show_default=False
        ),
    ] = None,
    deny_warnings: Annotated[bool, typer.Option("--deny-warnings", help="Exit with 1 for warnings, too.")] = False,
    show_info: Annotated[bool, typer.Option("--show-info", help="Show information, too.")] = False,
    problem_matcher: Annotated[
        bool, typer.Option("--problem-matcher", help="Print the matcher that makes GitHub read --concise, and end.")
    ] = False,
    fix: Annotated[bool, typer.Option("--fix", help="Apply the safe fixes, then check what is left.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="With --fix: print the changes and write nothing.")] = False,
    no_scripts: Annotated[bool, typer.Option("--no-scripts", help="Do not look into scripts.")] = False,
) -> int:
    """Check flows as strictly as a compiler checks a program.

    Exits with 0 if nothing was found, 1 for errors, 2 if a file cannot be read. With --fix --diff, 1 if there is
    something to fix, too.
    """
    frame = frame_of(ctx).about(*(paths or []))
    if problem_matcher:
        frame.put(MATCHER.read_text(encoding="utf-8").rstrip())
        return Exit.SUCCESS
    if diff and not fix:
        raise UsageProblem("`--diff` goes with `--fix`")
    from flowctl.scripts import ScriptChecks

    chosen = chosen_form(frame, form, one_line=one_line, to_file=output_file is not None)
    scripts = None if no_scripts else ScriptChecks(frame.environ)
    options = _options(frame, scripts, enable=enable or [], disable=disable or [])
    if fix:
        from flowctl.cli.fixing import fix_flows

        to_do = fix_flows(frame, paths or [], diff=diff, options=options)
        if diff:
            return Exit.FAILED if to_do else Exit.SUCCESS
    failing = frozenset({Severity.ERROR, Severity.WARNING} if deny_warnings else {Severity.ERROR})
    findings = _reported(frame, paths or [], options, Wanted(chosen, output_file, show_info, failing))
    for note in scripts.notes if scripts is not None else ():
        frame.detail(note)
    shown = [one for one in findings.found.values() if _is_shown(one, show_info=show_info)]
    frame.say(summary(shown, files=len(findings.files)))
    if findings.unreadable:
        return Exit.USAGE
    return Exit.FAILED if findings.has(failing) else Exit.SUCCESS


class Wanted(Struct, frozen=True):
    """What is to be reported, how and where; `target` is `None` for stdout."""

    form: FindingsForm
    target: Path | None
    show_info: bool
    failing: frozenset[Severity]


def _reported(frame: Frame, paths: list[str], options: CheckOptions, wanted: Wanted) -> Findings:
    """Check what `paths` stand for and report it as it is found."""
    from flowctl.checking import Findings

    findings = Findings()
    with reporting(frame, wanted.form, target=wanted.target, failing=wanted.failing) as report:
        for file, found in _check_all(frame, paths, options, findings):
            new = findings.add(file, found)
            report.add(file, [one for one in new if _is_shown(one, show_info=wanted.show_info)])
    return findings


def _is_shown(finding: Diagnostic, *, show_info: bool) -> bool:
    return show_info or finding.severity is not Severity.INFO


def _options(frame: Frame, scripts: ScriptChecks | None, *, enable: list[str], disable: list[str]) -> CheckOptions:
    from engine.clock import SystemClock
    from engine.connectors.catalogue import InstalledCatalogue
    from flowctl.check_settings import called_for
    from flowctl.checking import CheckOptions
    from specs.source import Limits

    most = frame.settings.limits
    policy = called_for(frame.settings.checks, enable=enable, disable=disable)
    return CheckOptions(
        catalogue=InstalledCatalogue(frame.settings.connectors),
        limits=Limits(file_bytes=most.file_bytes, nodes=most.nodes, depth=most.depth),
        policy=policy if scripts is not None else policy.changed(disable=OF_SCRIPTS),
        now=SystemClock().now(),
        more_rules=scripts.rules if scripts is not None else (),
        prepare=scripts.prepare if scripts is not None else None,
    )


def _check_all(
    frame: Frame, paths: list[str], options: CheckOptions, findings: Findings
) -> Iterator[tuple[str, tuple[Diagnostic, ...]]]:
    """What was found in each file that `paths` stand for."""
    from flowctl.checking import check_files, check_stream

    if "-" in paths:
        data = _stdin(alone=len(paths) == 1, most=options.limits.file_bytes)
        yield from check_stream(data, STDIN, options)
        return
    if "" in paths:
        raise UsageProblem("a path is empty", hint="name the folder with `.` if it is meant")
    found = discover([Path(path) for path in paths], folder=Path.cwd())
    findings.unreadable += len(found.problems)
    _tell_of(frame, found)
    yield from check_files(found, options)


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
