"""What reading the value of a setting can come to besides the value, and how a value is told of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from specs.scalars import shortened

T = TypeVar("T")


class Wrong(Exception):
    """A value does not fit its key. `path` leads from the key to the part that is wrong, or with `at_key` to its key.

    `also` are further mistakes in the same value.
    """

    def __init__(
        self,
        message: str,
        *,
        code: str = "FLOW112",
        help: str | None = None,  # noqa: A002 - the diagnostic's word
        path: tuple[str | int, ...] = (),
        at_key: bool = False,
    ) -> None:
        super().__init__(message)
        self.code = code
        self.help = help
        self.path = path
        self.at_key = at_key
        self.also: tuple[Wrong, ...] = ()


def each(reads: Iterable[Callable[[], T]]) -> list[T]:
    """The results of all `reads`; raises `Wrong` for the first that did, with the mistakes of the others beside it."""
    found: list[T] = []
    mistakes: list[Wrong] = []
    for read in reads:
        try:
            found.append(read())
        except Wrong as wrong:
            mistakes.append(wrong)
    if mistakes:
        mistakes[0].also = tuple(mistakes[1:])
        raise mistakes[0]
    return found


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a map"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "nothing")


def shown(value: Any) -> str:
    """A value as a message quotes it: one line, not too long, nothing a terminal would act on."""
    return shortened(str(value), 60)
