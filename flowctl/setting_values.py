"""What reading the value of a setting can come to besides the value, and how a value is told of."""

from __future__ import annotations

from typing import Any

from specs.scalars import shortened


class Wrong(Exception):
    """A value does not fit its key. `path` leads from the key to the part that is wrong, or with `at_key` to its key."""

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


def kind_of(value: Any) -> str:
    """What a value is, in words."""
    names = {str: "text", bool: "a boolean", int: "a number", float: "a number", list: "a list", dict: "a map"}
    return next((name for kind, name in names.items() if isinstance(value, kind)), "nothing")


def shown(value: Any) -> str:
    """A value as a message quotes it: one line, not too long, nothing a terminal would act on."""
    return shortened(str(value), 60)
