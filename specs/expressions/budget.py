"""What an evaluation may cost, and values that are measured before they are built."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from msgspec import Struct

from specs.expressions.errors import EvaluationError

MAX_DEPTH = 100
"""How deep lists and maps may nest in a value."""


class Budget(Struct, frozen=True):
    """Bounds of one evaluation (`LANGUAGE.md` 14): nodes evaluated, and bytes of any text or result."""

    steps: int = 10_000
    result_bytes: int = 1 << 20


DEFAULT_BUDGET = Budget()


class Meter:
    """Counts what one evaluation has used of its budget."""

    def __init__(self, budget: Budget) -> None:
        self.budget = budget
        self._steps = 0

    def step(self) -> None:
        """Count one node."""
        self._steps += 1
        if self._steps > self.budget.steps:
            raise EvaluationError(f"the expression takes more than {self.budget.steps} steps")

    def room(self, size: int) -> None:
        """Refuse a text or list of `size` bytes or elements before it is built."""
        if size > self.budget.result_bytes:
            raise EvaluationError(f"the result is larger than {self.budget.result_bytes} bytes")

    def measure(self, value: object) -> int:
        """About how many bytes a value takes as JSON; refuses one that is too large or too deep, at the latest then.

        Shared parts count as often as they occur, as they would in the text.
        """
        total = 0
        pending = [(value, 0)]
        while pending:
            current, depth = pending.pop()
            if depth > MAX_DEPTH:
                raise EvaluationError(f"the value nests deeper than {MAX_DEPTH}")
            total += _own_size(current)
            self.room(total)
            if isinstance(current, list | tuple):
                self.room(total + len(current))
                pending.extend((item, depth + 1) for item in current)
            elif isinstance(current, Mapping):
                self.room(total + len(current))
                total += sum(len(key) + 3 for key in current)
                pending.extend((item, depth + 1) for item in current.values())
        return total


def _own_size(value: object) -> int:
    if isinstance(value, str):
        return len(value) + 2 if value.isascii() else len(value.encode("utf-8", "surrogatepass")) + 2
    if isinstance(value, int) and not isinstance(value, bool):
        return value.bit_length() // 3 + 1
    return 25 if isinstance(value, float | date) else 5 if value is None or isinstance(value, bool) else 2
