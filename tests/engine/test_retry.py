"""The arithmetic of retries over its whole range (`LANGUAGE.md` 8)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compiling.policies import RATE_LIMIT_DELAYS, retry_policy
from engine.outcomes import Failure
from engine.plan import RateLimit, RetryPolicy
from engine.retry import LOST_IN_A_ROW, NEVER_RETRIED, Again, Spent, after_failure, backoff, matches, names_precisely
from specs.model.parts import RetrySpec

NOW = datetime(2026, 1, 2, tzinfo=UTC)
LATEST = timedelta(days=3650)
durations = st.timedeltas(timedelta(0), LATEST)
draws = st.floats(0, 1, exclude_max=True)
kinds = st.sampled_from(("exit", "signal", "timeout", "lost", "unhealthy", "connect", "http", "error", "output"))
FAILED = Failure("exit", "exited with 1", exit_code=1)


def follow(policy: RetryPolicy, failure: Failure = FAILED, **facts: Any) -> Again | Spent:
    given_facts: dict[str, Any] = {
        "used": 0,
        "refused": 0,
        "lost": 0,
        "first_started_at": NOW,
        "deadline_at": None,
        "now": NOW,
        "random": lambda: 0.5,
        **facts,
    }
    return after_failure(policy, failure, **given_facts)


def policy(**fields: Any) -> RetryPolicy:
    return retry_policy(RetrySpec.model_validate(fields), action="run")


def waits(made: RetryPolicy, *, draw: float = 0.5) -> list[float]:
    """Seconds before each further attempt."""
    found = [follow(made, used=used, random=lambda: draw) for used in range(made.attempts - 1)]
    assert isinstance(follow(made, used=made.attempts - 1), Spent)
    return [(one.due - NOW).total_seconds() for one in found if isinstance(one, Again)]


# --- attempts -----------------------------------------------------------------------------------------------------------


@given(used=st.integers(0, 2000), most=st.integers(1, 1000))
def test_attempts_count_the_first_and_never_exceed_the_policy(used: int, most: int) -> None:
    assert isinstance(follow(RetryPolicy(attempts=most), used=used), Again) == (used + 1 < most)


@given(kind=st.sampled_from(sorted(NEVER_RETRIED)), errors=st.sampled_from((("any",), ("any", "deadline"))))
def test_what_another_attempt_cannot_help_is_never_retried(kind: str, errors: tuple[str, ...]) -> None:
    failure = Failure(kind, "no")
    assert follow(RetryPolicy(attempts=1000, errors=errors), failure) == Spent(failure)


@given(kind=kinds, used=st.integers(0, 10))
def test_never_wins_over_errors(kind: str, used: int) -> None:
    made = RetryPolicy(attempts=1000, errors=("any", kind), never=(kind,))
    assert isinstance(follow(made, Failure(kind, "no"), used=used), Spent)


# --- delays -------------------------------------------------------------------------------------------------------------


@given(
    failed=st.integers(1, 1000),
    delay=durations,
    factor=st.floats(1, 100),
    longest=durations,
    jitter=st.sampled_from(("full", "equal", "none")),
    draw=draws,
)
def test_a_delay_lies_between_nothing_and_the_longest(
    failed: int, delay: timedelta, factor: float, longest: timedelta, jitter: str, draw: float
) -> None:
    made = RetryPolicy(attempts=1000, delay=delay, backoff=factor, max_delay=longest, jitter=jitter)
    assert timedelta(0) <= backoff(made, failed, lambda: draw) <= longest


@given(failed=st.integers(1, 12), delay=st.integers(0, 10_000), factor=st.integers(1, 4), longest=st.integers(0, 10**6))
def test_a_delay_is_the_formula_of_the_reference(failed: int, delay: int, factor: int, longest: int) -> None:
    made = RetryPolicy(
        delay=timedelta(seconds=delay),
        backoff=float(factor),
        max_delay=timedelta(seconds=longest),
        jitter="none",
    )
    assert backoff(made, failed, lambda: 0.0) == timedelta(seconds=min(longest, delay * factor ** (failed - 1)))


@given(base=st.integers(0, 10**6), draw=draws, percent=st.integers(0, 100))
def test_jitter_stays_in_its_range(base: int, draw: float, percent: int) -> None:
    d = timedelta(seconds=base)
    drawn = {
        jitter: backoff(RetryPolicy(delays=(d,), jitter=jitter), 1, lambda: draw)
        for jitter in ("full", "equal", "none", percent / 100)
    }
    assert timedelta(0) <= drawn["full"] <= d
    assert d / 2 - timedelta(microseconds=1) <= drawn["equal"] <= d
    assert drawn["none"] == d
    slack = timedelta(microseconds=2)
    assert d * (1 - percent / 100) - slack <= drawn[percent / 100] <= d * (1 + percent / 100) + slack


def test_the_ends_of_each_jitter() -> None:
    def ends(jitter: str | float) -> tuple[float, float]:
        made = RetryPolicy(delays=(timedelta(seconds=100),), jitter=jitter)
        low, high = backoff(made, 1, lambda: 0.0), backoff(made, 1, lambda: 1 - 2**-53)
        return round(low.total_seconds(), 3), round(high.total_seconds(), 3)

    assert ends("full") == (0, 100)
    assert ends("equal") == (50, 100)
    assert ends("none") == (100, 100)
    assert ends(0.2) == (80, 120)


@given(delays=st.lists(durations, min_size=1, max_size=5), failed=st.integers(1, 1000))
def test_explicit_delays_are_taken_in_order_and_the_last_repeats(delays: list[timedelta], failed: int) -> None:
    made = RetryPolicy(delays=tuple(delays), jitter="none")
    assert backoff(made, failed, lambda: 0.5) == delays[min(failed, len(delays)) - 1]


# --- presets ------------------------------------------------------------------------------------------------------------


def test_without_a_preset_there_is_one_attempt() -> None:
    made = policy()
    assert (made.attempts, made.delay, made.backoff) == (1, timedelta(seconds=1), 2.0)
    assert (made.max_delay, made.jitter, made.errors, made.never) == (timedelta(minutes=5), "full", ("any",), ())
    assert (made.budget, made.retry_after, made.delays) == (None, "obey", ())
    assert retry_policy(None, action="run") == made


def test_webhook_waits_as_the_reference_says() -> None:
    assert waits(policy(preset="webhook")) == [0, 30, 300, 900, 3600]
    longer = waits(policy(preset="webhook", attempts=8))
    assert longer == [0, 30, 300, 900, 3600, 3600, 3600]


def test_exponential_doubles_to_an_hour_give_or_take_a_fifth() -> None:
    made = policy(preset="exponential")
    assert made.attempts == 4
    assert waits(made, draw=0.5) == [30, 60, 120]
    assert waits(made, draw=0.0) == [24, 48, 96]
    many = waits(policy(preset="exponential", attempts=12))
    assert many[-4:] == [3600, 3600, 3600, 3600]
    assert many[6] == 1920


def test_fixed_waits_the_same_each_time() -> None:
    assert waits(policy(preset="fixed")) == [30, 30, 30]


def test_a_preset_fills_only_what_is_not_given() -> None:
    assert waits(policy(preset="webhook", attempts=3, jitter="none")) == [0, 30]
    assert waits(policy(preset="fixed", delay=timedelta(seconds=5))) == [5, 5, 5]
    assert waits(policy(preset="exponential", delays=[timedelta(seconds=7)], jitter="none")) == [7, 7, 7]
    assert policy(preset="exponential", jitter="none").jitter == "none"


# --- limits -------------------------------------------------------------------------------------------------------------


@given(budget=durations, wait=durations, gone=st.timedeltas(timedelta(0), timedelta(days=30)))
def test_no_attempt_starts_later_than_the_budget_after_the_first(
    budget: timedelta, wait: timedelta, gone: timedelta
) -> None:
    made = RetryPolicy(attempts=5, delays=(wait,), jitter="none", budget=budget)
    found = follow(made, first_started_at=NOW - gone)
    assert isinstance(found, Again) == (gone + wait <= budget)


@given(wait=durations, left=durations)
def test_a_wait_that_would_pass_the_deadline_fails_at_once(wait: timedelta, left: timedelta) -> None:
    made = RetryPolicy(attempts=5, delays=(wait,), jitter="none")
    found = follow(made, deadline_at=NOW + left)
    assert isinstance(found, Again) == (wait < left)
    assert isinstance(found, Again) or found.failure.kind == "deadline"


@given(asked=st.floats(allow_nan=True, allow_infinity=True), own=st.timedeltas(timedelta(0), timedelta(hours=1)))
def test_any_wish_to_wait_gives_a_wait_that_can_be_had(asked: float, own: timedelta) -> None:
    made = RetryPolicy(attempts=2, delays=(own,), jitter="none")
    found = follow(made, Failure("http", "busy", http_status=503, retry_after_s=asked))
    assert isinstance(found, Again)
    assert own <= found.due - NOW <= max(own, timedelta(days=365))


@pytest.mark.parametrize(("how", "seconds"), [("obey", 900), ("pool", 900), ("ignore", 10)])
def test_a_servers_wish_is_not_cut_by_max_delay(how: Any, seconds: int) -> None:
    made = RetryPolicy(
        attempts=2, delay=timedelta(seconds=10), max_delay=timedelta(seconds=10), jitter="none", retry_after=how
    )
    found = follow(made, Failure("http", "busy", http_status=503, retry_after_s=900))
    assert found == Again(NOW + timedelta(seconds=seconds), "failed")


# --- rates and losses ---------------------------------------------------------------------------------------------------

LADDER = RateLimit(6, RATE_LIMIT_DELAYS, ())
REFUSED = Failure("http", "slow down", http_status=429, rate_limited=True)


def test_the_ladder_for_rates_has_five_waits_and_uses_up_no_attempt() -> None:
    made = RetryPolicy(attempts=1, rate_limit=LADDER)
    found = [follow(made, REFUSED, refused=refused) for refused in range(6)]
    assert [(one.due - NOW).total_seconds() for one in found if isinstance(one, Again)] == [60, 120, 300, 600, 1800]
    assert {one.why for one in found if isinstance(one, Again)} == {"refused"}
    assert found[5] == Spent(REFUSED)


@given(attempts=st.integers(1, 1000), delays=st.lists(durations, min_size=1, max_size=8), refused=st.integers(0, 2000))
def test_a_ladder_ends_with_its_attempts(attempts: int, delays: list[timedelta], refused: int) -> None:
    made = RetryPolicy(rate_limit=RateLimit(attempts, tuple(delays), ()))
    assert isinstance(follow(made, REFUSED, refused=refused), Again) == (refused + 1 < attempts)


def test_without_a_ladder_a_refusal_is_a_failure_like_any_other() -> None:
    assert follow(RetryPolicy(attempts=1), REFUSED) == Spent(REFUSED)
    assert isinstance(follow(RetryPolicy(rate_limit=LADDER, never=("http:429",)), REFUSED), Spent)


@given(lost=st.integers(0, 10), used=st.integers(0, 5))
def test_a_lost_attempt_is_made_again_at_once_at_most_three_times_in_a_row(lost: int, used: int) -> None:
    found = follow(RetryPolicy(attempts=1), Failure("lost", "gone"), lost=lost, used=used)
    if lost < 3:
        assert found == Again(NOW, "lost")
    else:
        assert isinstance(found, Spent)
        assert found.failure.kind == "interrupted"
    assert LOST_IN_A_ROW == 3


def test_a_loss_that_is_not_admitted_fails_as_it_is() -> None:
    failure = Failure("lost", "gone")
    assert follow(RetryPolicy(attempts=9, never=("lost",)), failure) == Spent(failure)
    assert follow(RetryPolicy(attempts=9, errors=("exit:1",)), failure) == Spent(failure)


# --- errors -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "failure", "covered"),
    [
        ("exit", Failure("exit", "", exit_code=3), True),
        ("exit:75", Failure("exit", "", exit_code=75), True),
        ("exit:75", Failure("exit", "", exit_code=76), False),
        ("exit:64-78", Failure("exit", "", exit_code=64), True),
        ("exit:64-78", Failure("exit", "", exit_code=78), True),
        ("exit:64-78", Failure("exit", "", exit_code=79), False),
        ("exit:64-78", Failure("timeout", ""), False),
        ("signal", Failure("signal", "", signal="TERM"), True),
        ("signal:KILL", Failure("signal", "", signal="KILL"), True),
        ("signal:SIGKILL", Failure("signal", "", signal="KILL"), True),
        ("signal:9", Failure("signal", "", signal="KILL"), True),
        ("signal:KILL", Failure("signal", "", signal="TERM"), False),
        ("http:429", Failure("http", "", http_status=429), True),
        ("http:5xx", Failure("http", "", http_status=503), True),
        ("http:5xx", Failure("http", "", http_status=404), False),
        ("error:Busy", Failure("error", "", name="Busy"), True),
        ("error:Busy", Failure("error", "", name="Lazy"), False),
        ("output~too many", Failure("exit", "", matched=("too many",)), True),
        ("output~too many", Failure("exit", "too many"), False),
        ("output", Failure("output", ""), True),
        ("any", Failure("timeout", ""), True),
        ("any", Failure("fail", ""), False),
        ("deadline", Failure("deadline", ""), True),
    ],
)
def test_a_pattern_covers_what_it_names(pattern: str, failure: Failure, covered: bool) -> None:
    assert matches([pattern], failure) == covered
    assert names_precisely([pattern], failure) == (covered and pattern != "any")
