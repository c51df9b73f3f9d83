"""A workflow engine for people who keep their flows in git.

    import flowctl

    flow = flowctl.load("flows/hello.yaml")
    result = flow.run(params={"name": "Ada"})

Importing this package is cheap: each name is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.errors import (
        BadCursor,
        BadParameters,
        FlowctlError,
        InvalidFlow,
        RunNotFound,
        SecretUnavailable,
        StoreConflict,
        StoreDamaged,
        StoreError,
        StoreTooNew,
        StoreUnavailable,
        TaskNotFound,
    )
    from engine.forecast import Forecast
    from engine.outcomes import Failure
    from flowctl.library import Flow, StoreView, check, load, open_store
    from flowctl.problems import UsageProblem
    from flowctl.results import ItemResult, RunResult, TaskResult
    from specs.diagnostics import Diagnostic, Severity

    __version__: str

__all__ = [
    "BadCursor",
    "BadParameters",
    "Diagnostic",
    "Failure",
    "Flow",
    "FlowctlError",
    "Forecast",
    "InvalidFlow",
    "ItemResult",
    "RunNotFound",
    "RunResult",
    "SecretUnavailable",
    "Severity",
    "StoreConflict",
    "StoreDamaged",
    "StoreError",
    "StoreTooNew",
    "StoreUnavailable",
    "StoreView",
    "TaskNotFound",
    "TaskResult",
    "UsageProblem",
    "__version__",
    "check",
    "load",
    "open_store",
]

_PLACES = {
    "Diagnostic": "specs.diagnostics",
    "Failure": "engine.outcomes",
    "Forecast": "engine.forecast",
    "Severity": "specs.diagnostics",
    "UsageProblem": "flowctl.problems",
    **dict.fromkeys(
        ("Flow", "StoreView", "check", "load", "open_store"),
        "flowctl.library",
    ),
    **dict.fromkeys(("ItemResult", "RunResult", "TaskResult"), "flowctl.results"),
}
"""Where each name is; those that are not here are errors."""


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from flowctl.version import VERSION

        return VERSION
    if name not in __all__:
        raise AttributeError(f"module 'flowctl' has no attribute {name!r}")
    value = getattr(import_module(_PLACES.get(name, "engine.errors")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
