"""Imports pydantic's core before anything else does, without what it makes of its own type hints.

It describes its schemas by a hundred `TypedDict` classes for type checkers. As classes made at run time they have all of
their annotations, a thousand texts, compiled: a tenth of what a small check takes, for what nobody looks at. Here these
classes, and no others, are plain ones.
"""

from __future__ import annotations

import sys
import typing
from typing import Any


class _Described:
    """What stands for `TypedDict`: classes of it are names, and calling one makes a dict, as always."""

    def __init_subclass__(cls, **_options: bool) -> None:
        """A class with whatever options."""

    def __new__(cls, *arguments: Any, **values: Any) -> Any:
        """A dict; of `TypedDict("Name", {...})`, a class."""
        return dict(*arguments, **values) if cls is not _Described else type(arguments[0], (cls,), {})


def _import_core() -> None:
    import typing_extensions

    home: Any = typing if sys.version_info >= (3, 12) else typing_extensions  # where pydantic takes it from
    original = home.TypedDict
    home.TypedDict = _Described
    try:
        import pydantic_core  # noqa: F401 - for pydantic, which is imported next
    finally:
        home.TypedDict = original


if "pydantic_core" not in sys.modules:
    _import_core()
