"""What a connector is, to the host that runs it and to those who write one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from msgspec import Struct

from engine.outcomes import Json
from specs.context import ActionSpec


class CallContext(Struct, frozen=True):
    """What an action is told about its attempt.

    Attributes:
        run_dir: the run's directory, which relative paths start from.
        log: writes a line into the attempt's log, secrets masked.
    """

    run_dir: Path
    log: Callable[[str], None]


class ConnectorError(Exception):
    """An action failed in a way that retry policies know (`LANGUAGE.md` 8).

    `kind` is `connect`, `timeout`, `http` (with `http_status`) or `error` (with `name`, matched by `error:NAME`).
    """

    def __init__(
        self,
        kind: str,
        message: str,
        *,
        http_status: int | None = None,
        name: str | None = None,
        retry_after_s: float | None = None,
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.http_status = http_status
        self.name = name
        self.retry_after_s = retry_after_s


class Connector(Protocol):
    """A connector: a class constructed with its configured fields, once in a host and for many calls at a time.

    `actions` is its signature, by action name. An exception other than `ConnectorError` fails the attempt with kind
    `error` and the name of its class. Cancellation must not be swallowed.
    """

    actions: Mapping[str, ActionSpec]

    def __init__(self, config: Mapping[str, Json]) -> None: ...

    async def call(self, action: str, arguments: Mapping[str, Json], context: CallContext) -> Json:
        """Do `action`; returns a map of outputs."""


def bad_argument(message: str) -> ConnectorError:
    """The error for an argument that an action cannot take."""
    return ConnectorError("error", message, name="BadArgument")
