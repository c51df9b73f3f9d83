"""Whether a failed attempt is followed by another, and when: the arithmetic of `LANGUAGE.md` 8. Pure.

Full jitter is the first of the schemes of Marc Brooker's "Exponential Backoff And Jitter" (AWS, 2015).
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TypeAlias

from msgspec import Struct

from engine.outcomes import Failure
from engine.plan import RateLimit, RetryPolicy

NEVER_RETRIED = frozenset(
    {
        "expression",
        "rejected",
        "no_match",
        "fail",
        "too_many_items",
        "no_items",
        "deadline",
        "queue_timeout",
        "dependency_timeout",
        "repeat",
        "interrupted",
    }
)
"""Kinds of failure that another attempt cannot help."""

LOST_IN_A_ROW = 3
"""How often a lost attempt is requeued without using up an attempt, before it fails with `interrupted`."""

LONGEST_WISH_S = 365 * 86_400.0
"""What a server may ask to wait at most."""

Random: TypeAlias = Callable[[], float]
"""Draws a number from [0, 1)."""


class Again(Struct, frozen=True):
    """Another attempt at `due`; `why` is `failed`, `refused` or `lost`."""

    due: datetime
    why: str


class Spent(Struct, frozen=True):
    """No further attempt. `failure` is what the task fails with; it differs from the attempt's when a limit decided."""

    failure: Failure


def matches(patterns: Iterable[str], failure: Failure) -> bool:
    """Whether any entry of an `errors` or `never` list covers `failure`."""
    return any(_matches(pattern, failure) for pattern in patterns)


def names_precisely(patterns: Iterable[str], failure: Failure) -> bool:
    """Whether an entry other than `any` covers `failure`."""
    return any(pattern != "any" and _matches(pattern, failure) for pattern in patterns)


def _matches(pattern: str, failure: Failure) -> bool:
    if pattern == "any":
        return failure.kind not in NEVER_RETRIED
    kind, colon, rest = pattern.partition(":")
    if pattern.startswith("output~"):
        return pattern.removeprefix("output~") in failure.matched
    if not colon:
        return failure.kind == pattern
    if kind == "exit":
        low, _, high = rest.partition("-")
        return failure.exit_code is not None and int(low) <= failure.exit_code <= int(high or low)
    if kind == "signal":
        return failure.signal is not None and failure.signal == signal_name(rest)
    if kind == "http":
        return failure.http_status is not None and _matches_status(rest, failure.http_status)
    return kind == "error" and failure.name == rest


def rate_pattern(written: str) -> str:
    """The pattern that is looked for in an attempt's output for an entry of `rate_limit.match`: whole words, any case."""
    return rf"(?i:(?<!\w)(?:{written})(?!\w))"


def is_refusal(limit: RateLimit, failure: Failure) -> bool:
    """Whether an attempt was refused for its rate: it says so, or its output does."""
    return failure.rate_limited or any(rate_pattern(written) in failure.matched for written in limit.match)


def signal_name(text: str) -> str:
    """The name of a signal without `SIG`, from its name or its number."""
    if text.isdigit():
        try:
            return signal.Signals(int(text)).name.removeprefix("SIG")
        except ValueError:
            return text
    return text.upper().removeprefix("SIG")


def _matches_status(pattern: str, status: int) -> bool:
    written = str(status)
    return len(pattern) == len(written) and all(a in ("x", b) for a, b in zip(pattern, written, strict=True))


def backoff(policy: RetryPolicy, failed: int, random: Random) -> timedelta:
    """The wait after attempt `failed` (from 1) and before the next, jitter included."""
    if policy.delays:
        base = policy.delays[min(failed, len(policy.delays)) - 1]
    else:
        seconds = policy.delay.total_seconds()
        longest = policy.max_delay.total_seconds()
        for _ in range(failed - 1):  # not a power: attempts go to 1,000 and floats do not
            if seconds >= longest:
                break
            seconds *= policy.backoff
        base = timedelta(seconds=min(longest, seconds))
    return _jittered(base, policy.jitter, random)


def _jittered(base: timedelta, jitter: str | float, random: Random) -> timedelta:
    if jitter == "none" or not base:
        return base
    if jitter == "full":
        return base * random()
    if jitter == "equal":
        return base / 2 + (base / 2) * random()
    share = float(jitter)
    return base * (1 - share + 2 * share * random())


def after_failure(
    policy: RetryPolicy,
    failure: Failure,
    *,
    used: int,
    refused: int,
    lost: int,
    first_started_at: datetime,
    deadline_at: datetime | None,
    now: datetime,
    random: Random,
) -> Again | Spent:
    """What follows a failed attempt.

    Args:
        used: attempts used up before this one; this one is number `used + 1` of `policy.attempts`.
        refused: attempts in a row before this one that were refused for their rate.
        lost: attempts in a row before this one that were lost.
        first_started_at: start of the first attempt of the round, from which `budget` counts.
        deadline_at: when the task must be final, `None` without a deadline.
    """
    admitted = matches(policy.errors, failure) and not matches(policy.never, failure)
    if failure.kind in NEVER_RETRIED:
        return Spent(failure)
    if failure.kind == "lost" and admitted:
        return _after_loss(failure, lost=lost, now=now)
    if policy.rate_limit is not None and is_refusal(policy.rate_limit, failure) and not matches(policy.never, failure):
        if refused + 1 >= policy.rate_limit.attempts:
            return Spent(failure)
        delays = policy.rate_limit.delays
        wait, why = delays[min(refused, len(delays) - 1)], "refused"
    elif admitted and used + 1 < policy.attempts:
        wait, why = backoff(policy, used + 1, random), "failed"
    else:
        return Spent(failure)
    if failure.retry_after_s is not None and policy.retry_after != "ignore":
        wait = max(wait, timedelta(seconds=max(0.0, min(failure.retry_after_s, LONGEST_WISH_S))))  # not a number: 0
    due = now + wait
    if deadline_at is not None and due >= deadline_at:
        return Spent(Failure("deadline", f"the next attempt would pass the deadline; the last one: {failure.message}"))
    if policy.budget is not None and due > first_started_at + policy.budget:
        return Spent(failure)
    return Again(due, why)


def _after_loss(failure: Failure, *, lost: int, now: datetime) -> Again | Spent:
    if lost < LOST_IN_A_ROW:
        return Again(now, "lost")
    return Spent(Failure("interrupted", f"lost {lost + 1} times in a row; the last time: {failure.message}"))
