"""What becomes of a run (`LANGUAGE.md` 10)."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from engine.outcomes import Ending, Outcome
from engine.result import is_counted_failure, outcome_of
from tests.engine.driving import OK, Driving, failed, plan_of


def ended(text: str, outcomes: Mapping[str, Outcome] | None = None) -> Driving:
    return Driving(plan_of(text)).start().finish(outcomes)


def result(run: Driving) -> tuple[str, str | None, int, bool]:
    """State, kind of failure, warnings, and whether nothing was done."""
    found = run.run
    return str(found.state), found.failure.kind if found.failure else None, found.warnings, found.noop


BAD = {"bad": failed()}


@pytest.mark.parametrize(
    ("tasks", "expected"),
    [
        ("a: {run: x}, b: {after: [a], run: x}", ("succeeded", None, 0, False)),
        ("a: {run: x}, bad: {run: x}", ("failed", "exit", 0, False)),
        ("bad: {run: x, allow_failure: true}, b: {after: [bad], run: x}", ("succeeded", None, 1, False)),
        ("bad: {run: x}, h: {after_failure: [bad], run: x}", ("failed", "exit", 0, False)),
        ("bad: {run: x}, h: {after_failure: [bad], recovers: true, run: x}", ("succeeded", None, 1, False)),
        ("bad: {run: x}, b: {after: [bad], run: x}", ("failed", "exit", 0, False)),
        ("bad: {run: x}, leaf: {after_end: [bad], run: x}", ("failed", "exit", 0, False)),
        ("a: {run: x, fan_out: {items: []}}", ("succeeded", None, 0, False)),
        ("bad: {run: x, fan_out: {items: [1, 2], tolerate: 2}}", ("succeeded", None, 0, False)),
        ("bad: {run: x, fan_out: {items: [1, 2], tolerate: 1}}", ("failed", "items", 0, False)),
    ],
)
def test_the_result_of_a_run(tasks: str, expected: tuple[str, str | None, int, bool]) -> None:
    run = ended(f"tasks: {{{tasks}}}", BAD)
    assert result(run) == expected
    assert outcome_of(run.plan, run.run).state is run.result


def test_fallbacks_chain_and_count_as_warnings() -> None:
    text = """
    tasks:
      one: {run: x}
      two: {after_failure: [one], recovers: true, run: x}
      three: {after_failure: [two], recovers: true, run: x}
    """
    run = ended(text, {"one": failed(), "two": failed()})
    assert result(run) == ("succeeded", None, 2, False)
    assert not is_counted_failure(run.plan, run.run, "one")
    run = ended(text, {"one": failed(), "two": failed(), "three": failed()})
    assert result(run)[0] == "failed"
    assert is_counted_failure(run.plan, run.run, "one")


def test_a_run_that_only_skips_has_done_nothing() -> None:
    run = Driving(plan_of("params: {go: {type: bool}}\ntasks: {a: {if: params.go, run: x}}"), {"go": False}).start()
    assert result(run) == ("succeeded", None, 0, True)


def test_the_first_failure_in_the_file_is_the_reason() -> None:
    run = Driving(plan_of("tasks: {a: {run: x}, b: {run: x}, c: {after: [a], run: x}}")).start()
    run.do("b", failed("timeout", exit_code=None)).do("a", failed(exit_code=9))
    failure = run.run.failure
    assert failure is not None
    assert (failure.kind, failure.message, failure.exit_code) == ("exit", "`a`: failed with exit", 9)


def test_a_failing_hook_is_a_warning() -> None:
    run = ended("tasks: {a: {run: x}}\nhooks: {success: {bad: {run: x}}}", {"hooks.success.bad": failed()})
    assert result(run) == ("succeeded", None, 1, False)


def test_a_failing_start_hook_fails_the_run() -> None:
    run = ended("tasks: {a: {run: x}}\nhooks: {start: {bad: {run: x}}}", {"hooks.start.bad": failed()})
    assert result(run)[:2] == ("failed", "hook")
    assert run.states() == {"a": "cancelled"}


def test_a_cancel_on_request_wins_over_failures() -> None:
    run = Driving(plan_of("tasks: {a: {run: x}, b: {run: x}}")).start()
    run.admit("a").admit("b").end("a", failed()).cancel().end("b", Outcome(Ending.STOPPED))
    assert result(run)[:2] == ("cancelled", None)


def test_a_run_past_its_timeout_has_failed_whatever_its_tasks_did() -> None:
    run = Driving(plan_of("timeout: 1m\ntasks: {a: {run: x}}")).start()
    run.admit("a").wait(seconds=60).end("a", OK)
    assert result(run)[:2] == ("failed", "timeout")


def test_outputs_that_cannot_be_had_fail_the_run() -> None:
    run = ended('params: {n: {type: int, default: 0}}\ntasks: {a: {run: x}}\noutputs: {o: "${{ 1 / params.n }}"}')
    assert result(run)[:2] == ("failed", "expression")
    assert run.run.outputs is None


@pytest.mark.parametrize(("undo", "expected"), [(OK, "complete"), (failed(), "partial")])
def test_undo_is_complete_or_partial(undo: Outcome, expected: str) -> None:
    text = "tasks: {a: {run: x, undo: {run: y}}, bad: {after: [a], run: x}}"
    run = ended(text, {**BAD, "undo.a": undo})
    assert (run.run.undo, str(run.result)) == (expected, "failed")
    assert ended(text).run.undo is None
