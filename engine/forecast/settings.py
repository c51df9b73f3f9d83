"""The rules a task runs under, each with where it comes from (`LANGUAGE.md` 4, 7 and 8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache
from typing import Literal

from engine.compiling.policies import DEFAULT_GRACE, DEFAULT_TIMEOUT
from engine.drawing.captions import TIMES
from engine.drawing.labels import clean
from engine.forecast.model import Setting
from engine.plan import ATTEMPT_ACTIONS, PRIORITIES, FanOut, FlowAction, Plan, PlanTask, RetryPolicy, RunAction
from specs.quantities import format_duration

CLASSES = {number: name for name, number in PRIORITIES.items()}
DEFAULT_MAX_ITEMS = 1000
_SIMPLE = RetryPolicy()


def settings(plan: Plan, task: PlanTask) -> Iterator[Setting]:
    """What holds for the task, what it was not told included."""
    if isinstance(task.action, ATTEMPT_ACTIONS):
        usual = None if task.service else DEFAULT_TIMEOUT
        yield _setting("timeout", _time(task.timeout), default=task.timeout == usual)
        yield _setting("grace", _time(task.grace), default=task.grace == DEFAULT_GRACE)
    if isinstance(task.action, (*ATTEMPT_ACTIONS, FlowAction)):
        yield _setting("retry", retry_text(task.retry), default=task.retry.attempts == 1)
    if isinstance(task.action, RunAction):
        shell = task.action.shell if isinstance(task.action.shell, str) else " ".join(task.action.shell)
        yield _setting("shell", clean(shell, 60), default=shell == "sh")
    if task.edges:
        yield _setting("join", str(task.join), default=task.join == "all")
    yield _priority(plan, task)
    yield from _written(task)
    if task.fan_out is not None:
        yield from _fan_out(task.fan_out)


def _priority(plan: Plan, task: PlanTask) -> Setting:
    name = CLASSES.get(task.priority, str(task.priority))
    if task.priority < plan.priority:
        return Setting("priority", name, "descendants" if _raised(plan, task) else "flow")
    return _setting("priority", name, default=task.priority == plan.priority == 2)


def _raised(plan: Plan, task: PlanTask) -> bool:
    """Whether something that waits for the task is as urgent, which is how a class is handed up."""
    return any(plan.tasks[id_].priority == task.priority for id_ in plan.downstream.get(task.id, ()))


def _written(task: PlanTask) -> Iterator[Setting]:
    """Rules that hold only where they are written."""
    for name, value in (("deadline", task.deadline), ("queue_timeout", task.queue_timeout)):
        if value is not None:
            yield Setting(name, format_duration(value), "flow")
    if task.retry_upstream is not None:
        asked = ", ".join(task.retry_upstream.tasks)
        yield Setting("retry_upstream", f"{asked}, at most {task.retry_upstream.rounds} rounds", "flow")
    if task.repeat is not None:
        every = format_duration(task.repeat.every)
        text = f"until {clean(task.repeat.until.text, 60)}, every {every}, at most {task.repeat.max}{TIMES}"
        yield Setting("repeat", text, "flow")
    for name, holds in (
        ("allow_failure", task.allow_failure),
        ("recovers", task.recovers),
        ("service", task.service),
        ("undo", task.undo is not None),
    ):
        if holds:
            yield Setting(name, "yes", "flow")
    if task.before_complete:
        yield Setting("before_complete", ", ".join(task.before_complete), "flow")


def _fan_out(fan_out: FanOut) -> Iterator[Setting]:
    yield _setting("max_items", str(fan_out.max_items), default=fan_out.max_items == DEFAULT_MAX_ITEMS)
    parallel = "no own cap" if fan_out.max_parallel is None else str(fan_out.max_parallel)
    yield _setting("max_parallel", parallel, default=fan_out.max_parallel is None)
    share = fan_out.tolerate_percent
    tolerated = f"{share:g}%" if share is not None else str(fan_out.tolerate)
    yield _setting("tolerate", tolerated, default=share is None and fan_out.tolerate == 0)
    yield _setting("on_empty", fan_out.on_empty, default=fan_out.on_empty == "succeed")
    if fan_out.fail_fast:
        yield Setting("fail_fast", "yes", "flow")


def retry_text(retry: RetryPolicy) -> str:
    """A retry in words: `attempts 3 (2 retries), delay 1s doubling up to 5m, jitter full`."""
    retries = retry.attempts - 1
    text = f"attempts {retry.attempts} ({retries} {'retry' if retries == 1 else 'retries'})"
    if retries == 0:
        return text
    if retry.delays:
        text += f", delays {', '.join(format_duration(delay) for delay in retry.delays[:8])}"
        text += ", …" if len(retry.delays) > 8 else ""
    else:
        growth = "" if retry.backoff == 1 else f" {TIMES}{retry.backoff:g} up to {format_duration(retry.max_delay)}"
        text += f", delay {format_duration(retry.delay)}{growth}"
    jitter = retry.jitter if isinstance(retry.jitter, str) else f"{retry.jitter:.0%}"
    text += f", jitter {jitter}"
    text += f", on {', '.join(retry.errors)}" if retry.errors != _SIMPLE.errors else ""
    text += f", never on {', '.join(retry.never)}" if retry.never else ""
    return text + (f", within {format_duration(retry.budget)}" if retry.budget is not None else "")


@lru_cache(maxsize=1024)
def _time(value: timedelta | None) -> str:
    return "none" if value is None else format_duration(value)


@lru_cache(maxsize=4096)
def _setting(name: str, value: str, *, default: bool) -> Setting:
    source: Literal["default", "flow"] = "default" if default else "flow"
    return Setting(name, value, source)
