"""`flowctl fmt`: bring flows into their one form."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from msgspec import Struct, field

from engine.errors import FlowctlError
from flowctl.cli.exits import Exit
from flowctl.cli.frame import Frame
from flowctl.cli.group import frame_of
from flowctl.files import ProjectFiles, discover
from flowctl.findings.text import count_of, full
from flowctl.patches import unified
from flowctl.problems import UsageProblem
from flowctl.reading import Unreadable, read_stream
from flowctl.terminal.sanitise import visible
from flowctl.writing import replace_text
from specs.files import FileProblem

if TYPE_CHECKING:
    from specs.formatting import Formatted

STDIN_NAME = "<stdin>"


class FormattingDefect(FlowctlError):
    """The formatter would have changed what a file says; the file is as it was."""

    code = "formatting_defect"


class Outcome(Struct):
    """What came of all files, by the names they are shown by."""

    files: int = 0
    changed: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


def fmt_command(
    ctx: typer.Context,
    paths: Annotated[
        list[str] | None,
        typer.Argument(metavar="PATHS", help="Files, folders, or - for stdin; by default the flows of the project."),
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 if a file would change.")] = False,
    diff: Annotated[bool, typer.Option("--diff", help="Write nothing; print what would change.")] = False,
) -> int:
    """Bring flows into the one form: keys in order, two columns a level, quotes only where needed.

    Comments stay, and so does what a flow means. A file that cannot be read as YAML is left alone, and the exit code
    is 2.
    """
    frame = frame_of(ctx).about(*(paths or []))
    given = paths or []
    outcome = Outcome()
    if "-" in given:
        if len(given) > 1:
            raise UsageProblem("`-` cannot be given with other paths", hint="format stdin in a call of its own")
        _format_stdin(frame, outcome, check=check, diff=diff)
    else:
        _format_files(frame, given, outcome, writes=not (check or diff), diff=diff)
        _tell(frame, outcome, writes=not (check or diff), diff=diff)
    if outcome.refused:
        return Exit.USAGE
    return Exit.FAILED if check and outcome.changed else Exit.SUCCESS


def _format_stdin(frame: Frame, outcome: Outcome, *, check: bool, diff: bool) -> None:
    """Stdin in its one form to stdout; a text that cannot be read is not passed on."""
    try:
        data = read_stream(0, most=frame.settings.limits.file_bytes)
    except Unreadable as error:
        raise UsageProblem(f"cannot read stdin: {error}") from error
    found = _formatted(frame, data, STDIN_NAME, outcome)
    if found.text is None:
        return
    if diff:
        _put_text(unified("stdin", old=found.old, new=found.text))
    elif not check:
        _put_text(found.text)


def _put_text(text: str) -> None:
    if sys.stdout is not None:
        sys.stdout.write(text)


def _format_files(frame: Frame, paths: list[str], outcome: Outcome, *, writes: bool, diff: bool) -> None:
    if "" in paths:
        raise UsageProblem("a path is empty", hint="name the folder with `.` if it is meant")
    found = discover([Path(path) for path in paths], folder=Path.cwd())
    for problem in found.problems:
        frame.warn(visible(problem))
    every = sorted({*found.files, *found.libraries})
    if not every:
        raise UsageProblem("no flow was found here", hint="name files or folders, or keep flows in `flows/`")
    files = ProjectFiles(found.named, found=found.files, most=frame.settings.limits.file_bytes)
    for path in every:
        name = path.as_posix()
        try:
            data = files.read(name)
        except FileProblem as problem:
            outcome.files += 1
            outcome.refused.append(name)
            frame.warn(f"`{visible(name)}` cannot be read: {problem.message}")
            continue
        formatted = _formatted(frame, data, name, outcome)
        if formatted.text is None or not formatted.is_changed:
            continue
        if diff:
            _put_text(unified(name, old=formatted.old, new=formatted.text))
        elif writes:
            replace_text(path, old=formatted.old, new=formatted.text)


def _formatted(frame: Frame, data: bytes, name: str, outcome: Outcome) -> Formatted:
    """A text in its one form; where it has none, what was found is printed on stderr."""
    from specs.formatting import FormattingError, format_flow
    from specs.source import Limits

    most = frame.settings.limits
    outcome.files += 1
    try:
        found = format_flow(data, name, Limits(file_bytes=most.file_bytes, nodes=most.nodes, depth=most.depth))
    except FormattingError as error:
        message = f"`{name}` was left as it is: {error}"
        raise FormattingDefect(message, hint="this is a defect of flowctl, please report it with the file") from error
    if found.text is None:
        outcome.refused.append(name)
        for finding in found.diagnostics:
            frame.say(full(finding, frame.look(sys.stderr)) + "\n")
    elif found.is_changed:
        outcome.changed.append(name)
    return found


def _tell(frame: Frame, outcome: Outcome, *, writes: bool, diff: bool) -> None:
    """The files that changed, or would: data where nothing else is printed, else talk."""
    if frame.json and not diff:
        shape = {"schema_version": 1, "changed": outcome.changed, "refused": outcome.refused, "files": outcome.files}
        frame.put(json.dumps(shape))
        return
    done = "formatted" if writes else "would format"
    for name in outcome.changed:
        frame.say(f"{done} {visible(name)}")
    kept = outcome.files - len(outcome.changed) - len(outcome.refused)
    parts = [f"{done} {count_of(len(outcome.changed), 'file')}"] if outcome.changed else []
    parts += [f"{count_of(kept, 'file')} in form already"] if kept else []
    parts += [f"{count_of(len(outcome.refused), 'file')} refused"] if outcome.refused else []
    frame.say(", ".join(parts))
