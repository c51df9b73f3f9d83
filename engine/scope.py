"""What the names of an expression hold while a run goes on (`LANGUAGE.md` 13): maps over a run, built on demand.

Every namespace is a `Mapping`; a missing key is an undefined name. Nothing here copies a run: a task's entry is made when
an expression asks for it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import date, datetime
from typing import Any

from engine.edges import Answers
from engine.environment import flow_environment
from engine.outcomes import Failure, Json
from engine.plan import Plan, PlanTask
from engine.result import is_counted_failure, outcome_of
from engine.run import ItemRun, Run, TaskRun, Unit
from engine.states import TaskState


class LazyMapping(Mapping[str, Any]):
    """A map whose values are computed when they are asked for, each at most once. A function that raises `KeyError`
    leaves its name undefined."""

    __slots__ = ("_found", "_makers")

    def __init__(self, makers: Mapping[str, Callable[[], Any]]) -> None:
        self._makers = makers
        self._found: dict[str, Any] = {}

    def __getitem__(self, key: str) -> Any:
        if key not in self._found:
            self._found[key] = self._makers[key]()
        return self._found[key]

    def __contains__(self, key: object) -> bool:
        if key not in self._makers:
            return False
        try:
            self[str(key)]
        except KeyError:
            return False
        return True

    def __iter__(self) -> Iterator[str]:
        return (key for key in self._makers if key in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)


class TasksNamespace(Mapping[str, Any]):
    """`tasks`: the flow's own tasks, and in a hook its siblings before them."""

    __slots__ = ("_cache", "_hook", "_plan", "_run")

    def __init__(self, plan: Plan, run: Run, hook: str | None) -> None:
        self._plan = plan
        self._run = run
        self._hook = hook
        self._cache: dict[str, Mapping[str, Any]] = {}

    def __getitem__(self, key: str) -> Mapping[str, Any]:
        if key not in self._cache:
            name = self._resolve(key)
            self._cache[key] = task_namespace(self._plan.tasks[name], self._run.tasks[name])
        return self._cache[key]

    def _resolve(self, key: str) -> str:
        sibling = f"{self._hook}.{key}"
        if self._hook is not None and sibling in self._plan.tasks:
            return sibling
        if "." in key:
            raise KeyError(key)
        return self._plan.tasks[key].id

    def __iter__(self) -> Iterator[str]:
        return iter(self._plan.main)

    def __len__(self) -> int:
        return len(self._plan.main)


def _required(value: Any) -> Any:
    if value is None:
        raise KeyError
    return value


def task_namespace(spec: PlanTask, task: TaskRun) -> Mapping[str, Any]:
    """`tasks.x`: status, output or outputs, results and counts, error, times."""
    makers: dict[str, Callable[[], Any]] = {
        "status": lambda: str(task.state),
        "error": lambda: failure_namespace(_required(task.failure)),
        "attempt": lambda: task.attempt,
        "round": lambda: task.round,
        "started_at": lambda: _required(task.started_at),
        "ended_at": lambda: _required(task.ended_at),
        "duration": lambda: (_required(task.ended_at) - _required(task.started_at)).total_seconds(),
    }
    if spec.fan_out is None:
        makers["output"] = lambda: _output(task)
    else:
        makers["outputs"] = lambda: [item.output for item in _items(task)]
        makers["results"] = lambda: [item_result(i, item) for i, item in enumerate(_items(task))]
        makers["counts"] = lambda: counts(task)
    return LazyMapping(makers)


def _output(task: TaskRun) -> Any:
    if task.state is not TaskState.SUCCEEDED:
        raise KeyError
    return task.output


def _items(task: TaskRun) -> list[ItemRun]:
    if task.items is None and task.state is not TaskState.SUCCEEDED:
        raise KeyError
    return task.items or []


def counts(task: TaskRun) -> dict[str, Json]:
    """`tasks.x.counts` of a fan-out."""
    if task.items is None and task.state is not TaskState.SUCCEEDED:
        raise KeyError
    return {"total": len(task.items or ()), "succeeded": task.succeeded, "failed": task.failed}


def item_result(index: int, item: ItemRun) -> dict[str, Json]:
    """One entry of `tasks.x.results`."""
    return {
        "index": index,
        "key": item.key,
        "item": item.value,
        "status": str(item.state),
        "output": item.output,
        "error": failure_json(item.failure) if item.failure else None,
        "attempts": item.attempt,
    }


def failure_json(failure: Failure) -> dict[str, Json]:
    """`error` as plain JSON, every key present."""
    return {
        "kind": failure.kind,
        "message": failure.message,
        "exit_code": failure.exit_code,
        "http_status": failure.http_status,
    }


def failure_namespace(failure: Failure) -> Mapping[str, Any]:
    """`error` as expressions read it: `exit_code` and `http_status` are undefined where there is none."""
    return {name: value for name, value in failure_json(failure).items() if value is not None}


def typed_params(plan: Plan, run: Run) -> Mapping[str, Any]:
    """`params` with dates and instants as such; everything else as it is stored."""
    return {
        name: _typed(plan.params[name].type, value) if name in plan.params else value
        for name, value in run.params.items()
    }


def _typed(kind: str, value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if kind == "date":
        return date.fromisoformat(value)
    return datetime.fromisoformat(value) if kind == "datetime" else value


def failed_tasks(plan: Plan, run: Run) -> list[Json]:
    """`run.failed`: the flow's own tasks that have failed and were neither allowed to nor made good, in file order."""
    answers: Answers = {}
    return [name for name in plan.main if is_counted_failure(plan, run, name, answers)]


def run_namespace(plan: Plan, run: Run) -> Mapping[str, Any]:
    """`run`; what only hooks may read is there for all, the checker keeps it to hooks."""
    return LazyMapping(
        {
            "id": lambda: run.id,
            "name": lambda: run.flow,
            "dir": lambda: run.directory,
            "started_at": lambda: _required(run.started_at),
            "scheduled_at": lambda: _required(run.scheduled_at or run.submitted_at),
            "trigger": lambda: run.trigger.get("kind", "manual"),
            "status": lambda: str(outcome_of(plan, run).state),
            "failed": lambda: failed_tasks(plan, run),
            "warnings": lambda: outcome_of(plan, run).warnings,
        }
    )


def flow_scope(plan: Plan, run: Run, *, hook: str | None = None) -> dict[str, Any]:
    """The names that every expression of a run sees."""
    scope: dict[str, Any] = {
        "params": typed_params(plan, run),
        "run": run_namespace(plan, run),
        "trigger": run.trigger,
        "tasks": TasksNamespace(plan, run, hook),
    }
    scope["env"] = flow_environment(plan, run, scope)
    return scope


def task_scope(plan: Plan, run: Run, name: str, item: int | None = None) -> dict[str, Any]:
    """The names that an expression of task `name`, or of one of its items, sees; without secrets."""
    task = run.tasks[name]
    prefix, _, short = name.rpartition(".")
    scope = flow_scope(plan, run, hook=prefix if prefix.startswith("hooks.") else None)
    unit: Unit = task.unit(item)
    scope["task"] = {"id": short, "attempt": unit.attempt, "round": task.round}
    if item is not None and isinstance(unit, ItemRun):
        scope.update(item_scope(unit.value, item, unit.key))
    if prefix == "undo":
        scope["task"]["output"] = _undone_output(run.tasks[short], unit)
    return scope


def _undone_output(undone: TaskRun, unit: Unit) -> Json:
    """What the task, or the item, that is being undone had as its output."""
    if isinstance(unit, ItemRun):
        return next((item.output for item in undone.items or () if item.key == unit.key), None)
    return undone.output


def item_scope(value: Json, index: int, key: str) -> dict[str, Any]:
    """`item`, `item_index` and `item_key`."""
    return {"item": value, "item_index": index, "item_key": key}
