"""How an attempt ended, as a runner reports it, and what is kept of a failure."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct, field

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"
"""What JSON can hold; outputs, parameters and items are of this type."""


class Failure(Struct, frozen=True):
    """Why an attempt, a task or a run failed. `kind` is a word of `LANGUAGE.md` 8: `exit`, `signal`, `timeout`, ...

    Attributes:
        kind: the class of the failure; `errors` and `never` of a retry match it.
        message: one line for a person, secrets masked.
        exit_code: of a process that ended by itself.
        signal: `KILL`, `TERM`, ... of a process that died by a signal.
        http_status: of an HTTP request that was answered.
        name: class name from a connector or a callable, matched by `error:NAME`.
        retry_after_s: seconds a server or a script asks to wait.
        rate_limited: the attempt was refused for its rate.
        matched: patterns of `output~PATTERN` and `rate_limit.match` found in this attempt's output.
        asks_upstream: tasks the script asks to run again.
    """

    kind: str
    message: str
    exit_code: int | None = None
    signal: str | None = None
    http_status: int | None = None
    name: str | None = None
    retry_after_s: float | None = None
    rate_limited: bool = False
    matched: tuple[str, ...] = ()
    asks_upstream: tuple[str, ...] = ()


class Ending(StrEnum):
    """What became of an attempt."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    STOPPED = "stopped"  # ended after it was asked to stop, however it ended
    LOST = "lost"  # nobody knows how it ended


class Outcome(Struct, frozen=True):
    """What a runner reports of one attempt.

    `output` holds the declared outputs, checked against their types (of `use` and `flow` the whole output); `notes`
    are lines for a person, such as leftovers that were killed; `exit_code` is set for a success, too.
    """

    ending: Ending
    failure: Failure | None = None
    output: Mapping[str, Json] = field(default_factory=dict)
    exit_code: int | None = None
    notes: tuple[str, ...] = ()
