"""Runs that take longer than there is time for, and requests that are made twice (FLOW504, 526, 527)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

from specs.context import FlowContext, Path, Rule
from specs.cron import Cron, CronError, parse_cron
from specs.diagnostics import Diagnostic
from specs.graph import FlowGraph
from specs.literals import has_expression
from specs.model.parts import RetrySpec
from specs.model.task import TaskSpec
from specs.model.triggers import TriggerSpec
from specs.quantities import format_duration, parse_duration
from specs.suggest import listed

_DAY_MINUTES = 24 * 60
_NOT_IDEMPOTENT = frozenset({"POST", "PATCH"})
_KEY_HEADERS = frozenset({"idempotency-key", "x-idempotency-key", "x-request-id", "webhook-id"})


def faster_than_runs_end(context: FlowContext) -> Iterator[Diagnostic]:
    """A schedule leaves its runs the time that they may take."""
    concurrency = context.flow.concurrency
    if not context.flow.triggers or concurrency.when_busy != "queue" or concurrency.key is not None:
        return
    longest = context.flow.timeout or _longest_path(context.graphs[0], _surely)[0]
    for name, trigger in context.flow.triggers.items():
        interval = _interval(trigger)
        if interval is None or longest <= interval * concurrency.runs or not interval:
            continue
        may_run = f"{concurrency.runs} may run" if concurrency.runs > 1 else "1 may run"
        kind, on_average = ("every", "") if trigger.every is not None else ("cron", " on average")
        yield context.finding(
            "FLOW504",
            ("triggers", name, kind),
            f"fires every {format_duration(interval)}{on_average}, a run may take {format_duration(longest)}"
            f" and only {may_run}",
            help="runs pile up: fire less often, allow more `concurrency.runs`, or write `when_busy: skip`",
        )


def _interval(trigger: TriggerSpec) -> timedelta | None:
    """The time between two ticks, on average and to the minute; `None` where it is not known."""
    if trigger.every is not None:
        return trigger.every
    try:
        cron = parse_cron(trigger.cron) if trigger.cron is not None else None
    except CronError:
        return None  # reported where it stands
    return timedelta(minutes=round(_mean_gap(cron))) if cron is not None else None


def _mean_gap(cron: Cron) -> float:
    """Minutes between two ticks over a long time: what runs pile up by is not the shortest gap."""
    of_month, of_week = len(cron.days) / 31, len(cron.weekdays) / 7
    both_written = of_month < 1 and of_week < 1
    share = of_month + of_week - of_month * of_week if both_written else of_month * of_week
    return _DAY_MINUTES / (len(cron.hours) * len(cron.minutes) * share * len(cron.months) / 12)


def longest_path(context: FlowContext) -> Iterator[Diagnostic]:
    """The run's `timeout` is enough for one attempt of each task on the longest path."""
    limit = context.flow.timeout
    if limit is None:
        return
    longest, tasks = _longest_path(context.graphs[0], _at_most)
    if longest > limit:
        yield context.finding(
            "FLOW527",
            ("timeout",),
            f"the longest path may take {format_duration(longest)}, the run's `timeout` is {format_duration(limit)}",
            help=f"one attempt of each up to its own `timeout`: {listed(tasks)}",
        )


def _longest_path(graph: FlowGraph, time_of: Callable[[TaskSpec], timedelta]) -> tuple[timedelta, list[str]]:
    """How long the longest path takes, and the tasks on it that take time."""
    ends: dict[str, timedelta] = {}
    through: dict[str, str | None] = {}
    for task in graph.topological():
        starts, before = timedelta(), None
        for link in graph.incoming[task]:
            if link.kind != "after_start" and link.upstream in ends and ends[link.upstream] > starts:
                starts, before = ends[link.upstream], link.upstream
        ends[task], through[task] = starts + time_of(graph.tasks[task]), before
    if not ends:
        return timedelta(), []
    last: str | None = max(ends, key=ends.__getitem__)
    longest, tasks = ends[str(last)], []
    while last is not None:
        if time_of(graph.tasks[last]):
            tasks.append(last)
        last = through[last]
    return longest, tasks[::-1]


def _surely(spec: TaskSpec) -> timedelta:
    """The time a task takes whatever happens: that of a written wait."""
    wait = spec.wait.duration if spec.wait is not None else None
    is_certain = isinstance(wait, str) and not has_expression(wait) and spec.condition is None
    return (parse_duration(str(wait)) if is_certain else None) or timedelta()


def _at_most(spec: TaskSpec) -> timedelta:
    """The time one attempt may take, where it is written; a service ends when it is told to."""
    if spec.service:
        return timedelta()
    timeout = spec.timeout
    if spec.approval is not None or spec.wait is not None:
        part = spec.approval or spec.wait
        timeout = part.timeout if part is not None else None
    return timeout if isinstance(timeout, timedelta) else _surely(spec)


def repeated_posts(context: FlowContext) -> Iterator[Diagnostic]:
    """A request that is not safe to repeat carries a key by which the server knows it again."""
    for graph in context.graphs:
        for task, spec in graph.having("use"):
            method = spec.with_.get("method")
            is_unsafe = isinstance(method, str) and method.upper() in _NOT_IDEMPOTENT
            if spec.use == "http.request" and is_unsafe and _is_retried(spec.retry) and not _has_key(spec):
                path: Path = (*graph.prefix, task, "retry")
                yield context.finding(
                    "FLOW526",
                    path,
                    f"retries a {str(method).upper()} with no idempotency key",
                    key=True,
                    help='add a header: `Idempotency-Key: "${{ run.id }}-${{ task.id }}"`',
                )


def _is_retried(retry: RetrySpec | None) -> bool:
    return retry is not None and (retry.preset is not None if retry.attempts is None else retry.attempts > 1)


def _has_key(spec: TaskSpec) -> bool:
    headers = spec.with_.get("headers")
    if headers is not None and not isinstance(headers, dict):
        return True  # made by an expression
    return any(str(name).lower() in _KEY_HEADERS for name in headers or {})


RULES: tuple[Rule, ...] = (faster_than_runs_end, longest_path, repeated_posts)
