"""The program: from arguments to an exit code, whatever happens on the way.

`--version` and the help of the program are answered before anything is imported that costs time.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence
from types import ModuleType

from flowctl.version import VERSION

COMPLETE_VARIABLE = "_FLOWCTL_COMPLETE"
PROGRAM = "flowctl"
COLLECT_AFTER = 100_000
"""New objects between two looks for cyclic garbage. With Python's own 700 a small check looked a hundred times and found
nothing but the classes it had just imported."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the program with `argv` (default: that of the process) and return its exit code; raises nothing."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    try:
        _prepare_streams()
        code = _dispatch(arguments)
        _flush_output()
    except BaseException as error:  # noqa: BLE001 - the one handler: a traceback must not reach a user
        from flowctl.cli.failures import report

        code = report(error, arguments)
    return code


def _dispatch(arguments: list[str]) -> int:
    match arguments:
        case ["--version" | "-V", *_]:
            return _print(f"{PROGRAM} {VERSION}")
        case ["--help" | "-h", *_]:
            return _print(_help())
    return _run(arguments)


def _run(arguments: list[str]) -> int:
    _collect_seldom()
    _import_msgspec_alone()
    _look_for_no_plugins()
    from flowctl.settings import environment

    completing = COMPLETE_VARIABLE in environment()
    if not arguments and not completing:
        sys.stderr.write(_help() + "\n")
        return 2
    if not completing:
        from flowctl.cli.plain_calls import plain_call

        call = plain_call(arguments)
        if call is not None:
            return call()
    from flowctl.cli.group import root_group

    group = root_group()
    if completing:
        from typer._completion_classes import completion_init

        completion_init()
        return int(group.main(list(arguments), prog_name=PROGRAM, complete_var=COMPLETE_VARIABLE) or 0)
    # Not `group.main`: it would answer a broken pipe and an interrupt in its own way.
    with group.make_context(PROGRAM, list(arguments)) as context:
        return int(group.invoke(context) or 0)


def _collect_seldom() -> None:
    gc.set_threshold(COLLECT_AFTER, 20, 20)
    # Python's last look, after everything is done, would go through all that was ever imported
    atexit.register(gc.freeze)


def _import_msgspec_alone() -> None:
    """Import msgspec without `typing_extensions`, of which it takes three names that `typing` has as well: what is behind
    that module (`inspect`, `ast`, `tokenize`) is a fifth of a small run."""
    if "typing_extensions" in sys.modules:
        return
    sys.modules["typing_extensions"] = None  # type: ignore[assignment]  # the import system's word for: there is none
    try:
        import msgspec  # noqa: F401 - for whom it is imported next
    finally:
        del sys.modules["typing_extensions"]


def _look_for_no_plugins() -> None:
    """Spare pydantic the search for plugins, of which this program uses none: it reads the metadata of every installed
    package, for as long as a small check takes. Only here: who imports `flowctl` as a library may have some."""
    loader = ModuleType("pydantic.plugin._loader")
    vars(loader)["get_plugins"] = tuple
    sys.modules.setdefault(loader.__name__, loader)


def _help() -> str:
    from flowctl.cli.usage import root_help

    return root_help()


def _print(text: str) -> int:
    if sys.stdout is not None:
        sys.stdout.write(text + "\n")
    return 0


def _prepare_streams() -> None:
    _occupy_standard_descriptors()
    # What the stream cannot encode (a file name that is not UTF-8, a non-Latin letter in a C locale) is escaped.
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")


def _occupy_standard_descriptors() -> None:
    """Open a descriptor that the program was started without on nothing: else the next file opened would get its
    number, and what is meant for a terminal could end up in a store."""
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one


def _flush_output() -> None:
    """Write out what is buffered, so that a full disk or a closed pipe is noticed while it can still be told."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        from engine.errors import FlowctlError

        raise FlowctlError(f"cannot write the output: {(error.strerror or 'it failed').lower()}") from error
