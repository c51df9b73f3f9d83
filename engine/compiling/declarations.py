"""What a flow declares, as a plan holds it: parameters and outputs apart from the typed model, numbers as plain JSON."""

from __future__ import annotations

from collections.abc import Mapping

from engine.parameters import plain
from engine.plan import Output, Parameter
from specs.model.parts import OutputSpec, ParamSpec


def parameters(specs: Mapping[str, ParamSpec]) -> dict[str, Parameter]:
    """The parameters of a flow, in the order declared."""
    return {name: parameter(spec) for name, spec in specs.items()}


def parameter(spec: ParamSpec) -> Parameter:
    """One parameter."""
    return Parameter(
        type=spec.type,
        items=spec.items,
        required=spec.required,
        default=plain(spec.default),
        choices=None if spec.choices is None else tuple(plain(choice) for choice in spec.choices),
        min=None if spec.min is None else _number(spec.min),
        max=None if spec.max is None else _number(spec.max),
        min_length=spec.min_length,
        max_length=spec.max_length,
        pattern=spec.pattern,
        sensitive=spec.sensitive,
        description=spec.description,
    )


def outputs(specs: Mapping[str, OutputSpec]) -> dict[str, Output]:
    """The declared outputs of a task, in the order declared."""
    return {
        name: Output(spec.type, spec.items, spec.optional, spec.sensitive, spec.source, spec.description)
        for name, spec in specs.items()
    }


def _number(value: float) -> int | float:
    return int(value) if isinstance(value, int) else float(value)
