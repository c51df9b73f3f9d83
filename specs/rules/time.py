"""Time limits and retries that contradict each other or do nothing (FLOW520 to 525, 528 to 530)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import cache
from typing import Any, NamedTuple

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.error_names import covers, error_problem, nearest_error
from specs.model import TaskSpec
from specs.model.parts import RetrySpec
from specs.quantities import LONGEST, format_duration
from specs.rules.edits import MOST_HINTS
from specs.rules.fan_out import is_tolerance
from specs.rules.limits import wanted_slots

DEFAULT_DELAY = timedelta(seconds=1)
DEFAULT_MAX_DELAY = timedelta(minutes=5)
DEFAULT_BACKOFF = 2.0
DEFAULT_EVERY = timedelta(seconds=10)
DEFAULT_JITTER = "full"

MOST_COMPARED = 100_000
"""Pairs of an error and a `never` that are compared for one retry; no flow that people write comes near."""

_PRESETS: dict[str, dict[str, object]] = {
    "webhook": {"attempts": 6, "delays": ["0s", "30s", "5m", "15m", "1h"]},
    "exponential": {"attempts": 4, "delay": "30s", "backoff": 2, "max_delay": "1h", "jitter": "20%"},
    "fixed": {"attempts": 4, "delay": "30s", "backoff": 1, "jitter": "none"},
}
_ONLY_BETWEEN_ATTEMPTS = ("delays", "delay", "backoff", "max_delay", "jitter", "budget", "retry_after")
_OF_A_SINGLE_ATTEMPT = ("errors", "never", "rate_limit")  # these hold for lost and for refused attempts too


class _Task(NamedTuple):
    """A task and its path."""

    id: str
    path: Path
    spec: TaskSpec


def _tasks(context: FlowContext, *keys: str) -> Iterator[_Task]:
    """The tasks that have one of `keys`."""
    for graph in context.graphs:
        for task, spec in graph.having(*keys):
            yield _Task(task, (*graph.prefix, task), spec)


@cache
def _preset(name: str) -> RetrySpec:
    return RetrySpec.model_validate(_PRESETS[name])


def retries(context: FlowContext) -> Iterator[Diagnostic]:
    """Every retry of a task or its `undo` says something, and nothing that contradicts itself."""
    for task in _tasks(context, "retry", "undo"):
        undo = task.spec.undo
        written = (
            ((*task.path, "retry"), task.spec.retry),
            ((*task.path, "undo", "retry"), undo.retry if undo else None),
        )
        for path, retry in written:
            if retry is not None:
                for check in _RETRY_CHECKS:
                    yield from check(context, path, retry)


def timeout_past_deadline(context: FlowContext) -> Iterator[Diagnostic]:
    """One attempt is not given more time than all of them together."""
    for task in _tasks(context, "deadline"):
        timeout, deadline = task.spec.timeout, task.spec.deadline
        if isinstance(timeout, timedelta) and deadline is not None and timeout > deadline:
            yield context.finding(
                "FLOW520",
                (*task.path, "timeout"),
                f"`timeout` {format_duration(timeout)} is longer than `deadline` {format_duration(deadline)}",
                help="`timeout` is of one attempt, `deadline` of all attempts and waits; lower one or raise the other",
            )


# --- attempts and delays ----------------------------------------------------------------------------------------------


def attempts_past_deadline(context: FlowContext) -> Iterator[Diagnostic]:
    """The attempts that a retry allows fit into the task's `deadline`."""
    for task in _tasks(context, "deadline"):
        retry, deadline = task.spec.retry, task.spec.deadline
        if retry is None or deadline is None or retry.budget is not None:
            continue
        attempts = _of(retry, "attempts", 1)
        timeout = task.spec.timeout if isinstance(task.spec.timeout, timedelta) else timedelta()
        if attempts > 1 and timeout <= deadline:
            longest = _longest(retry, attempts, timeout)
            if longest > deadline:
                at_least = "more than " if longest >= LONGEST else ""
                yield context.finding(
                    "FLOW521",
                    (*task.path, "retry"),
                    f"{attempts} attempts with these delays take up to {at_least}{format_duration(longest)},"
                    f" `deadline` is {format_duration(deadline)}",
                    key=True,
                    help="a wait that would pass the deadline fails the task at once; allow fewer attempts or more time",
                )


def _longest(retry: RetrySpec, attempts: int, timeout: timedelta) -> timedelta:
    """How long the attempts, each as long as its written `timeout`, and the delays between them take at most."""
    total_s = attempts * timeout.total_seconds()
    spread = _spread(retry)
    for number in range(1, attempts):
        total_s += _delay_s(retry, number) * spread
        if total_s >= LONGEST.total_seconds():
            return LONGEST
    return timedelta(seconds=total_s)


def _delay_s(retry: RetrySpec, number: int) -> float:
    """Seconds before attempt `number + 1`, jitter apart."""
    delays = _delays(retry)
    if delays:
        return delays[min(number, len(delays)) - 1].total_seconds()
    delay: timedelta = _of(retry, "delay", DEFAULT_DELAY)
    most: timedelta = _of(retry, "max_delay", DEFAULT_MAX_DELAY)
    backoff = float(_of(retry, "backoff", DEFAULT_BACKOFF))
    try:
        return min(most.total_seconds(), delay.total_seconds() * backoff ** (number - 1))
    except OverflowError:
        return most.total_seconds()


def _delays(retry: RetrySpec) -> list[timedelta] | None:
    """Explicit delays: the written ones, or the preset's where no `delay` is written instead."""
    if retry.delays is not None or retry.delay is not None or retry.preset is None:
        return retry.delays
    return _preset(retry.preset).delays


def _of(retry: RetrySpec, field: str, default: Any) -> Any:
    """A field as written, else as the preset has it, else `default`."""
    value = getattr(retry, field)
    if value is None and retry.preset is not None:
        value = getattr(_preset(retry.preset), field)
    return default if value is None else value


def _spread(retry: RetrySpec) -> float:
    """By how much jitter may lengthen a delay."""
    jitter = str(_of(retry, "jitter", DEFAULT_JITTER))
    percent = jitter.removesuffix("%")
    return 1 + min(float(percent), 100.0) / 100 if jitter.endswith("%") and percent.isdecimal() else 1.0


def _max_delay_below_delay(context: FlowContext, path: Path, retry: RetrySpec) -> Iterator[Diagnostic]:
    """The longest delay is not shorter than the first."""
    if retry.delay is None or retry.delays is not None:
        return
    most: timedelta = _of(retry, "max_delay", DEFAULT_MAX_DELAY)
    if most < retry.delay:
        written = retry.max_delay is not None
        yield context.finding(
            "FLOW522",
            (*path, "max_delay" if written else "delay"),
            f"`max_delay` {format_duration(most)}{'' if written else ', the default,'} is below `delay`"
            f" {format_duration(retry.delay)}",
            help="no wait is longer than `max_delay`; raise it or lower `delay`",
        )


def _retry_does_nothing(context: FlowContext, path: Path, retry: RetrySpec) -> Iterator[Diagnostic]:
    """A retry that says how to wait between attempts allows more than one."""
    attempts = retry.attempts if retry.attempts is not None or retry.preset is None else 2
    if attempts not in (None, 1) or any(getattr(retry, key) is not None for key in _OF_A_SINGLE_ATTEMPT):
        return
    written = [key for key in _ONLY_BETWEEN_ATTEMPTS if getattr(retry, key) is not None]
    if any(not context.places.inherited((*path, key)) for key in written):
        yield context.finding(
            "FLOW523",
            path,
            "`retry` with one attempt does nothing",
            key=True,
            help="`attempts` counts the first one too: write `attempts: 2` or more",
        )


# --- errors -----------------------------------------------------------------------------------------------------------


def _unknown_errors(context: FlowContext, path: Path, retry: RetrySpec) -> Iterator[Diagnostic]:
    """Every error in `errors` and `never` is one that can occur there; some are never retried."""
    yield from _unknown_names(context, (*path, "errors"), retry.errors or (), retried=True)
    yield from _unknown_names(context, (*path, "never"), retry.never or (), retried=False)


def errors_of_requests(context: FlowContext) -> Iterator[Diagnostic]:
    """Every error for which a task asks for a new round is one that can occur."""
    for task in _tasks(context, "retry_upstream"):
        if task.spec.retry_upstream is not None:
            path = (*task.path, "retry_upstream", "errors")
            yield from _unknown_names(context, path, task.spec.retry_upstream.errors, retried=False)


def _unknown_names(context: FlowContext, path: Path, names: Sequence[str], *, retried: bool) -> Iterator[Diagnostic]:
    hints = MOST_HINTS
    for index, name in enumerate(names):
        problem = error_problem(name, retried=retried)
        if problem is not None:
            near = nearest_error(name) if hints > 0 else None
            hints -= 1
            help_ = problem.help or (f"did you mean `{near}`?" if near else "see `flowctl explain retry.errors`")
            yield context.finding("FLOW524", (*path, index), problem.message, help=help_)


def _never_covers_errors(context: FlowContext, path: Path, retry: RetrySpec) -> Iterator[Diagnostic]:
    """What `never` leaves of `errors` is something."""
    errors = set(retry.errors if retry.errors is not None else ["any"])
    never = set(retry.never or ())
    if len(errors) * len(never) > MOST_COMPARED:
        return
    if never and errors and all(any(covers(one, error) for one in never) for error in errors):
        yield context.finding(
            "FLOW525",
            (*path, "never"),
            "`never` covers all of `errors`, so nothing is retried",
            key=True,
            help="name fewer errors in `never`, or remove `retry`",
        )


# --- other limits -----------------------------------------------------------------------------------------------------


def repeat_past_deadline(context: FlowContext) -> Iterator[Diagnostic]:
    """The rounds of `repeat` fit into the task's `deadline`."""
    for task in _tasks(context, "repeat"):
        repeat, deadline = task.spec.repeat, task.spec.deadline
        if repeat is None or deadline is None:
            continue
        every = DEFAULT_EVERY if repeat.every is None else repeat.every
        longest_s = every.total_seconds() * (repeat.max - 1)
        if longest_s > deadline.total_seconds():
            longest = timedelta(seconds=min(longest_s, LONGEST.total_seconds()))
            yield context.finding(
                "FLOW528",
                (*task.path, "repeat"),
                f"`repeat` may take {format_duration(longest)}, `deadline` is {format_duration(deadline)}",
                key=True,
                help="lower `max` or `every`, or raise `deadline`",
            )


def holds_no_pool(context: FlowContext) -> Iterator[Diagnostic]:
    """`retry_after: pool` is written where there is a pool to hold."""
    for task in _tasks(context, "retry"):
        path = (*task.path, "retry", "retry_after")
        holds = task.spec.retry is not None and task.spec.retry.retry_after == "pool"
        if holds and not wanted_slots(context.flow, task.spec) and not context.places.inherited(path):
            yield context.finding(
                "FLOW529",
                path,
                f"`retry_after: pool`, and `{task.id}` has no pool",
                help="add `pool`, or write `retry_after: obey`",
            )


def silent_losses(context: FlowContext) -> Iterator[Diagnostic]:
    """Items that may all fail leave dead letters at least."""
    for task in _tasks(context, "fan_out"):
        fan_out = task.spec.fan_out
        if fan_out is not None and task.spec.dead_letter is False and _is_everything(fan_out.tolerate):
            yield context.finding(
                "FLOW530",
                (*task.path, "fan_out", "tolerate"),
                '`tolerate: "100%"` and `dead_letter: false`: losses are silent',
                help="keep dead letters, or tolerate less",
            )


def _is_everything(tolerate: int | str) -> bool:
    return isinstance(tolerate, str) and is_tolerance(tolerate) and float(tolerate.removesuffix("%")) == 100


_RETRY_CHECKS = (_max_delay_below_delay, _retry_does_nothing, _unknown_errors, _never_covers_errors)

RULES: tuple[Rule, ...] = (
    retries,
    timeout_past_deadline,
    attempts_past_deadline,
    errors_of_requests,
    repeat_past_deadline,
    holds_no_pool,
    silent_losses,
)
