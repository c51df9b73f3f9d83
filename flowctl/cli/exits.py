"""Exit codes: the one table of them (`CONVENTIONS.md` 2), and which error leads to which."""

from __future__ import annotations

from enum import IntEnum

from engine import errors
from flowctl.problems import UsageProblem


class Exit(IntEnum):
    """What the program's exit code says. Released values keep their meaning."""

    SUCCESS = 0
    FAILED = 1
    USAGE = 2
    INTERNAL = 3
    NOT_FOUND = 4
    CONFLICT = 5
    WAITING = 6
    TIMED_OUT = 124
    INTERRUPTED = 130
    BROKEN_PIPE = 141
    TERMINATED = 143


MEANINGS: tuple[tuple[Exit, str], ...] = (
    (Exit.SUCCESS, "success; no findings"),
    (Exit.FAILED, "the run failed; findings; the store could not be used"),
    (Exit.USAGE, "wrong usage; an unreadable or invalid flow, parameter or setting"),
    (Exit.INTERNAL, "a defect of flowctl"),
    (Exit.NOT_FOUND, "not found"),
    (Exit.CONFLICT, "conflict: somebody else was first, or holds it"),
    (Exit.WAITING, "waiting for an approval, and asked not to wait"),
    (Exit.TIMED_OUT, "timed out"),
    (Exit.INTERRUPTED, "interrupted (SIGINT)"),
    (Exit.BROKEN_PIPE, "nobody reads the output any more (SIGPIPE)"),
    (Exit.TERMINATED, "terminated (SIGTERM)"),
)

_OF_ERRORS: dict[type[BaseException], Exit] = {
    errors.FlowctlError: Exit.FAILED,
    errors.InvalidFlow: Exit.USAGE,
    errors.BadParameters: Exit.USAGE,
    errors.SecretUnavailable: Exit.USAGE,
    errors.BadCursor: Exit.USAGE,
    errors.RunNotFound: Exit.NOT_FOUND,
    errors.TaskNotFound: Exit.NOT_FOUND,
    errors.StoreConflict: Exit.CONFLICT,
    errors.RunTakenAway: Exit.CONFLICT,
    errors.RunHeld: Exit.CONFLICT,
    errors.NoAnswer: Exit.TIMED_OUT,
    UsageProblem: Exit.USAGE,
    KeyboardInterrupt: Exit.INTERRUPTED,
    BrokenPipeError: Exit.BROKEN_PIPE,
}


def exit_of(error: BaseException) -> Exit:
    """The exit code for an error: that of the nearest of its classes in the table; without one it is a defect."""
    for kind in type(error).__mro__:
        if kind in _OF_ERRORS:
            return _OF_ERRORS[kind]
    return Exit.INTERNAL
