"""What follows from what: runs driven by hand through `decide`."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.events import AttemptStopping, EdgeTimedOut, TaskRetrying
from engine.outcomes import Ending, Outcome
from engine.retry import rate_pattern
from engine.scope import task_scope
from engine.states import RunState
from tests.engine.driving import OK, START, Driving, failed, plan_of


def drive(text: str, **params: object) -> Driving:
    return Driving(plan_of(text), params=params).start()  # type: ignore[arg-type]


def test_a_chain_runs_in_order() -> None:
    run = drive("tasks: {a: {run: x}, b: {after: [a], run: x}}")
    assert run.queued() == [("a", None)]
    run.do("a")
    assert run.queued() == [("b", None)]
    run.do("b")
    assert run.result is RunState.SUCCEEDED
    run.require_replay()


def test_a_failure_blocks_what_needs_it_and_names_the_cause_at_the_root() -> None:
    run = drive("tasks: {a: {run: x}, b: {after: [a], run: x}, c: {after: [b], run: x}, d: {run: x}}")
    run.finish({"a": failed()})
    assert run.states() == {"a": "failed", "b": "blocked", "c": "blocked", "d": "succeeded"}
    assert run.run.tasks["c"].cause == "a"
    assert run.result is RunState.FAILED


def test_a_skipped_task_is_not_part_of_the_run() -> None:
    run = drive("tasks: {build: {run: x}, lint: {if: 1 > 2, run: x}, ship: {after: [build, lint], run: x}}").finish()
    assert run.states() == {"build": "succeeded", "lint": "skipped", "ship": "succeeded"}
    assert run.result is RunState.SUCCEEDED


def test_the_arm_that_is_not_taken_is_skipped_and_the_join_runs_once() -> None:
    run = drive(
        """
        params: {n: {type: int, default: 3}}
        tasks:
          route: {branch: [{if: params.n > 5, then: [big]}, {if: params.n > 2, then: [middle]}, {else: [small]}]}
          big: {run: x}
          middle: {run: x}
          small: {run: x}
          join: {after: [big, middle, small], run: x}
        """
    ).finish()
    assert run.states() == {
        "route": "succeeded", "big": "skipped", "middle": "succeeded", "small": "skipped", "join": "succeeded",
    }  # fmt: skip
    assert run.run.tasks["route"].output == {"arm": 2}
    run.require_replay()


def test_a_branch_with_no_true_arm_succeeds_and_all_its_arms_are_off() -> None:
    run = drive(
        "params: {n: {type: int, default: 0}}\ntasks: {r: {branch: [{if: params.n > 0, then: [a]}]}, a: {run: x}}"
    )
    run.finish()
    assert run.states() == {"r": "succeeded", "a": "skipped"}
    assert run.run.tasks["r"].output == {"arm": None}


def test_a_switch_compares_with_types_and_fails_without_a_match() -> None:
    text = """
        params: {v: {type: json}}
        tasks: {s: {switch: {value: params.v, cases: {"1": [text], 1: [number]}}}, text: {run: x}, number: {run: x}}
        """
    assert drive(text, v=1).finish().states() == {"s": "succeeded", "text": "skipped", "number": "succeeded"}
    assert drive(text, v="1").finish().states() == {"s": "succeeded", "text": "succeeded", "number": "skipped"}
    unmatched = drive(text, v=2).finish()
    assert unmatched.failure("s").kind == "no_match"
    assert unmatched.states() == {"s": "failed", "text": "blocked", "number": "blocked"}


def test_handlers_run_only_for_tasks_that_ran_and_failed() -> None:
    text = """
        tasks:
          create: {run: x}
          use: {after: [create], run: x}
          clean: {after_end: [use], run: x}
          tell: {after_failure: [use], run: x}
        """
    blocked = drive(text).finish({"create": failed()})
    assert blocked.states() == {"create": "failed", "use": "blocked", "clean": "succeeded", "tell": "skipped"}
    broke = drive(text).finish({"use": failed()})
    assert broke.states() == {"create": "succeeded", "use": "failed", "clean": "succeeded", "tell": "succeeded"}
    assert broke.result is RunState.FAILED


def test_a_recovering_handler_makes_the_failure_good() -> None:
    text = """
        tasks:
          primary: {run: x}
          fallback: {after_failure: [primary], recovers: true, run: x}
          last: {after_failure: [fallback], recovers: true, run: x}
          then: {after: [primary, fallback, last], run: x}
        """
    run = drive(text)
    run.do("primary", failed())
    assert run.state("then") == "pending"
    run.do("fallback", failed()).do("last").do("then")
    assert run.states() == {"primary": "failed", "fallback": "failed", "last": "succeeded", "then": "succeeded"}
    assert (run.result, run.run.warnings) == (RunState.SUCCEEDED, 2)
    run.require_replay()
    assert (
        drive(text).finish({"primary": failed(), "fallback": failed(), "last": failed()}).states()["then"] == "blocked"
    )


def test_an_allowed_failure_counts_as_done_and_as_a_warning() -> None:
    run = drive("tasks: {a: {run: x, allow_failure: true}, b: {after: [a], run: x}}").finish({"a": failed()})
    assert run.states() == {"a": "failed", "b": "succeeded"}
    assert (run.result, run.run.warnings) == (RunState.SUCCEEDED, 1)


def test_after_start_is_met_when_the_first_attempt_begins() -> None:
    run = drive("tasks: {a: {run: x}, b: {after_start: [a], run: x}}")
    assert run.queued() == [("a", None)]
    run.admit("a")
    assert run.queued() == [("b", None)]


def test_a_task_held_back_by_before_complete_is_completing_until_its_holder_ends() -> None:
    run = drive(
        "tasks: {x: {run: x}, check: {after_start: [x], before_complete: [x], run: x}, then: {after: [x], run: x}}"
    )
    run.admit("x").admit("check").end("x", failed())
    assert run.states() == {"x": "completing", "check": "running", "then": "pending"}
    run.end("check")
    assert run.states() == {"x": "failed", "check": "succeeded", "then": "blocked"}
    run.require_replay()


def test_join_any_starts_at_the_first_met_edge_and_a_number_at_the_nth() -> None:
    run = drive("tasks: {a: {run: x}, b: {run: x}, c: {run: x}, any: {after: [a, b, c], join: any, run: x}, "
                "two: {after: [a, b, c], join: 2, run: x}}")  # fmt: skip
    run.do("b")
    assert run.state("any") == "queued"
    assert run.state("two") == "pending"
    run.do("a", failed()).do("c")
    assert run.state("two") == "queued"


def test_join_strict_skips_where_a_needed_task_is_not_part_of_the_run() -> None:
    run = drive("tasks: {a: {run: x}, b: {if: 1 > 2, run: x}, c: {after: [a, b], join: strict, run: x}}").finish()
    assert run.state("c") == "skipped"


def test_a_condition_that_cannot_be_evaluated_fails_the_task_with_expression() -> None:
    run = drive("params: {v: {type: json}}\ntasks: {a: {if: params.v.missing > 1, run: x}}", v={}).finish()
    assert run.failure("a").kind == "expression"
    assert "missing" in run.failure("a").message


# --- attempts -----------------------------------------------------------------------------------------------------------


def test_attempts_count_the_first_and_wait_longer_each_time() -> None:
    run = drive("tasks: {a: {run: x, retry: {attempts: 3, delay: 10s, jitter: none}}}")
    run.do("a", failed())
    assert (run.state("a"), run.run.tasks["a"].due) == ("retrying", START + timedelta(seconds=10))
    run.wait(seconds=9.9)
    assert run.state("a") == "retrying"
    run.wait(seconds=0.1).do("a", failed())
    assert run.run.tasks["a"].due == run.now + timedelta(seconds=20)
    run.wait(seconds=20).do("a", failed())
    assert (run.state("a"), run.run.tasks["a"].attempt) == ("failed", 3)
    run.require_replay()


def test_only_named_errors_are_retried_and_never_wins() -> None:
    text = "tasks: {a: {run: x, retry: {attempts: 5, errors: ['exit:64-78'], never: ['exit:70']}}}"
    assert drive(text).do("a", failed(exit_code=65)).state("a") == "retrying"
    assert drive(text).do("a", failed(exit_code=70)).state("a") == "failed"
    assert drive(text).do("a", failed(exit_code=1)).state("a") == "failed"


def test_a_lost_attempt_is_requeued_at_once_at_most_three_times_in_a_row() -> None:
    run = drive("tasks: {a: {run: x}}")
    for _ in range(3):
        run.do("a", Outcome(Ending.LOST))
        assert run.state("a") == "queued"
    run.do("a", Outcome(Ending.LOST))
    assert run.failure("a").kind == "interrupted"


def test_an_attempt_past_its_timeout_is_told_to_stop_and_has_failed() -> None:
    run = drive("tasks: {a: {run: x, timeout: 5s}}").admit("a").wait(seconds=5)
    assert run.run.tasks["a"].stopping == "timeout"
    run.end("a", Outcome(Ending.STOPPED))
    assert (run.failure("a").kind, run.failure("a").message) == ("timeout", "timed out after 5s")


def test_a_retry_that_would_pass_the_deadline_fails_at_once() -> None:
    run = drive("tasks: {a: {run: x, deadline: 20s, timeout: 10s, retry: {attempts: 9, delay: 15s, jitter: none}}}")
    run.admit("a").wait(seconds=6).end("a", failed())
    assert run.failure("a").kind == "deadline"


def test_the_deadline_ends_a_running_attempt() -> None:
    run = drive("tasks: {a: {run: x, deadline: 20s}}").admit("a").wait(seconds=20)
    assert isinstance(run.log[-1], AttemptStopping)
    run.end("a", Outcome(Ending.STOPPED))
    assert run.failure("a").kind == "deadline"


def test_a_task_queued_for_too_long_fails() -> None:
    run = drive("tasks: {a: {run: x, queue_timeout: 30s}}").wait(seconds=30)
    assert run.failure("a").kind == "queue_timeout"
    assert run.result is RunState.FAILED


def test_rate_limited_attempts_climb_their_own_ladder() -> None:
    run = drive("tasks: {a: {use: http.request, with: {url: 'http://127.0.0.1/'}}}")
    for delay in (60, 120, 300, 600, 1800):
        run.do("a", failed("http", exit_code=None, http_status=429, rate_limited=True))
        assert run.run.tasks["a"].due == run.now + timedelta(seconds=delay)
        run.wait(seconds=delay)
    run.do("a", failed("http", exit_code=None, http_status=429, rate_limited=True))
    assert run.state("a") == "failed"


def test_output_that_tells_of_a_rate_limit_is_heard_where_it_is_asked_for() -> None:
    text = "tasks: {a: {run: x, retry: {rate_limit: {match: [slow down], delays: [7s]}}}}"
    run = drive(text).do("a", failed(matched=(rate_pattern("slow down"),)))
    assert run.run.tasks["a"].due == START + timedelta(seconds=7)
    assert drive(text).do("a", failed()).state("a") == "failed"


def test_an_undo_sees_what_the_task_had_as_output() -> None:
    run = drive(
        """
        tasks:
          a: {run: x, outputs: {id: {type: string}}, undo: {exec: [rm, "${{ task.output.id }}"]}}
          b: {after: [a], run: x}
        """
    )
    run.do("a", Outcome(Ending.SUCCEEDED, output={"id": "i-7"})).do("b", failed())
    assert task_scope(run.plan, run.run, "undo.a")["task"]["output"] == {"id": "i-7"}


def test_a_servers_wish_to_wait_is_obeyed_past_max_delay() -> None:
    run = drive("tasks: {a: {run: x, retry: {attempts: 2, delay: 1s, max_delay: 2s, jitter: none}}}")
    run.do("a", failed(retry_after_s=90.0))
    assert run.run.tasks["a"].due == run.now + timedelta(seconds=90)


def test_repeat_runs_until_its_condition_holds_and_fails_at_its_max() -> None:
    text = """
        tasks:
          a:
            run: x
            outputs: {n: {type: int}}
            repeat: {until: task.output.n > 1, every: 5s, max: 3}
        """
    run = drive(text)
    run.do("a", Outcome(Ending.SUCCEEDED, output={"n": 0}))
    assert run.state("a") == "retrying"
    run.wait(seconds=5).do("a", Outcome(Ending.SUCCEEDED, output={"n": 2}))
    assert run.states() == {"a": "succeeded"}
    endless = drive(text).finish({"a": Outcome(Ending.SUCCEEDED, output={"n": 0})})
    assert (endless.failure("a").kind, endless.run.tasks["a"].attempt) == ("repeat", 3)


@pytest.mark.parametrize(("what", "state"), [("fail", "failed"), ("skip", "skipped")])
def test_an_edge_waits_no_longer_than_its_timeout(what: str, state: str) -> None:
    run = drive(
        f"tasks: {{a: {{run: x}}, b: {{run: x}}, c: {{after: [a, {{task: b, timeout: 10s, on_timeout: {what}}}], run: x}}}}"
    )
    run.wait(seconds=60)
    assert run.state("c") == "pending", "the clock of the edge starts when the other edges are met"
    run.do("a").wait(seconds=9)
    assert run.state("c") == "pending"
    run.wait(seconds=1)
    assert run.state("c") == state


def test_an_edge_that_runs_on_timeout_counts_as_met() -> None:
    run = drive("tasks: {b: {run: x}, c: {after: [{task: b, timeout: 10s, on_timeout: run}], run: x}}").wait(seconds=10)
    assert any(isinstance(event, EdgeTimedOut) for event in run.log)
    assert run.queued() == [("b", None), ("c", None)]
    run.do("b", failed())
    assert run.state("c") == "queued"
    run.require_replay()


def test_a_wait_holds_until_its_time() -> None:
    run = drive("tasks: {w: {wait: {for: 90s}}, b: {after: [w], run: x}}").wait(seconds=89)
    assert run.states() == {"w": "waiting", "b": "pending"}
    assert run.wait(seconds=1).states() == {"w": "succeeded", "b": "queued"}
    at = drive("tasks: {w: {wait: {until: '2026-01-02T03:05:00Z'}}}").wait(seconds=54)
    assert at.state("w") == "waiting"
    assert at.wait(seconds=1).state("w") == "succeeded"


def test_a_report_about_an_earlier_attempt_is_dropped() -> None:
    run = drive("tasks: {a: {run: x, retry: {attempts: 2, delay: 0s}}}").admit("a")
    old = run.live()[0]
    run.end("a", failed()).admit("a")
    before = len(run.log)
    from engine.attempts import AttemptEnded

    assert run.tell(AttemptEnded(old, OK)) == []
    assert len(run.log) == before


# --- fan-out ------------------------------------------------------------------------------------------------------------


def test_items_come_back_in_item_order_whatever_order_they_ended_in() -> None:
    run = drive(
        """
        tasks:
          fan: {fan_out: {items: ["c", "a", "b"], key: item}, run: x, outputs: {v: {type: string}}}
          after:
            after: [fan]
            set: {all: "${{ tasks.fan.outputs | compact | pluck('v') }}", n: "${{ tasks.fan.counts.total }}"}
        """
    )
    for index in (2, 0, 1):
        run.admit("fan", index)
    for index in (1, 2, 0):
        run.end("fan", Outcome(Ending.SUCCEEDED, output={"v": f"v{index}"}), index)
    assert run.run.tasks["after"].output == {"all": ["v0", "v1", "v2"], "n": 3}
    assert [item.key for item in run.run.tasks["fan"].items or ()] == ["c", "a", "b"]
    run.require_replay()


def test_a_matrix_is_a_product_in_key_order_without_exclusions_and_with_inclusions() -> None:
    run = drive(
        """
        tasks:
          m:
            fan_out:
              matrix: {x: [1, 2], y: [a, b]}
              exclude: [{x: 2, y: a}]
              include: [{x: 9, y: z}]
              where: item.x != 1 or item.y != 'b'
            run: x
        """
    )
    assert [item.value for item in run.run.tasks["m"].items or ()] == [
        {"x": 1, "y": "a"}, {"x": 2, "y": "b"}, {"x": 9, "y": "z"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("tolerate", "bad", "state"),
    [
        ("0", 1, "failed"),
        ("2", 2, "succeeded"),
        ("2", 3, "failed"),
        ('"20%"', 2, "succeeded"),
        ('"20%"', 3, "failed"),
        ('"100%"', 10, "succeeded"),
    ],
)
def test_tolerated_items_do_not_fail_the_task(tolerate: str, bad: int, state: str) -> None:
    run = drive(f"tasks: {{f: {{fan_out: {{items: [0,1,2,3,4,5,6,7,8,9], tolerate: {tolerate}}}, run: x}}}}")
    for index in range(10):
        run.do("f", failed() if index < bad else OK, index)
    assert run.states() == {"f": state}
    if state == "failed":
        assert run.failure("f").kind == "items"


def test_fail_fast_cancels_the_other_items() -> None:
    run = drive("tasks: {f: {fan_out: {items: [0, 1, 2], fail_fast: true}, run: x}}")
    run.admit("f", 0).admit("f", 1).end("f", failed(), 0)
    items = run.run.tasks["f"].items or []
    assert [str(item.state) for item in items] == ["failed", "running", "cancelled"]
    run.end("f", Outcome(Ending.STOPPED), 1)
    assert [str(item.state) for item in items] == ["failed", "cancelled", "cancelled"]
    assert run.states() == {"f": "failed"}


@pytest.mark.parametrize(("on_empty", "state"), [("succeed", "succeeded"), ("skip", "skipped"), ("fail", "failed")])
def test_nothing_left_to_fan_out(on_empty: str, state: str) -> None:
    run = drive(f"tasks: {{f: {{fan_out: {{items: [1], where: item > 1, on_empty: {on_empty}}}, run: x}}}}").finish()
    assert run.states() == {"f": state}
    run.require_replay()


def test_too_many_items_start_nothing() -> None:
    text = "params: {xs: {type: list, items: int}}\ntasks: {f: {fan_out: {items: params.xs, max_items: 3}, run: x}}"
    run = drive(text, xs=[1, 2, 3, 4])
    assert (run.states(), run.failure("f").kind, run.run.tasks["f"].attempt) == ({"f": "failed"}, "too_many_items", 0)


def test_the_items_of_a_whole_run_are_limited() -> None:
    text = """
        params: {xs: {type: list, items: int}}
        limits: {fan_out_items: 5}
        tasks: {f: {fan_out: {items: params.xs}, run: x}, g: {fan_out: {items: params.xs}, run: x}}
        """
    run = drive(text, xs=[1, 2, 3])
    assert run.failure("g").kind == "too_many_items"


def test_batches_hold_several_items() -> None:
    run = drive("tasks: {f: {fan_out: {items: [1, 2, 3, 4, 5], batch: 2}, run: x}}")
    assert [item.value for item in run.run.tasks["f"].items or ()] == [[1, 2], [3, 4], [5]]


def test_an_item_retries_by_itself() -> None:
    run = drive("tasks: {f: {fan_out: {items: [0, 1]}, run: x, retry: {attempts: 2, delay: 0s}}}")
    run.do("f", failed(), 0).do("f", OK, 1).do("f", OK, 0)
    assert run.states() == {"f": "succeeded"}
    assert [item.attempt for item in run.run.tasks["f"].items or ()] == [2, 1]


def test_an_immediate_action_fans_out_without_attempts_of_a_runner() -> None:
    run = drive("tasks: {s: {fan_out: {items: [1, 2]}, set: {double: '${{ item * 2 }}'}}}").finish()
    assert [item.output for item in run.run.tasks["s"].items or ()] == [{"double": 2}, {"double": 4}]


# --- the run ------------------------------------------------------------------------------------------------------------


def test_drain_starts_nothing_new_after_a_failure_that_nobody_can_make_good() -> None:
    run = drive(
        "when_failed: drain\n"
        "tasks: {a: {run: x}, b: {run: x}, c: {after: [b], run: x}, d: {after_end: [a], run: x}, e: {run: x}}"
    )
    run.admit("a").admit("b").end("a", failed())
    assert run.state("e") == "cancelled"
    run.end("b")
    assert run.state("c") == "cancelled"
    run.do("d")
    assert run.states() == {"a": "failed", "b": "succeeded", "c": "cancelled", "d": "succeeded", "e": "cancelled"}
    assert run.result is RunState.FAILED
    run.require_replay()


def test_when_failed_cancel_ends_what_runs() -> None:
    run = drive("when_failed: cancel\ntasks: {a: {run: x}, b: {run: x}}").admit("a").admit("b").end("a", failed())
    assert run.run.tasks["b"].stopping == "cancelled"
    run.end("b", Outcome(Ending.STOPPED))
    assert (run.states(), run.result) == ({"a": "failed", "b": "cancelled"}, RunState.FAILED)


def test_a_recovered_failure_does_not_drain() -> None:
    run = drive(
        "when_failed: drain\ntasks: {a: {run: x}, h: {after_failure: [a], recovers: true, run: x}, z: {run: x}}"
    )
    run.do("a", failed()).do("h").do("z")
    assert run.result is RunState.SUCCEEDED


def test_cancel_stops_what_runs_and_lets_cleanup_run() -> None:
    run = drive("tasks: {a: {run: x}, b: {after: [a], run: x}, clean: {after_end: [b], run: x}, q: {run: x}}")
    run.admit("a").cancel()
    assert run.state("q") == "cancelled"
    run.end("a", Outcome(Ending.STOPPED))
    assert run.states() == {"a": "cancelled", "b": "blocked", "clean": "queued", "q": "cancelled"}
    run.do("clean")
    assert run.result is RunState.CANCELLED
    run.require_replay()


def test_a_second_cancel_ends_cleanup_too() -> None:
    run = drive("tasks: {a: {run: x}, clean: {after_end: [a], run: x}}").admit("a").cancel()
    run.end("a", Outcome(Ending.STOPPED)).admit("clean").cancel()
    assert run.run.tasks["clean"].stopping == "cancelled"
    run.end("clean", Outcome(Ending.STOPPED))
    assert (run.result, run.state("clean")) == (RunState.CANCELLED, "cancelled")


def test_cleanup_has_its_own_time_limit() -> None:
    run = drive(
        "limits: {cleanup: 30s}\ntasks: {a: {run: x}, c: {after_end: [a], run: x, timeout: none}, d: {after_end: [c], run: x}}"
    )
    run.admit("a").cancel().end("a", Outcome(Ending.STOPPED)).admit("c").wait(seconds=30)
    assert run.run.tasks["c"].stopping == "cancelled"
    run.end("c", Outcome(Ending.STOPPED))
    assert run.states() == {"a": "cancelled", "c": "cancelled", "d": "cancelled"}


def test_a_run_past_its_timeout_has_failed() -> None:
    run = drive("timeout: 1m\ntasks: {a: {run: x}, b: {after: [a], run: x}}").admit("a").wait(seconds=60)
    run.end("a", Outcome(Ending.STOPPED))
    assert (run.result, run.run.failure.kind if run.run.failure else None) == (RunState.FAILED, "timeout")


def test_hooks_run_at_the_end_see_the_result_and_never_change_it() -> None:
    text = """
        tasks: {a: {run: x}}
        hooks:
          failure: {tell: {set: {s: "${{ run.status }}", f: "${{ run.failed }}"}}}
          success: {tell: {run: x}}
          complete: {always: {run: x}}
        """
    run = drive(text).do("a", failed()).do("hooks.complete.always", failed())
    assert run.run.tasks["hooks.failure.tell"].output == {"s": "failed", "f": ["a"]}
    assert (run.result, run.run.warnings) == (RunState.FAILED, 1)
    good = drive(text).do("a").do("hooks.success.tell", failed()).do("hooks.complete.always")
    assert (good.result, good.run.warnings) == (RunState.SUCCEEDED, 1)


def test_a_failing_start_hook_fails_the_run_before_its_first_task() -> None:
    run = drive("tasks: {a: {run: x}, b: {after: [a], run: x}}\nhooks: {start: {prepare: {run: x}}}")
    assert run.queued() == [("hooks.start.prepare", None)]
    run.do("hooks.start.prepare", failed())
    assert run.states() == {"a": "cancelled", "b": "blocked"}
    assert run.result is RunState.FAILED


def test_undo_goes_back_one_by_one_the_latest_first() -> None:
    run = drive(
        """
        tasks:
          a: {run: x, undo: {run: ua}}
          b: {after: [a], run: x, undo: {run: ub}}
          c: {after: [b], run: x}
        """
    )
    run.do("a").wait(seconds=1).do("b").wait(seconds=1).do("c", failed())
    assert run.queued() == [("undo.b", None)]
    run.do("undo.b", failed())
    assert run.queued() == [("undo.a", None)]
    run.do("undo.a")
    assert (run.result, run.run.undo) == (RunState.FAILED, "partial")
    run.require_replay()


def test_a_run_that_succeeded_undoes_nothing() -> None:
    run = drive("tasks: {a: {run: x, undo: {run: ua}}}").do("a")
    assert (run.result, run.run.undo) == (RunState.SUCCEEDED, None)


def test_every_succeeded_item_is_undone() -> None:
    run = drive("tasks: {f: {fan_out: {items: [p, q], key: item}, run: x, undo: {run: u}}, z: {after: [f], run: x}}")
    run.do("f", OK, 0).wait(seconds=1).do("f", OK, 1).do("z", failed())
    assert [item.key for item in run.run.tasks["undo.f"].items or ()] == ["q", "p"]


def test_outputs_are_evaluated_when_the_run_has_succeeded() -> None:
    run = drive("outputs: {n: '${{ tasks.s.output.n }}'}\ntasks: {s: {set: {n: 3}}}").finish()
    assert run.run.outputs == {"n": 3}


def test_a_run_of_skips_alone_succeeds_and_says_so() -> None:
    run = drive("params: {go: {type: bool, default: false}}\ntasks: {a: {if: params.go, run: x}}").finish()
    assert (run.result, run.run.noop) == (RunState.SUCCEEDED, True)


# --- asking for ancestors to run again ----------------------------------------------------------------------------------

RESET = """
    tasks:
      fetch: {run: x}
      load: {after: [fetch], run: x}
      check: {after: [load], run: x, retry_upstream: {tasks: [fetch], rounds: 2, errors: ["exit:42"], delay: 5m}}
      side: {after: [fetch], run: x}
      done: {after: [check], run: x}
    """


def test_a_task_may_ask_its_ancestors_to_run_again() -> None:
    run = drive(RESET).do("fetch").do("load").do("side").do("check", failed(exit_code=42))
    assert run.states() == {
        "fetch": "succeeded",
        "load": "succeeded",
        "check": "running",
        "side": "succeeded",
        "done": "pending",
    }
    run.wait(seconds=300)
    assert run.states() == {
        "fetch": "queued",
        "load": "pending",
        "check": "pending",
        "side": "succeeded",
        "done": "pending",
    }
    assert [run.run.tasks[name].round for name in ("fetch", "load", "check", "side")] == [2, 2, 2, 1]
    run.do("fetch").do("load").do("check").do("done")
    assert run.result is RunState.SUCCEEDED
    run.require_replay()


def test_rounds_are_bounded() -> None:
    run = drive(RESET).finish({"check": failed(exit_code=42)})
    assert (run.state("check"), run.run.tasks["check"].round, run.run.resets) == ("failed", 3, 2)
    assert run.failure("check").exit_code == 42


def test_another_error_does_not_ask() -> None:
    assert drive(RESET).do("fetch").do("load").do("check", failed(exit_code=1)).state("check") == "failed"


def test_a_cancel_before_the_reset_leaves_the_failure() -> None:
    run = drive(RESET).do("fetch").do("load").do("check", failed(exit_code=42)).cancel()
    assert run.state("check") == "failed"
    assert run.finish().result is RunState.CANCELLED
    run.require_replay()


# --- services -----------------------------------------------------------------------------------------------------------

SERVICE = "tasks: {db: {service: true, exec: [db], ready: {tcp: 5432}}, t: {after_start: [db], run: x}}"


def test_a_service_starts_its_users_when_it_is_ready_and_is_stopped_when_they_have_ended() -> None:
    run = drive(SERVICE).admit("db")
    assert run.state("t") == "pending"
    run.ready("db").do("t")
    assert run.run.tasks["db"].stopping == "unneeded"
    run.end("db", Outcome(Ending.STOPPED))
    assert (run.states(), run.result) == ({"db": "succeeded", "t": "succeeded"}, RunState.SUCCEEDED)
    run.require_replay()


def test_a_service_that_ends_by_itself_has_failed_whatever_its_code() -> None:
    run = drive(SERVICE).admit("db").ready("db").end("db", OK)
    assert run.state("db") == "failed"


def test_jitter_is_in_the_log_so_that_a_replay_draws_none() -> None:
    run = Driving(plan_of("tasks: {a: {run: x, retry: {attempts: 2, delay: 10s}}}"), draw=lambda: 0.25).start()
    run.do("a", failed())
    retrying = next(event for event in run.log if isinstance(event, TaskRetrying))
    assert retrying.due == START + timedelta(seconds=2.5)
