"""What the user sees when a command ends with an error: one line, the way out, an exit code, and never a traceback.

A defect of ours leaves a report in a file; with `FLOWCTL_DEBUG=1` its traceback is printed as well.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from engine.errors import FlowctlError
from flowctl.cli.exits import Exit, exit_of
from flowctl.findings.json_lines import json_line
from flowctl.findings.text import Look, full
from flowctl.places import user_folders
from flowctl.settings import environment
from flowctl.terminal.colour import ColourChoice, Style, speaks_unicode, wants_colour
from flowctl.terminal.sanitise import visible
from flowctl.terminal.width import terminal_columns
from flowctl.version import VERSION

ISSUES_HINT = "please report this with the file; `FLOWCTL_DEBUG=1` shows the traceback here"


def report(error: BaseException, arguments: Sequence[str]) -> int:
    """Tell the user of `error` and return the exit code."""
    match error:
        case SystemExit():
            return _silent(
                error.code if isinstance(error.code, int) else Exit.SUCCESS if not error.code else Exit.FAILED
            )
        case KeyboardInterrupt():
            return _silent(Exit.INTERRUPTED)
        case BrokenPipeError():
            return _silent(Exit.BROKEN_PIPE)
    code = getattr(error, "exit_code", None)  # typer's own: `Exit`, and every problem with the arguments
    if isinstance(code, int) and not isinstance(error, FlowctlError):
        return _silent(code) if not hasattr(error, "format_message") else _usage(error, arguments)
    if type(error).__name__ == "Abort":  # typer's answer to an interrupt at a prompt
        return _silent(Exit.INTERRUPTED)
    if isinstance(error, FlowctlError):
        _tell(error, arguments)
        return _silent(exit_of(error))
    return _crash(error, arguments)


def tell(error: FlowctlError, *, look: Look, as_json: bool) -> None:
    """Print an error of ours on stderr: as an object of JSON, or as a line and the way out."""
    for finding in getattr(error, "diagnostics", ()):
        _write(json_line(finding) if as_json else full(finding, look) + "\n")
    if as_json:
        _write(json.dumps(error_object(error)))
        return
    for problem in getattr(error, "problems", None) or (str(error),):
        _write(f"{look.paint('error', Style.ERROR)}: {_where(error)}{look.text(problem)}")
    if error.hint:
        _write(f"  = {look.paint('help', Style.HELP)}: {look.text(error.hint)}")


def _tell(error: FlowctlError, arguments: Sequence[str]) -> None:
    """Print an error as the arguments ask for; they may be such that no parser accepts them."""
    colour = wants_colour(sys.stderr, _colour_choice(arguments), environment())
    columns = terminal_columns(sys.stderr, environment())
    look = Look(colour=colour, columns=columns, unicode=speaks_unicode(sys.stderr))
    tell(error, look=look, as_json=asks_for_json(arguments))


def error_object(error: FlowctlError) -> dict[str, Any]:
    """An error as an object of JSON (`CONVENTIONS.md` 3)."""
    return {
        "schema_version": 1,
        "code": error.code,
        "message": str(error),
        "file": getattr(error, "file", None),
        "line": getattr(error, "line", None),
        "column": getattr(error, "column", None),
        "hint": error.hint,
    }


def asks_for_json(arguments: Sequence[str]) -> bool:
    """Whether the arguments ask for JSON; also of arguments that no parser accepts."""
    own = list(arguments[: arguments.index("--")]) if "--" in arguments else list(arguments)
    pairs = set(pairwise(own))
    wanted = {("-o", "json"), ("--output", "json"), ("--format", "json")}
    return bool(pairs & wanted) or any(one in ("--json", "-ojson", "--output=json", "--format=json") for one in own)


def _usage(error: BaseException, arguments: Sequence[str]) -> int:
    """What typer says of the arguments, in our words and with where to read more."""
    from flowctl.problems import UsageProblem

    said = " ".join(str(error.format_message()).replace("Value error, ", "").split())  # type: ignore[attr-defined]
    said = said[:1].lower() + said[1:].rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context is not None else "flowctl"
    _tell(UsageProblem(_in_backticks(said), hint=f"see `{command} --help`"), arguments)
    return _silent(Exit.USAGE)


def _in_backticks(text: str) -> str:
    return "".join("`" if character in "'\"" else character for character in text)


def _crash(error: BaseException, arguments: Sequence[str]) -> int:
    details = "".join(traceback.format_exception(error))
    if environment().get("FLOWCTL_DEBUG", "") not in ("", "0"):
        _write(details.rstrip("\n"))
    file = _crash_file(details, arguments)
    at = f"; a report is in `{file}`" if file else ""
    _tell(DefectFound(f"internal error: {type(error).__name__}{at}", hint=ISSUES_HINT), arguments)
    return _silent(Exit.INTERNAL)


class DefectFound(FlowctlError):
    """Something is wrong in flowctl itself."""

    code = "internal_error"


def _crash_file(details: str, arguments: Sequence[str]) -> Path | None:
    """Write the report where only the user can read it; `None` when that is impossible.

    Of the arguments only the names of options are kept: values may be secrets.
    """
    import platform
    import tempfile

    options = " ".join(argument.partition("=")[0] for argument in arguments if argument.startswith("-"))
    text = (
        f"flowctl {VERSION}\npython {platform.python_version()} {platform.platform()}\noptions: {options}\n\n{details}"
    )
    try:
        folder = user_folders(environment()).state / "crashes"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, name = tempfile.mkstemp(prefix="crash-", suffix=".txt", dir=folder)
        with open(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except (OSError, FlowctlError):
        return None
    return Path(name)


def _where(error: FlowctlError) -> str:
    place = [getattr(error, name, None) for name in ("file", "line", "column")]
    found = ":".join(visible(str(part)) for part in place if part is not None)
    return f"{found}: " if found else ""


def _colour_choice(arguments: Sequence[str]) -> ColourChoice:
    words = " ".join(arguments).replace("--color=", "--color ").split(" ")
    after = [words[index + 1] for index, word in enumerate(words[:-1]) if word == "--color"]
    return ColourChoice(after[-1]) if after and after[-1] in list(ColourChoice) else ColourChoice.AUTO


def _write(text: str) -> None:
    try:
        if sys.stderr is not None:
            sys.stderr.write(text + "\n")
    except OSError:
        pass  # nobody reads stderr; the exit code still tells


def _silent(code: int) -> int:
    """`code`, with the streams flushed, or pointed nowhere if nobody reads them, so that the interpreter's own flush
    at the end does not complain."""
    for stream, number in ((sys.stdout, 1), (sys.stderr, 2)):
        try:
            if stream is not None:
                stream.flush()
        except (OSError, ValueError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, number)
            os.close(nowhere)
    return int(code)
