"""Time limits, retries and the names of errors."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.error_names import NEVER_RETRIED, RETRIED, covers, error_problem
from tests.specs.rules.checking import codes, found, marked, only


def task(keys: str) -> str:
    return f"tasks:\n  a: {{run: x, {keys}}}\n"


def test_one_attempt_is_not_longer_than_all_of_them() -> None:
    finding = only(task("timeout: 2h, deadline: 90m"), "FLOW520")
    assert finding.message == "`timeout` 2h is longer than `deadline` 1h30m"
    assert codes(task("timeout: 1h, deadline: 1h")) == []
    assert codes(task("deadline: 5m")) == []


@pytest.mark.parametrize(
    ("retry", "deadline", "longest"),
    [
        ("{attempts: 3, delay: 1m, backoff: 1, jitter: none}", "1m", "2m"),
        ("{attempts: 4, delay: 1m, jitter: none}", "6m", "7m"),  # 1 + 2 + 4
        ("{attempts: 5, delay: 1m, max_delay: 2m, jitter: none}", "6m", "7m"),  # 1 + 2 + 2 + 2
        ("{attempts: 3, delays: [1m, 5m]}", "5m", "6m"),
        ("{attempts: 4, delays: [1m, 5m]}", "10m", "11m"),  # the last repeats
        ('{attempts: 2, delay: 10m, max_delay: 10m, jitter: "20%"}', "11m", "12m"),
        ("webhook", "1h", "1h20m30s"),
    ],
)
def test_attempts_that_cannot_fit_their_deadline_are_told_of(retry: str, deadline: str, longest: str) -> None:
    finding = only(task(f"retry: {retry}, deadline: {deadline}"), "FLOW521")
    assert f"take up to {longest}, `deadline` is" in finding.message


def test_attempts_that_fit_are_fine() -> None:
    assert codes(task("retry: {attempts: 3, delay: 1m, backoff: 1}, deadline: 2m")) == []
    assert codes(task("retry: {attempts: 9, delay: 0s}, deadline: 1s")) == []


def test_the_time_of_the_attempts_themselves_counts_where_it_is_written() -> None:
    assert len(found(task("retry: {attempts: 3, delay: 1s}, timeout: 5m, deadline: 10m"), "FLOW521")) == 1


def test_the_longest_delay_is_not_below_the_first() -> None:
    finding = only(task("retry: {attempts: 2, delay: 1m, max_delay: 30s}"), "FLOW522")
    assert (finding.message, marked(finding)) == ("`max_delay` 30s is below `delay` 1m", "30s")
    assert (
        only(task("retry: {attempts: 2, delay: 10m}"), "FLOW522").message
        == "`max_delay` 5m, the default, is below `delay` 10m"
    )


def test_a_retry_of_one_attempt_does_nothing() -> None:
    assert only(task("retry: {delay: 5s}"), "FLOW523").message == "`retry` with one attempt does nothing"
    assert len(found(task("retry: {attempts: 1, delay: 5s}"), "FLOW523")) == 1


@pytest.mark.parametrize(
    "retry", ["webhook", "{preset: fixed, delay: 5s}", "{attempts: 2, delay: 5s}", "{never: [lost]}", "{attempts: 1}"]
)
def test_a_retry_that_does_something_is_fine(retry: str) -> None:
    assert found(task(f"retry: {retry}"), "FLOW523") == []


def test_a_task_that_turns_inherited_retries_off_is_fine() -> None:
    text = "defaults: {retry: {attempts: 3, delay: 5s}}\ntasks: {a: {run: x, retry: {attempts: 1}}, b: {run: y}}\n"
    assert codes(text) == []


# --- errors -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "help_"),
    [
        ("time_out", "did you mean `timeout`?"),
        ("exit:256", "an exit code is 0 to 255, a range goes upward: `exit:64-78`"),
        ("exit:9-3", "an exit code is 0 to 255, a range goes upward: `exit:64-78`"),
        ("signal:SIGKILL", "write `signal:KILL`"),
        ("http:600", "write a status or a class of them: `http:429`, `http:5xx`"),
        ("signl:KILL", "did you mean `signal:KILL`?"),
        ("error:", "write the name of a class, as in `error:ConnectionError`"),
    ],
)
def test_an_unknown_error_gets_a_way_out(name: str, help_: str) -> None:
    finding = only(task(f'retry: {{attempts: 2, errors: ["{name}"]}}'), "FLOW524")
    assert (finding.message, finding.help) == (f"unknown error name `{name}`", help_)


@pytest.mark.parametrize(
    "name",
    [
        *RETRIED,
        "exit:0",
        "exit:255",
        "exit:64-78",
        "signal:KILL",
        "output~disk full",
        "http:429",
        "http:5xx",
        "error:pkg.Busy",
    ],
)
def test_known_errors_are_fine(name: str) -> None:
    assert codes(task(f'retry: {{attempts: 2, errors: ["{name}"]}}')) == []


@pytest.mark.parametrize("name", NEVER_RETRIED)
def test_what_is_never_retried_is_no_reason_for_a_retry_but_one_for_a_new_round(name: str) -> None:
    assert only(task(f"retry: {{attempts: 2, errors: [{name}]}}"), "FLOW524").message == f"`{name}` is never retried"
    asking = f"retry_upstream: {{tasks: [b], rounds: 1, errors: [{name}]}}"
    assert codes(task(f"after: [b], {asking}") + "  b: {run: x}\n") == []


@given(st.text(max_size=20))
def test_no_name_of_an_error_breaks_the_check(name: str) -> None:
    error_problem(name, retried=True)
    assert covers("any", name)


@pytest.mark.parametrize(
    ("never", "errors"),
    [
        ("[any]", "[timeout]"),
        ("[exit, timeout]", '["exit:75", timeout]'),
        ('["http:5xx"]', '["http:503"]'),
        ('["exit:1-9"]', '["exit:2-3"]'),
    ],
)
def test_never_leaves_something_of_errors(never: str, errors: str) -> None:
    assert len(found(task(f"retry: {{attempts: 2, errors: {errors}, never: {never}}}"), "FLOW525")) == 1


@pytest.mark.parametrize(
    ("never", "errors"), [('["exit:75"]', "[exit]"), ("[timeout]", "[any]"), ('["http:503"]', '["http:5xx"]')]
)
def test_a_part_of_errors_may_be_left_out(never: str, errors: str) -> None:
    assert found(task(f"retry: {{attempts: 2, errors: {errors}, never: {never}}}"), "FLOW525") == []


# --- other limits -----------------------------------------------------------------------------------------------------


def test_a_repeat_fits_its_deadline() -> None:
    repeat = "repeat: {until: task.output.ok, every: 1m, max: 10}, outputs: {ok: {type: bool}}"
    assert only(task(f"{repeat}, deadline: 5m"), "FLOW528").message == "`repeat` may take 9m, `deadline` is 5m"
    assert codes(task(f"{repeat}, deadline: 9m")) == []


def test_a_pool_to_hold_is_named() -> None:
    text = task("retry: {attempts: 2, retry_after: pool}")
    assert only(text, "FLOW529").message == "`retry_after: pool`, and `a` has no pool"
    pooled = "pools: {p: {slots: 2}}\n" + task("retry: {attempts: 2, retry_after: pool}, pool: p")
    assert found(pooled, "FLOW529") == []
