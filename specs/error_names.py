"""The names of errors that `errors` and `never` hold (`LANGUAGE.md` 8): which there are, and which cover which."""

from __future__ import annotations

import re
from functools import lru_cache

from msgspec import Struct

from specs.suggest import nearest

RETRIED = ("any", "exit", "signal", "timeout", "lost", "unhealthy", "memory", "connect", "output")
"""Names that stand alone."""

NEVER_RETRIED = (
    "expression",
    "rejected",
    "no_match",
    "fail",
    "too_many_items",
    "no_items",
    "deadline",
    "queue_timeout",
    "dependency_timeout",
    "repeat",
    "interrupted",
)
"""Failures that no further attempt would change; a task can ask others for a new round because of them."""

SIGNALS = frozenset(
    {
        "ABRT", "ALRM", "BUS", "CHLD", "CONT", "FPE", "HUP", "ILL", "INT", "IO", "KILL", "PIPE", "POLL", "PROF", "PWR",
        "QUIT", "SEGV", "STKFLT", "STOP", "SYS", "TERM", "TRAP", "TSTP", "TTIN", "TTOU", "URG", "USR1", "USR2",
        "VTALRM", "WINCH", "XCPU", "XFSZ",
    }
)  # fmt: skip
"""Names of signals without `SIG`."""

_CODES = re.compile(r"(\d{1,3})(?:-(\d{1,3}))?")
_STATUS = re.compile(r"[1-5](?:\d\d|xx)")
_CLASS = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")


class ErrorProblem(Struct, frozen=True):
    """Why a name cannot stand in a list of errors."""

    message: str
    help: str | None = None


def error_problem(name: str, *, retried: bool) -> ErrorProblem | None:
    """Why `name` is no error, or with `retried` none that is ever retried; `None` when it is fine."""
    if name in RETRIED:
        return None
    if name in NEVER_RETRIED:
        return ErrorProblem(f"`{name}` is never retried", "remove it") if retried else None
    if name.startswith("output~"):
        empty = name == "output~"
        return ErrorProblem("`output~` has no pattern", "write `output~PATTERN`") if empty else None
    kind, colon, argument = name.partition(":")
    problem = _ARGUMENTS[kind](argument) if colon and kind in _ARGUMENTS else ""
    if problem is None:
        return None
    return ErrorProblem(f"unknown error name `{_shown(name)}`", problem or None)


@lru_cache(maxsize=512)
def nearest_error(name: str) -> str | None:
    """The name that was most likely meant."""
    kind, colon, argument = name.partition(":")
    if not colon:
        return nearest(name, (*RETRIED, *NEVER_RETRIED))
    near = nearest(kind, _ARGUMENTS)
    return f"{near}:{argument}" if near is not None and near != kind else None


def covers(wide: str, narrow: str) -> bool:
    """Whether every failure that `narrow` names is one that `wide` names too, as far as the names tell."""
    if wide in ("any", narrow):
        return True
    wide_kind, _, wide_argument = wide.partition(":")
    kind, _, argument = narrow.partition(":")
    if kind != wide_kind:
        return False
    if not wide_argument:
        return True
    if kind == "exit" and argument:
        outer, inner = _codes(wide_argument), _codes(argument)
        return outer is not None and inner is not None and outer[0] <= inner[0] and inner[1] <= outer[1]
    return kind == "http" and wide_argument.endswith("xx") and argument[:1] == wide_argument[:1]


def _codes(text: str) -> tuple[int, int] | None:
    match = _CODES.fullmatch(text)
    if match is None:
        return None
    first = int(match[1])
    last = first if match[2] is None else int(match[2])
    return (first, last) if first <= last <= 255 else None


def _exit(argument: str) -> str | None:
    return None if _codes(argument) is not None else "an exit code is 0 to 255, a range goes upward: `exit:64-78`"


def _signal(argument: str) -> str | None:
    if argument in SIGNALS:
        return None
    plain = argument.upper().removeprefix("SIG")
    return f"write `signal:{plain}`" if plain in SIGNALS else "write a signal's name, as in `signal:KILL`"


def _http(argument: str) -> str | None:
    return None if _STATUS.fullmatch(argument) else "write a status or a class of them: `http:429`, `http:5xx`"


def _error(argument: str) -> str | None:
    return None if _CLASS.fullmatch(argument) else "write the name of a class, as in `error:ConnectionError`"


_ARGUMENTS = {"exit": _exit, "signal": _signal, "http": _http, "error": _error}
"""By kind, what checks its argument: the help line for a wrong one, `None` for a good one."""


def _shown(text: str) -> str:
    return text if len(text) <= 40 else text[:37] + "..."
