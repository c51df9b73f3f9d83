"""What fails at run time, as one tree.

    FlowctlError                 anything a caller may want to catch
    ├── InvalidFlow              the spec has errors; carries the diagnostics
    ├── BadParameters            values given for parameters do not fit
    ├── SecretUnavailable        a secret could not be resolved
    ├── RunNotFound              no run of that id (or several that match)
    ├── RunTakenAway             another engine drives the run by now
    ├── RunHeld                  another engine drives the run, and is alive
    ├── NoAnswer                 the engine that drives the run does not answer
    ├── TaskNotFound             a run has no such task, item or attempt
    ├── DrawingUnavailable       a picture needs a program that is not installed
    └── StoreError               the store
        ├── StoreConflict        another writer was first; nothing was written
        ├── StoreUnavailable     the medium failed
        ├── StoreDamaged         the file is not a store of ours, or broken
        ├── StoreTooNew          written by a later flowctl
        └── BadCursor            a cursor that no list returned

Each has a stable `code` and its facts as attributes; `str()` is one line for a person, `hint` the way out.
"""

from __future__ import annotations

from collections.abc import Sequence

from engine.identity import short_name
from specs.diagnostics import Diagnostic


class FlowctlError(Exception):
    """Root of what flowctl raises on purpose."""

    code = "error"

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class InvalidFlow(FlowctlError):
    """The flow has errors and cannot be planned or run."""

    code = "invalid_flow"

    def __init__(self, name: str, diagnostics: Sequence[Diagnostic]) -> None:
        super().__init__(f"`{name}` is not a valid flow", hint="run `flowctl validate` on it")
        self.diagnostics = tuple(diagnostics)


class BadParameters(FlowctlError):
    """Values for parameters are missing, unknown or do not fit; `problems` has one line each."""

    code = "bad_parameters"

    def __init__(self, problems: Sequence[str], *, hint: str | None = None) -> None:
        super().__init__("; ".join(problems), hint=hint)
        self.problems = tuple(problems)


class SecretUnavailable(FlowctlError):
    """A secret that the flow names cannot be resolved."""

    code = "secret_unavailable"

    def __init__(self, name: str, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.name = name


class RunNotFound(FlowctlError):
    """No run has this id, or several match."""

    code = "run_not_found"


class RunTakenAway(FlowctlError):
    """Another engine drives the run by now; `owner` is that engine, `""` where nobody holds it any more."""

    code = "run_taken_away"

    def __init__(self, run_id: str, owner: str) -> None:
        by = short_name(owner) if owner else "another engine, which is done with it"
        hint = f"`flowctl show {run_id}` tells how it stands"
        super().__init__(f"run `{run_id}` was taken over by {by} and goes on there", hint=hint)
        self.run_id = run_id
        self.owner = owner


class RunHeld(FlowctlError):
    """A live engine drives the run, so nobody else may; `owner` is that engine."""

    code = "run_held"

    def __init__(self, run_id: str, owner: str) -> None:
        super().__init__(
            f"run `{run_id}` is driven by {short_name(owner)}", hint=f"`flowctl logs -f {run_id}` follows it"
        )
        self.run_id = run_id
        self.owner = owner


class NoAnswer(FlowctlError):
    """The engine that drives a run is alive and has not done what was asked of it."""

    code = "no_answer"


class TaskNotFound(FlowctlError):
    """The run has no such task, item or attempt."""

    code = "task_not_found"


class DrawingUnavailable(FlowctlError):
    """A picture was asked for whose program is not installed."""

    code = "drawing_unavailable"


class StoreError(FlowctlError):
    """Something about the store."""

    code = "store_error"


class StoreConflict(StoreError):
    """Another writer was first; nothing was written. `run_ids` are the runs it was first at, where they are known."""

    code = "store_conflict"

    def __init__(self, message: str, *, hint: str | None = None, run_ids: Sequence[str] = ()) -> None:
        super().__init__(message, hint=hint)
        self.run_ids = tuple(run_ids)


class StoreUnavailable(StoreError):
    """The medium failed: disk full, I/O error, no permission. If `transient`, it may be back in a moment."""

    code = "store_unavailable"

    def __init__(self, message: str, *, hint: str | None = None, transient: bool = False) -> None:
        super().__init__(message, hint=hint)
        self.transient = transient


class StoreDamaged(StoreError):
    """The file is not a store of ours, or is broken; it is left as it is."""

    code = "store_damaged"


class StoreTooNew(StoreError):
    """The store was written by a later flowctl and is not downgraded."""

    code = "store_too_new"


class BadCursor(StoreError):
    """A cursor that no list returned."""

    code = "bad_cursor"
