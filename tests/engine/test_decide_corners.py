"""Decisions where two rules meet: limits and resets, drains and what goes on, items that end before they start."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.attempts import AttemptEnded
from engine.commands import Tick
from engine.events import AttemptStopping, FannedOut, TaskSucceeded
from engine.outcomes import Ending, Outcome
from tests.engine.driving import OK, START, Driving, failed, plan_of

STOPPED = Outcome(Ending.STOPPED)


def drive(text: str) -> Driving:
    return Driving(plan_of(text)).start()


# --- timers of an earlier round -----------------------------------------------------------------------------------------


def test_a_retry_of_an_item_that_a_reset_took_away_means_nothing() -> None:
    run = drive("""
    tasks:
      list: {run: x, outputs: {n: {type: list}}}
      work:
        after: [list]
        fan_out: {items: tasks.list.output.n}
        run: x
        retry: {attempts: 2, delay: 10s, jitter: none}
        retry_upstream: {tasks: [list], rounds: 1, errors: ["exit:42"]}
    """)
    run.do("list", Outcome(Ending.SUCCEEDED, output={"n": [1, 2]}))
    run.do("work", failed(), 1).do("work", failed(exit_code=42), 0)
    assert run.states() == {"list": "queued", "work": "pending"}
    run.wait(seconds=11)
    run.do("list", Outcome(Ending.SUCCEEDED, output={"n": [1]})).finish()
    assert run.states() == {"list": "succeeded", "work": "succeeded"}
    run.require_replay()


def test_a_queue_timeout_of_an_earlier_round_means_nothing() -> None:
    run = drive("""
    tasks:
      a: {run: x}
      work:
        after: [a]
        fan_out: {items: [1, 2]}
        run: x
        queue_timeout: 10s
        retry_upstream: {tasks: [a], rounds: 1, errors: ["exit:42"]}
    """)
    run.do("a").do("work", failed(exit_code=42), 0)
    run.wait(seconds=11)
    assert run.states() == {"a": "queued", "work": "pending"}
    assert run.finish().states() == {"a": "succeeded", "work": "succeeded"}


# --- limits in a reset --------------------------------------------------------------------------------------------------


def test_a_deadline_that_passes_while_a_reset_stops_the_task_does_not_hold_the_reset_up() -> None:
    run = drive("""
    tasks:
      a: {run: x}
      slow: {after: [a], run: x, deadline: 60s}
      ask: {after_start: [slow], run: x, retry_upstream: {tasks: [slow], rounds: 1}}
    """)
    run.do("a").admit("slow").do("ask", failed())
    assert run.run.tasks["slow"].stopping == "reset"
    run.wait(seconds=61).end("slow", STOPPED)
    assert run.states() == {"a": "succeeded", "slow": "queued", "ask": "pending"}
    assert run.finish().states() == {"a": "succeeded", "slow": "succeeded", "ask": "succeeded"}
    run.require_replay()


def test_a_deadline_that_passes_while_items_are_stopped_for_a_reset_does_not_end_the_task() -> None:
    run = drive("""
    tasks:
      work: {fan_out: {items: [1, 2, 3], max_parallel: 1}, run: x, deadline: 60s}
      ask: {after_start: [work], run: x, retry_upstream: {tasks: [work], rounds: 1}}
    """)
    run.admit("work", 0).do("ask", failed()).wait(seconds=61)
    run.end("work", STOPPED, 0)
    assert run.run.tasks["work"].round == 2
    assert run.finish().states() == {"work": "succeeded", "ask": "succeeded"}


def test_a_deadline_does_not_change_why_a_cancelled_task_was_stopped() -> None:
    run = drive("tasks: {a: {run: x, deadline: 60s}}")
    run.admit("a").cancel().wait(seconds=61).end("a", STOPPED)
    assert run.states() == {"a": "cancelled"}


def test_items_that_start_together_pass_one_deadline_together() -> None:
    run = drive("tasks: {a: {run: x, fan_out: {items: [1, 2, 3]}, deadline: 60s, timeout: none}}")
    for item in range(3):
        run.admit("a", item)
    run.now += timedelta(seconds=60)
    stops = [event for event in run.tell(Tick()) if isinstance(event, AttemptStopping)]
    assert [event.item for event in stops] == [None, 0, 1, 2]


def test_waits_that_were_over_during_a_reset_go_on_when_the_run_drains() -> None:
    run = drive("""
    when_failed: drain
    tasks:
      a: {run: x}
      again: {after: [a], run: x, retry: {attempts: 2, delay: 10s, jitter: none}}
      pause: {after: [a], wait: {for: 10s}}
      ask: {after_start: [again, pause], run: x, retry_upstream: {tasks: [again, pause], rounds: 1, delay: 60s}}
      other: {after: [a], run: x}
    """)
    run.do("a").do("again", failed()).admit("other").do("ask", failed())
    run.wait(seconds=20)
    assert run.state("again") == "retrying"
    run.end("other", failed()).wait()
    assert run.states() == {
        "a": "succeeded",
        "again": "queued",
        "pause": "succeeded",
        "ask": "failed",
        "other": "failed",
    }


# --- who may ask --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        "fail: not enough",
        "switch: {value: tasks.a.output.n, cases: {3: [c]}}",
        "run: x\n        queue_timeout: 10s",
    ],
)
def test_whatever_fails_may_ask_its_ancestors_to_run_again(words: str) -> None:
    run = drive(f"""
    tasks:
      a: {{run: x, outputs: {{n: {{type: int}}}}}}
      b:
        after: [a]
        {words}
        retry_upstream: {{tasks: [a], rounds: 1}}
      c: {{run: x}}
    """)
    one = Outcome(Ending.SUCCEEDED, output={"n": 1})
    run.do("a", one)
    if "queue" in words:
        run.wait(seconds=10)
    assert (run.state("a"), run.state("b")) == ("queued", "pending")
    assert (run.run.tasks["a"].round, run.run.resets) == (2, 1)
    run.do("a", one)
    if "queue" in words:
        run.wait(seconds=10)
    assert (run.state("a"), run.state("b")) == ("succeeded", "failed")
    run.require_replay()


def test_a_fan_out_that_fails_as_a_whole_may_ask() -> None:
    run = drive("""
    tasks:
      a: {run: x, outputs: {n: {type: list}}}
      b:
        after: [a]
        fan_out: {items: tasks.a.output.n, on_empty: fail}
        run: x
        retry_upstream: {tasks: [a], rounds: 1, errors: [no_items]}
    """)
    run.do("a", Outcome(Ending.SUCCEEDED, output={"n": []}))
    assert run.states() == {"a": "queued", "b": "pending"}


# --- items that never start ---------------------------------------------------------------------------------------------


def test_a_fan_out_whose_items_all_waited_too_long_may_still_be_tolerated() -> None:
    run = drive('tasks: {a: {run: x, fan_out: {items: [1, 2], tolerate: "100%"}, queue_timeout: 10s}}')
    run.wait(seconds=10)
    assert run.states() == {"a": "succeeded"}


def test_a_failing_item_of_an_immediate_action_cancels_the_others_when_it_fails_fast() -> None:
    run = drive("""
    tasks:
      a: {fan_out: {items: [0, 1, 2], fail_fast: true}, set: {x: "${{ 1 / item }}"}}
    """)
    items = run.run.tasks["a"].items or []
    assert [str(item.state) for item in items] == ["failed", "cancelled", "cancelled"]
    assert run.states() == {"a": "failed"}


def test_a_limit_that_passes_in_the_queue_holds_a_started_task_for_those_it_waits_for() -> None:
    run = drive("""
    tasks:
      x: {run: x, deadline: 60s, retry: {attempts: 2, delay: 1s, jitter: none}}
      n: {after_start: [x], before_complete: [x], run: x}
    """)
    run.admit("x").admit("n").end("x", failed()).wait(seconds=2)
    assert run.state("x") == "queued"
    run.wait(seconds=60)
    assert run.state("x") == "completing"
    run.end("n")
    assert run.states() == {"x": "failed", "n": "succeeded"}
    assert run.failure("x").kind == "deadline"


def test_a_repeat_that_would_pass_the_deadline_fails_at_once() -> None:
    run = drive("""
    tasks:
      a:
        run: x
        deadline: 30s
        outputs: {ok: {type: bool}}
        repeat: {until: task.output.ok, every: 25s, max: 2}
    """)
    run.admit("a").wait(seconds=10).end("a", Outcome(Ending.SUCCEEDED, output={"ok": False}))
    assert run.failure("a").kind == "deadline"


# --- joins --------------------------------------------------------------------------------------------------------------


def test_the_last_edge_of_a_counting_join_waits_no_longer_than_its_timeout() -> None:
    run = drive("""
    tasks:
      a: {run: x}
      b: {run: x}
      c: {after: [a, {task: b, timeout: 10s, on_timeout: run}], join: 2, run: x}
    """)
    run.do("a").wait(seconds=10)
    assert run.state("c") == "queued"


def test_a_number_of_ten_thousand_edges_is_looked_at_once() -> None:
    names = [f"t{i}" for i in range(200)]
    tasks = "".join(f"  {name}: {{run: x}}\n" for name in names)
    run = Driving(plan_of(f"tasks:\n{tasks}  z: {{after: [{', '.join(names)}], join: 100, run: x}}")).start()
    for number, name in enumerate(names, start=1):
        run.do(name)
        assert run.state("z") == ("pending" if number < 100 else "queued")
    run.require_replay()


# --- drains -------------------------------------------------------------------------------------------------------------


def test_what_runs_when_a_run_drains_goes_on_past_the_limit_of_cleanup() -> None:
    run = drive("""
    when_failed: drain
    limits: {cleanup: 10m}
    tasks:
      bad: {run: x}
      long: {run: x, timeout: 3h}
      clean: {after_end: [long], run: x}
    """)
    run.admit("long").do("bad", failed())
    run.wait(seconds=1800)
    assert run.run.tasks["long"].stopping is None
    run.end("long").admit("clean")
    run.wait(seconds=599)
    assert run.run.tasks["clean"].stopping is None
    run.wait(seconds=600)
    run.wait(seconds=2)
    assert run.run.tasks["clean"].stopping == "cancelled"
    run.end("clean", STOPPED)
    assert str(run.result) == "failed"


def test_a_timeout_that_passes_in_the_cleanup_of_a_cancelled_run_leaves_it_cancelled() -> None:
    run = drive("""
    timeout: 60s
    tasks: {a: {run: x}, b: {after_end: [a], run: x}}
    """)
    run.admit("a").cancel().end("a", STOPPED).admit("b").wait(seconds=61).end("b")
    assert str(run.result) == "cancelled"


def test_queued_items_of_a_start_hook_do_not_keep_a_cancelled_run_alive() -> None:
    run = drive("""
    tasks: {a: {run: x}}
    hooks: {start: {s: {run: x, fan_out: {items: [1, 2]}}}}
    """)
    run.cancel()
    assert str(run.result) == "cancelled"


# --- instants -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00"])
def test_an_instant_that_is_none_in_utc_fails_the_wait(text: str) -> None:
    run = drive(f"""
    params: {{at: {{type: string, default: "{text}"}}}}
    tasks: {{a: {{wait: {{until: "${{{{ params.at }}}}"}}}}}}
    """)
    assert run.failure("a").kind == "expression"


def test_undo_of_many_tasks_goes_backwards() -> None:
    tasks = "".join(f"  t{i}: {{run: x, undo: {{run: y}}{f', after: [t{i - 1}]' if i else ''}}}\n" for i in range(30))
    run = Driving(plan_of(f"tasks:\n{tasks}  bad: {{after: [t29], fail: no}}")).start()
    run.finish()
    undone = [event.task for event in run.log if isinstance(event, TaskSucceeded) and event.task.startswith("undo.")]
    assert undone == [f"undo.t{i}" for i in reversed(range(30))]
    run.require_replay()


def test_an_empty_fan_out_has_begun() -> None:
    run = drive("tasks: {a: {run: x, fan_out: {items: []}}, b: {after_start: [a], run: x}}")
    assert any(isinstance(event, FannedOut) for event in run.log)
    assert run.states() == {"a": "succeeded", "b": "queued"}
    assert run.now == START


def test_a_float_case_of_a_switch_is_matched_by_a_float() -> None:
    run = drive("""
    tasks:
      a: {run: x, outputs: {n: {type: float}}}
      b: {after: [a], switch: {value: tasks.a.output.n, cases: {1.50: [c]}}}
      c: {run: x}
    """)
    run.do("a", Outcome(Ending.SUCCEEDED, output={"n": 1.5}))
    assert run.state("c") == "queued"


def test_reports_of_items_that_do_not_exist_are_dropped() -> None:
    run = drive("tasks: {a: {run: x, fan_out: {items: [1]}}}")
    run.admit("a", 0)
    key = run.live()[0]
    for strange in (None, 1, 99):
        assert run.tell(AttemptEnded(type(key)("run", "a", strange, 1, 1), OK)) == []


def test_a_long_chain_of_fallbacks_is_walked_once() -> None:
    count = 300
    chain = "".join(f"  t{i}: {{after_failure: [t{i - 1}], recovers: true, run: x}}\n" for i in range(1, count))
    last = f"  z: {{after: [{', '.join(f't{i}' for i in range(count))}], run: x}}"
    run = Driving(plan_of(f"when_failed: drain\ntasks:\n  t0: {{run: x}}\n{chain}{last}")).start()
    for index in range(count - 1):
        run.do(f"t{index}", failed())
        assert run.state("z") == "pending"
    run.do(f"t{count - 1}").do("z")
    assert (str(run.result), run.run.warnings) == ("succeeded", count - 1)
    run.require_replay()


def test_a_reset_of_a_handler_makes_what_it_made_good_undecided() -> None:
    run = drive("""
    tasks:
      a: {run: x}
      h: {after_failure: [a], recovers: true, run: x}
      i: {after_failure: [h], recovers: true, run: x}
      gate: {run: x}
      z: {after: [a, gate], run: x}
      ask: {after: [i], run: x, retry_upstream: {tasks: [i], rounds: 1}}
    """)
    run.do("a", failed()).do("h", failed()).do("i").do("ask", failed())
    assert run.run.tasks["i"].round == 2
    run.do("gate")
    assert run.state("z") == "pending"
    run.do("i", failed())
    assert run.state("z") == "blocked"
    run.require_replay()
