"""Retries with their presets filled in, and the defaults of time (`LANGUAGE.md` 4 and 8): the one place they are written."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import Struct

from engine.plan import PRIORITIES, RateLimit, RetryPolicy
from specs.model.parts import RateLimitSpec, RetrySpec
from specs.model.task import TaskSpec

DEFAULT_TIMEOUT = timedelta(hours=1)
DEFAULT_GRACE = timedelta(seconds=10)
DEFAULT_EVERY = timedelta(seconds=10)
DEFAULT_CLEANUP = timedelta(minutes=10)
DEFAULT_OUTPUT_BYTES = 1 << 20
TIMED_ACTIONS = ("run", "exec", "call", "use")
"""The actions whose attempts end after `DEFAULT_TIMEOUT` unless told otherwise."""

RATE_LIMIT_DELAYS = tuple(timedelta(seconds=s) for s in (60, 120, 300, 600, 1800))
RATE_LIMIT_PATTERNS = ("429 Too Many Requests", "rate limit", "quota exceeded", "throttled")

_ALONE: dict[str, Any] = {
    "attempts": 1,
    "delay": timedelta(seconds=1),
    "backoff": 2.0,
    "max_delay": timedelta(minutes=5),
    "jitter": "full",
}
_PRESETS: dict[str, dict[str, Any]] = {
    "webhook": {
        "attempts": 6,
        "delays": tuple(timedelta(seconds=s) for s in (0, 30, 300, 900, 3600)),
        "jitter": "none",
    },
    "exponential": {
        "attempts": 4,
        "delay": timedelta(seconds=30),
        "backoff": 2.0,
        "max_delay": timedelta(hours=1),
        "jitter": 0.2,
    },
    "fixed": {
        "attempts": 4,
        "delay": timedelta(seconds=30),
        "backoff": 1.0,
        "max_delay": timedelta(seconds=30),
        "jitter": "none",
    },
}


_LADDER = RateLimit(6, RATE_LIMIT_DELAYS, ())
_UNTOLD = RetryPolicy(rate_limit=_LADDER)
"""What holds for a task that says nothing of `retry`, which are most: one for all of them."""


class Timing(Struct, frozen=True):
    """The times of a task with defaults filled in."""

    timeout: timedelta | None
    grace: timedelta


def timing(task: TaskSpec, *, action: str) -> Timing:
    """`timeout` and `grace` as they hold: the default timeout is cut to the deadline, a written one is not."""
    if isinstance(task.timeout, timedelta):
        timeout: timedelta | None = task.timeout
    elif task.timeout == "none" or task.service or action not in TIMED_ACTIONS:
        timeout = None
    else:
        timeout = min(DEFAULT_TIMEOUT, task.deadline) if task.deadline else DEFAULT_TIMEOUT
    return Timing(timeout, task.grace if task.grace is not None else DEFAULT_GRACE)


def retry_policy(spec: RetrySpec | None, *, action: str) -> RetryPolicy:
    """A retry as it holds: what is written, else what its preset says, else the language's defaults."""
    if spec is None:
        return _UNTOLD
    values: dict[str, Any] = {**_ALONE, **(_PRESETS[spec.preset] if spec.preset else {})}
    for key in ("attempts", "delay", "backoff", "max_delay", "budget", "retry_after"):
        written = getattr(spec, key)
        if written is not None:
            values[key] = written
    if spec.delays is not None:
        values["delays"] = tuple(spec.delays)
    elif spec.delay is not None or spec.backoff is not None:
        values.pop("delays", None)
    if spec.delay is not None and spec.max_delay is None:
        values["max_delay"] = max(values["max_delay"], spec.delay)
    if spec.jitter is not None:
        values["jitter"] = _jitter(spec.jitter)
    for key in ("errors", "never"):
        if getattr(spec, key) is not None:
            values[key] = tuple(getattr(spec, key))
    values["backoff"] = float(values["backoff"])
    return RetryPolicy(**values, rate_limit=_rate_limit(spec.rate_limit, action=action))


def _jitter(text: str) -> str | float:
    return float(text[:-1]) / 100 if text.endswith("%") else text


def _rate_limit(spec: RateLimitSpec | None, *, action: str) -> RateLimit | None:
    """The ladder is there for whoever says that it was refused for its rate: a server by 429, a script by `FLOW_CONTROL`.
    What a process prints is looked at only where `rate_limit` is written."""
    if spec is None:
        return _LADDER
    delays = tuple(spec.delays) if spec.delays is not None else RATE_LIMIT_DELAYS
    match = tuple(spec.match) if spec.match is not None else RATE_LIMIT_PATTERNS
    return RateLimit(spec.attempts, delays, match if action in ("run", "exec", "call") else ())


def priority_class(name: str | None, default: str) -> int:
    """The number of a class; lower is more urgent."""
    return PRIORITIES[name or default]
