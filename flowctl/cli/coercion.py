"""Values of options and arguments that are what they should be already.

typer builds a validator of pydantic for each of them, which alone would double what a small command loads. Here texts,
paths, counts and choices that are written right are taken as they are; everything else is left to typer, messages included.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from enum import Enum
from functools import partial
from pathlib import Path
from typing import Any, get_args, get_origin

from msgspec import Struct

_NOT_TAKEN = object()


def take_plain_values(parameter: Any) -> None:
    """Have a parameter of a command take plain values itself; may be repeated."""
    kind = getattr(getattr(parameter, "type_descriptor", None), "annotation", None)
    known = "get_runtime_param" in vars(parameter)
    if kind is not None and not known and hasattr(parameter, "get_runtime_param"):
        parameter.get_runtime_param = partial(_Coercion, parameter.get_runtime_param, kind)


def plain_path(text: str) -> Path | None:
    """The path written as `text`; `None` where typer may have something to say: it is there and cannot be read."""
    return Path(text) if "\0" not in text and (os.access(text, os.R_OK) or not os.path.lexists(text)) else None


class _Coercion(Struct, frozen=True):
    """What typer asks for the value of a parameter. `build` gives its own way, `kind` is what the function declares."""

    build: Callable[[], Any]
    kind: Any

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value as the function gets it; raises typer's error for one that does not fit."""
        if value is None:
            return () if param.multiple or param.nargs == -1 else None
        taken = _taken(self.kind, value, param)
        return self.build().coerce(value, param=param, ctx=ctx) if taken is _NOT_TAKEN else taken


def _taken(kind: Any, value: Any, parameter: Any) -> Any:
    if get_origin(kind) is list and isinstance(value, list | tuple):
        elements = [_taken(get_args(kind)[0], element, parameter) for element in value]
        return _NOT_TAKEN if any(element is _NOT_TAKEN for element in elements) else elements
    if isinstance(kind, type) and issubclass(kind, Enum):
        return next((choice for choice in kind if choice is value or choice.value == value), _NOT_TAKEN)
    if kind is Path and isinstance(value, str):
        return plain_path(value) or _NOT_TAKEN
    if kind is int and isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)
    if kind is int and type(value) is int:
        least, most = getattr(parameter, "min", None), getattr(parameter, "max", None)
        return value if (least is None or least <= value) and (most is None or value <= most) else _NOT_TAKEN
    return value if kind in (str, bool) and type(value) is kind else _NOT_TAKEN
