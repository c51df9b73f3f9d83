"""Values for the parameters of a flow: converted from text, or checked as they are, then complete (`LANGUAGE.md` 3)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from engine.errors import BadParameters
from engine.outcomes import Json
from engine.plan import Parameter
from engine.values import check_value, convert_text
from specs.suggest import did_you_mean

_NOT_SHOWN = "the value given does not fit what the flow declares; it is sensitive and not shown"


def bind_parameters(
    specs: Mapping[str, Parameter],
    texts: Mapping[str, str],
    values: Mapping[str, Json],
    *,
    text_base: Path | None = None,
    default_base: Path | None = None,
) -> dict[str, Json]:
    """The value of every parameter, in the order declared.

    Args:
        texts: given as text (command line, query), converted by the declared type.
        values: given as values (params file, another flow), checked strictly; `texts` win.
        text_base: the folder that relative paths among `texts` and `values` stand in; `None` leaves them as they are.
        default_base: the same for defaults.

    Raises:
        BadParameters: some are unknown, missing or do not fit; all problems at once.
    """
    problems = [_unknown(name, specs) for name in (*texts, *values) if name not in specs]
    bound: dict[str, Json] = {}
    for name, spec in specs.items():
        try:
            bound[name] = _bind(name, spec, texts, values, text_base, default_base)
        except ValueError as problem:
            shown = _NOT_SHOWN if spec.sensitive and (name in texts or name in values) else problem
            problems.append(f"`{name}`: {shown}")
    if problems:
        raise BadParameters(problems, hint="give parameters with `-p name=value`; `flowctl plan` lists them")
    return bound


def _unknown(name: str, specs: Mapping[str, Parameter]) -> str:
    hint = did_you_mean(name, specs)
    return f"there is no parameter `{name}`" + (f"; {hint}" if hint else "")


def _bind(
    name: str,
    spec: Parameter,
    texts: Mapping[str, str],
    values: Mapping[str, Json],
    text_base: Path | None,
    default_base: Path | None,
) -> Json:
    if name in texts:
        value, base = convert_text(texts[name], spec.type, spec.items), text_base
    elif name in values:
        value, base = check_value(values[name], spec.type, spec.items), text_base
    elif spec.required:
        raise ValueError("it is required and was not given")
    elif spec.default is None:
        return None
    else:
        value, base = check_value(spec.default, spec.type, spec.items), default_base
    value = _anchored(value, spec, base)
    require_fit(spec, value)
    return value


def _anchored(value: Json, spec: Parameter, base: Path | None) -> Json:
    """A relative path as seen from `base`."""
    if base is None:
        return value
    if spec.type == "path" and isinstance(value, str):
        return str(base / value)
    if spec.type == "list" and spec.items == "path" and isinstance(value, list):
        return [str(base / element) if isinstance(element, str) else element for element in value]
    return value


def plain(value: Any) -> Json:
    """A value of a spec as plain JSON: numbers without their written form."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list):
        return [plain(element) for element in value]
    return {str(key): plain(element) for key, element in value.items()}


def require_fit(spec: Parameter, value: Json) -> None:
    """Raise `ValueError` unless `value`, already of the declared type, is within `choices`, bounds and `pattern`."""
    if spec.choices is not None and not any(_same(value, choice) for choice in spec.choices):
        raise ValueError(f"`{_shown(value)}` is none of {', '.join(f'`{_shown(choice)}`' for choice in spec.choices)}")
    if isinstance(value, int | float) and not isinstance(value, bool):
        if spec.min is not None and value < spec.min:
            raise ValueError(f"{value} is below {spec.min}")
        if spec.max is not None and value > spec.max:
            raise ValueError(f"{value} is above {spec.max}")
    if isinstance(value, str | list | dict):
        if spec.min_length is not None and len(value) < spec.min_length:
            raise ValueError(f"it is shorter than {spec.min_length}")
        if spec.max_length is not None and len(value) > spec.max_length:
            raise ValueError(f"it is longer than {spec.max_length}")
    if spec.pattern is not None and isinstance(value, str) and not re.fullmatch(spec.pattern, value):
        raise ValueError(f"`{_shown(value)}` does not match `{spec.pattern}`")


def _same(value: Json, choice: Json) -> bool:
    if isinstance(value, bool) or isinstance(choice, bool):
        return value is choice
    return value == choice


def _shown(value: Json) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:57] + "..."
