"""What the model says about a path of keys: which maps may stand there, which keys, choices and bounds they have."""

from __future__ import annotations

import types
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from annotated_types import Ge, Gt, Le, Lt
from pydantic import BaseModel

from specs.model import FlowSpec

Path = tuple[Any, ...]


def models_at(path: Path, root: Any = FlowSpec) -> tuple[type[BaseModel], ...]:
    """The models a map at `path` may be of; empty where free values stand."""
    return tuple(kind for kind in _types_at(path, root) if isinstance(kind, type) and issubclass(kind, BaseModel))


def keys_at(path: Path, root: Any = FlowSpec) -> tuple[str, ...]:
    """The keys a map at `path` may have, in the order of the model."""
    return tuple(dict.fromkeys(key for model in models_at(path, root) for key in _fields(model)))


def choices_at(path: Path, root: Any = FlowSpec) -> tuple[str, ...]:
    """The texts a value at `path` may be one of; empty when it is not restricted."""
    found = (get_args(kind) for kind in _types_at(path, root) if get_origin(kind) is Literal)
    return tuple(str(choice) for choices in found for choice in choices)


def bounds_at(path: Path, root: Any = FlowSpec) -> tuple[float | None, float | None]:
    """The least and the greatest number allowed at `path`, `None` for no bound."""
    lower, upper = None, None
    for metadata in _metadata_at(path, root):
        if isinstance(metadata, Ge | Gt):
            lower = metadata.ge if isinstance(metadata, Ge) else metadata.gt
        if isinstance(metadata, Le | Lt):
            upper = metadata.le if isinstance(metadata, Le) else metadata.lt
    return lower, upper  # type: ignore[return-value]  # the bounds of this model are numbers


def is_list_at(path: Path, root: Any = FlowSpec) -> bool:
    """Whether a list may stand at `path`."""
    return any(get_origin(kind) is list for kind in _types_at(path, root))


@lru_cache(maxsize=256)
def _fields(model: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _types_at(path: Path, root: Any) -> list[Any]:
    kinds = [root]
    for part in path:
        kinds = [found for kind in kinds for found in _step(kind, part)]
    return [plain for kind in kinds for plain, _ in _flatten(kind)]


def _metadata_at(path: Path, root: Any) -> Iterator[Any]:
    kinds = [root]
    for part in path:
        kinds = [found for kind in kinds for found in _step(kind, part)]
    for kind in kinds:
        for _, metadata in _flatten(kind):
            yield from _unpacked(metadata)


def _unpacked(metadata: tuple[Any, ...]) -> Iterator[Any]:
    for entry in metadata:
        # pydantic's Field(ge=1) keeps its constraints in a list of its own
        yield from getattr(entry, "metadata", None) or (entry,)


def _step(kind: Any, part: Any) -> Iterator[Any]:
    for plain, _ in _flatten(kind):
        origin = get_origin(plain)
        if isinstance(plain, type) and issubclass(plain, BaseModel):
            field = _fields(plain).get(part)
            if field is not None:
                yield Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
        elif origin is dict:
            yield get_args(plain)[1]
        elif origin is list and isinstance(part, int):
            yield get_args(plain)[0]


def _flatten(kind: Any) -> Iterator[tuple[Any, tuple[Any, ...]]]:
    """The alternatives of an annotation, each with the metadata around it."""
    origin = get_origin(kind)
    if origin is Annotated:
        inner, *metadata = get_args(kind)
        for plain, more in _flatten(inner):
            yield plain, (*metadata, *more)
    elif origin is Union or origin is types.UnionType:
        for member in get_args(kind):
            yield from _flatten(member)
    else:
        yield kind, ()
