"""What may go wrong with an expression: while it is read, and while it is evaluated."""

from __future__ import annotations


class ExpressionError(Exception):
    """The text is not an admitted expression. `code` is the diagnostic's; `start`, `end` count from the text's start."""

    def __init__(self, code: str, message: str, *, start: int, end: int, help: str | None = None) -> None:  # noqa: A002 - the diagnostic's word
        super().__init__(message)
        self.code = code
        self.message = message
        self.start = start
        self.end = end
        self.help = help


class EvaluationError(Exception):
    """A value could not be had: something undefined, of the wrong type, or past a budget. A task fails with `expression`."""
