"""How a run ended, as `Flow.run` returns it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.outcomes import Failure, Json

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.run import Run, TaskRun


class ItemResult(Struct, frozen=True):
    """One item of a fan-out. `state` is a state of a task; `output` is `None` unless it succeeded."""

    index: int
    key: str
    value: Json
    state: str
    attempts: int
    error: Failure | None
    output: Json


class TaskResult(Struct, frozen=True):
    """A task of a run that has ended.

    Attributes:
        state: `succeeded`, `failed`, `skipped`, `blocked` or `cancelled`.
        attempts: how many were made in the last round, by all items together.
        round: more than 1 if the task was reset.
        error: why it failed, else `None`.
        output: what expressions read: a map of the outputs; of a fan-out the list of its items' outputs.
        cause: why it was skipped, or the task it was blocked by.
        items: of a fan-out, in order.
    """

    state: str
    attempts: int
    round: int
    error: Failure | None
    output: Json
    cause: str | None = None
    items: tuple[ItemResult, ...] = ()


class RunResult(Struct, frozen=True):
    """A run that has ended.

    Attributes:
        id: names the run in the store: `flowctl show ID`.
        flow: the flow's name.
        state: `succeeded`, `failed` or `cancelled`.
        outputs: the flow's outputs; empty unless it succeeded.
        error: why the run as such failed, for example its timeout; `None` where tasks say it.
        tasks: the flow's own tasks by id, in the order of the file.
        warnings: failures that were allowed or recovered, failed hooks.
    """

    id: str
    flow: str
    state: str
    outputs: Mapping[str, Json]
    error: Failure | None
    tasks: Mapping[str, TaskResult]
    warnings: int = 0

    @property
    def succeeded(self) -> bool:
        """Whether everything that had to succeed did."""
        return self.state == "succeeded"


def result_of(plan: Plan, run: Run) -> RunResult:
    """The result of a run that has ended."""
    return RunResult(
        id=run.id,
        flow=run.flow,
        state=run.state.value,
        outputs=dict(run.outputs or {}),
        error=run.failure,
        tasks={name: _task_result(run.tasks[name]) for name in plan.main},
        warnings=run.warnings,
    )


def _task_result(task: TaskRun) -> TaskResult:
    items = tuple(
        ItemResult(index, item.key, item.value, item.state.value, item.attempt, item.failure, item.output)
        for index, item in enumerate(task.items or ())
    )
    return TaskResult(
        state=task.state.value,
        attempts=task.attempt if task.items is None else sum(item.attempts for item in items),
        round=task.round,
        error=task.failure,
        output=task.output if task.items is None else [item.output for item in items],
        cause=task.cause,
        items=items,
    )
