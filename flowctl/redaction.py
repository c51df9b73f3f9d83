"""What a flow declares as `sensitive`, hidden from everything that is printed; what is stored keeps it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.outcomes import Json

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.store.rows import EventRow

HIDDEN = "***"

_WITH_OUTPUT = ("attempt_finished", "task_completing", "task_succeeded")
"""Events whose `output` holds the declared outputs of a task."""


def sensitive_parameters(plan: Plan) -> frozenset[str]:
    """Names of the parameters whose values are not to be shown."""
    return frozenset(name for name, spec in plan.params.items() if spec.sensitive)


def without_sensitive(row: EventRow, plan: Plan) -> EventRow:
    """The event with sensitive parameters and outputs hidden; `row` itself where it holds none."""
    if row.type == "run_submitted":
        return _hiding(row, "params", sensitive_parameters(plan))
    if row.type in _WITH_OUTPUT and row.task is not None and row.task in plan.tasks:
        outputs = plan.tasks[row.task].outputs
        return _hiding(row, "output", frozenset(name for name, spec in outputs.items() if spec.sensitive))
    return row


def _hiding(row: EventRow, key: str, names: frozenset[str]) -> EventRow:
    values = row.data.get(key)
    if not names or not isinstance(values, dict):
        return row
    hidden: Mapping[str, Json] = {name: HIDDEN if name in names else value for name, value in values.items()}
    return replace(row, data={**row.data, key: dict(hidden)})
