"""What the model says about a path of a flow, in words for an editor."""

from __future__ import annotations

from typing import Any, get_args, get_origin

from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from flowctl.lsp.cursor import Path
from specs.descriptions import LIBRARY_DESCRIPTIONS, description_of
from specs.fields import bounds_at, choices_at, keys_at, models_at
from specs.formatting.order import FLOW_KEYS, TASK_KEYS
from specs.model.task import ACTIONS
from specs.scalars import written_form

_KINDS = {str: "text", int: "number", float: "number", bool: "true or false", list: "list", dict: "map"}


def model_path(path: Path) -> Path:
    """The path at which the model describes what stands at `path`: `defaults` and templates are parts of tasks."""
    if path[:1] == ("defaults",):
        return ("tasks", "any", *path[1:])
    if path[:1] == ("templates",) and len(path) >= 2:
        return ("tasks", *path[1:])
    return path


def keys_of(path: Path) -> tuple[str, ...]:
    """The keys a map at `path` may have, in the order in which they are written."""
    keys = keys_at(model_path(path))
    if not path:
        return tuple(key for key in FLOW_KEYS if key in keys or key in LIBRARY_DESCRIPTIONS)
    order = {key: number for number, key in enumerate(TASK_KEYS)}
    is_task = set(ACTIONS) <= set(keys)
    return tuple(sorted(keys, key=lambda key: order.get(key, len(order)))) if is_task else keys


def values_of(path: Path) -> tuple[str, ...]:
    """The words a value at `path` may be, `true` and `false` among them for a boolean."""
    field = field_at(path)
    truths = ("true", "false") if field is not None and bool in _types(field.annotation) else ()
    return (*choices_at(model_path(path)), *truths)


def field_at(path: Path) -> FieldInfo | None:
    """The field of the model that the key at the end of `path` is."""
    if not path:
        return None
    for model in models_at(model_path(path)[:-1]):
        for name, field in model.model_fields.items():
            if (field.alias or name) == path[-1]:
                return field
    return None


def field_text(path: Path) -> str | None:
    """What a key is, as Markdown; `None` where the model does not know it."""
    if len(path) == 1 and path[0] in LIBRARY_DESCRIPTIONS:
        return f"**{path[0]}**\n\n{LIBRARY_DESCRIPTIONS[str(path[0])]}"
    field = field_at(path)
    if field is None:
        return None
    parts = [f"**{path[-1]}**: {type_text(path)}"]
    described = (description_of(model, str(path[-1])) for model in models_at(model_path(path)[:-1]))
    parts += [next((text for text in described if text is not None), "")]
    facts = [*_bounds(path), *_default(field)]
    if facts:
        parts.append(", ".join(facts))
    return "\n\n".join(part for part in parts if part)


def type_text(path: Path) -> str:
    """The type of the value at `path` in a word or two: its choices, else what kind of value it is."""
    field = field_at(path)
    choices = values_of(path)
    if field is None:
        return "value"
    words = [f"`{choice}`" for choice in choices]
    kinds = {_KINDS[kind] for kind in _types(field.annotation) if kind in _KINDS and kind is not bool}
    if models_at(model_path(path)):
        kinds.add("map")
    return " | ".join([*words, *sorted(kinds)]) or "value"


def _types(annotation: Any) -> set[Any]:
    """The plain types among the alternatives of an annotation."""
    found, pending = set(), [annotation]
    while pending:
        kind = pending.pop()
        origin = get_origin(kind)
        if origin in (list, dict):
            found.add(origin)
        elif origin is not None and origin is not type:
            pending.extend(part for part in get_args(kind) if isinstance(part, type) or get_origin(part) is not None)
        else:
            found.add(kind)
    return found


def _bounds(path: Path) -> list[str]:
    lower, upper = bounds_at(model_path(path))
    return ([f"at least {lower}"] if lower is not None else []) + ([f"at most {upper}"] if upper is not None else [])


def _default(field: FieldInfo) -> list[str]:
    if field.is_required():
        return ["required"]
    default = field.default
    written = None if default is PydanticUndefined else written_form(default)
    return [f"default `{written}`"] if written else []
