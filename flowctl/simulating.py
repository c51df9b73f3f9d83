"""Flows for the simulation: compiled, though `run` may refuse them, and started as a user or a trigger starts them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from engine.errors import InvalidFlow
from engine.outcomes import Json
from engine.plan import Plan
from specs.diagnostics import Diagnostic

if TYPE_CHECKING:
    from specs.check import Checked
    from specs.model.triggers import TriggerSpec

_NOT_DECIDED = (("approval",), ("wait", "signal"))
"""Ends of paths of what the engine cannot even decide, as opposed to what it cannot carry out."""


class CannotSimulate(InvalidFlow):
    """The flow is valid, and holds what this engine knows nothing about."""

    code = "cannot_simulate"

    def __init__(self, name: str, diagnostics: tuple[Diagnostic, ...]) -> None:
        super().__init__(name, diagnostics)
        self.args = (f"`{name}` cannot be simulated yet",)
        self.hint = "simulate the flow without what is named above"


def simulated_plan(checked: Checked) -> Plan:
    """The plan of a flow that has been checked.

    Raises:
        InvalidFlow: it has errors, or (`CannotSimulate`) needs decisions that the engine does not know.
    """
    from engine.compile import compile_flow
    from specs.rules.honoured import blocking

    if not checked.ok or checked.context is None:
        raise InvalidFlow(checked.name, checked.diagnostics)
    refused = tuple(
        replace(found, help="neither `flowctl run` nor a simulation knows it")
        for found in blocking(checked.context)
        if any(found.path[-len(end) :] == end for end in _NOT_DECIDED)
    )
    if refused:
        raise CannotSimulate(checked.name, refused)
    return compile_flow(checked, base=Path.cwd())


def params_of_trigger(spec: TriggerSpec, trigger: Mapping[str, Json]) -> dict[str, Json] | None:
    """The parameters that a trigger gives its run; `None` when its `if` is false and no run starts.

    Args:
        trigger: what expressions read as `trigger`.

    Raises:
        EvaluationError: an expression of the trigger fails.
    """
    from engine.compiling.actions import bare, compile_map
    from specs.expressions import evaluate_condition, resolve

    scope = {"trigger": trigger}
    if spec.condition is not None and not evaluate_condition(bare(spec.condition), scope):
        return None
    values = resolve(compile_map(spec.params), scope)
    return values if isinstance(values, dict) else {}


def begin_at(text: str | None) -> datetime:
    """When a simulation begins: RFC 3339, without an offset in UTC. Raises `ValueError`."""
    from engine.calendar import parse_instant, zone_of
    from engine.simulation import BEGINNING

    return BEGINNING if text is None else parse_instant(text, zone_of(None))
