"""`env`: the flow's own variables, the host's that are let through, and those given on the command line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from engine.plan import Plan
from engine.run import Run
from specs.expressions import resolve_text
from specs.expressions.values import CompiledValue


class FlowEnvironment(Mapping[str, str]):
    """Resolved one by one, each when asked for. What came with the submission wins over what the flow declares: the
    submission holds the command line's variables, and of the host's only those the flow does not set itself."""

    __slots__ = ("_declared", "_found", "_given", "_scope")

    def __init__(
        self, declared: Mapping[str, CompiledValue], given: Mapping[str, str], scope: Mapping[str, Any]
    ) -> None:
        self._declared = declared
        self._given = given
        self._scope = scope
        self._found: dict[str, str] = {}

    def __getitem__(self, key: str) -> str:
        if key in self._given:
            return self._given[key]
        if key not in self._found:
            self._found[key] = resolve_text(self._declared[key], self._scope)
        return self._found[key]

    def __iter__(self) -> Iterator[str]:
        yield from self._declared
        yield from (name for name in self._given if name not in self._declared)

    def __len__(self) -> int:
        return len(self._declared.keys() | self._given.keys())


def flow_environment(plan: Plan, run: Run, scope: Mapping[str, Any]) -> Mapping[str, str]:
    """`env` of a run. A value that cannot be had raises `EvaluationError` when it is asked for."""
    return FlowEnvironment(dict(plan.env.entries), run.env, scope)
