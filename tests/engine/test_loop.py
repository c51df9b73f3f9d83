"""The loop as a whole: what is committed is acted on, what is not is not; flows in flows, caps, time, and failing stores."""

from __future__ import annotations

import errno
import math
from pathlib import Path

import pytest

from engine.attempts import Launch
from engine.commands import Cancel
from engine.errors import StoreConflict, StoreUnavailable
from engine.events import ResetRequested
from engine.evolve import fold
from engine.outcomes import Ending, Failure, Outcome
from engine.run_files import RunFiles
from tests.engine.looping import OK, Loop, NoFolders, Script, plan_of

DIAMOND = """
tasks:
  a: {run: x}
  b: {after: [a], run: x}
  c: {after: [a], run: x, retry: {attempts: 2, delay: 10s, jitter: none}}
  d: {after: [b, c], run: x}
"""


def ends(*outcomes: Outcome, took: float = 1.0) -> Script:
    """One attempt after the other ends so; the last outcome repeats."""
    left = list(outcomes)
    return lambda launch: (took, left.pop(0) if len(left) > 1 else left[0])


def failed(code: int = 1) -> Outcome:
    return Outcome(Ending.FAILED, Failure("exit", f"exited with {code}", exit_code=code))


# --- one flow -----------------------------------------------------------------------------------------------------------


def test_a_run_goes_from_submission_to_its_end_and_the_store_has_it_all() -> None:
    loop, plan = Loop({"c": ends(failed(), OK)}), plan_of(DIAMOND)
    run = loop.run(plan)
    assert str(run.state) == "succeeded"
    assert loop.started == ["a", "b", "c", "c", "d"]
    assert loop.seconds() == 1 + 1 + 10 + 1 + 1
    loop.require_replay(plan, run)
    row = loop.memory.run(run.id)
    assert row is not None
    assert (row.state, row.owner, row.seq) == ("succeeded", None, run.seq)
    assert [(task.task, task.state, task.attempts) for task in loop.memory.tasks(run.id)] == [
        ("a", "succeeded", 1),
        ("b", "succeeded", 1),
        ("c", "succeeded", 2),
        ("d", "succeeded", 1),
    ]


def test_a_run_that_is_driven_belongs_to_its_engine() -> None:
    loop = Loop()
    run_id = loop.submit(plan_of(DIAMOND))
    row = loop.memory.run(run_id)
    assert row is not None
    assert (row.state, row.owner) == ("queued", "test")


def test_observers_are_told_each_event_once_in_order() -> None:
    loop, plan = Loop(), plan_of(DIAMOND)
    run = loop.run(plan)
    assert [seq for run_id, seq, _ in loop.told] == list(range(1, run.seq + 1))


def test_a_task_whose_values_cannot_be_had_fails_and_is_never_started() -> None:
    loop = Loop()
    run = loop.run(plan_of('params: {n: {type: int}}\ntasks: {a: {exec: [echo, "${{ 1 / params.n }}"]}}'), n=0)
    assert loop.started == []
    assert run.tasks["a"].failure is not None
    assert run.tasks["a"].failure.kind == "expression"


def test_a_secret_in_the_message_of_a_failing_expression_is_not_kept() -> None:
    secret = "correct-horse-battery-staple-" * 4
    loop = Loop(host={"TOKEN": secret})
    plan = plan_of("""
    secrets: {TOKEN: {from: "env:TOKEN"}}
    tasks: {a: {env: {N: "${{ secrets.TOKEN | int }}"}, run: x}}
    """)
    run = loop.run(plan)
    failure = run.tasks["a"].failure
    assert failure is not None
    assert failure.kind == "expression"
    kept = "".join(str(row.data) for row in loop.memory.events(run.id))
    assert "correct" not in kept


def test_a_secret_that_is_missing_fails_its_task_alone() -> None:
    plan = plan_of("""
    secrets: {TOKEN: {from: "env:TOKEN"}}
    tasks: {a: {env: {T: "${{ secrets.TOKEN }}"}, run: x}, b: {run: x}}
    """)
    loop = Loop()
    run = loop.run(plan)
    assert (run.tasks["a"].failure, str(run.tasks["b"].state)) == (
        Failure("secret", "secret `TOKEN`: the variable `TOKEN` is not set"),
        "succeeded",
    )


class NoRoom(NoFolders):
    """Folders on a full disk."""

    def make_run(self, run_id: str) -> None:
        """Nothing fits."""
        raise OSError(errno.ENOSPC, "No space left on device")


def test_a_folder_that_cannot_be_made_fails_the_attempt() -> None:
    loop = Loop(files=NoRoom(Path("/runs")))
    run = loop.run(plan_of("tasks: {a: {run: x}}"))
    failure = run.tasks["a"].failure
    assert failure is not None
    assert "no space left on device" in failure.message
    assert loop.started == []


def test_the_folders_of_a_run_are_there_when_an_attempt_starts(tmp_path: Path) -> None:
    seen: list[tuple[bool, bool]] = []

    def look(launch: Launch) -> tuple[float, Outcome]:
        seen.append((Path(launch.files.work).is_dir(), Path(launch.files.log).parent.is_dir()))
        return 1, OK

    loop = Loop({"a": look}, files=RunFiles(tmp_path))
    loop.run(plan_of("tasks: {a: {run: x}}"))
    assert seen == [(True, True)]


# --- caps and order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("flow", "slots", "most"),
    [
        ("concurrency: {tasks: 3}\ntasks: {a: {run: x, fan_out: {items: [1,2,3,4,5,6,7,8]}}}", 64, 3),
        ("tasks: {a: {run: x, fan_out: {items: [1,2,3,4,5,6,7,8]}}}", 2, 2),
        ("tasks: {a: {run: x, fan_out: {items: [1,2,3,4,5,6,7,8], max_parallel: 4}}}", 64, 4),
        ("tasks: {a: {run: x, fan_out: {items: [1,2,3,4,5,6,7,8]}}}", 64, 8),
    ],
)
def test_no_cap_is_exceeded_and_each_is_used_up(flow: str, slots: int, most: int) -> None:
    loop = Loop(slots=slots)
    run = loop.run(plan_of(flow))
    assert str(run.state) == "succeeded"
    assert len(loop.started) == 8
    assert loop.seconds() == math.ceil(8 / most)


def test_urgent_tasks_go_first_and_pull_what_they_wait_for() -> None:
    loop = Loop(slots=1)
    loop.run(
        plan_of("""
        tasks:
          low: {run: x, priority: low}
          normal: {run: x}
          first: {run: x, priority: low}
          urgent: {after: [first], run: x, priority: critical}
          idle: {run: x, priority: background}
        """)
    )
    assert loop.started == ["first", "urgent", "normal", "low", "idle"]


def test_the_class_given_for_a_run_is_that_of_tasks_that_set_none() -> None:
    loop, plan = Loop(slots=1), plan_of("tasks: {a: {run: x}, b: {run: x, priority: high}}")
    other = plan_of("tasks: {c: {run: x}}")
    run_id = loop.submit(plan)
    loop.submit(other, priority=0)
    loop.engine.drive(run_id)
    assert loop.started == ["c", "b", "a"]


# --- flows in flows -----------------------------------------------------------------------------------------------------

CALLER = """
tasks:
  call: {flow: child.yaml, with: {n: 3}}
  after: {after: [call], exec: [echo, "${{ tasks.call.output.twice }}"]}
"""
CHILD = """
name: child
params: {n: {type: int}}
tasks:
  work: {run: x}
  sum: {after: [work], set: {m: "${{ params.n * 2 }}"}}
outputs: {twice: "${{ tasks.sum.output.m }}"}
"""


def test_a_called_flow_gives_its_outputs_to_the_caller() -> None:
    loop, plan = Loop(), plan_of(CALLER, child=CHILD)
    run = loop.run(plan)
    assert str(run.state) == "succeeded"
    assert run.tasks["call"].output == {"twice": 6}
    (child,) = loop.memory.children(run.id)
    assert (child.flow, child.state, child.parent_task, child.params) == ("child", "succeeded", "call", {"n": 3})
    attempts = loop.memory.attempts(run.id, task="call")
    assert [(one.child_run, one.state) for one in attempts] == [(child.id, "succeeded")]
    loop.require_replay(plan, run)
    replayed = fold(plan.children["child.yaml"], child.id, loop.logged(child.id))
    assert (str(replayed.state), replayed.outputs) == ("succeeded", {"twice": 6})


def test_a_called_flow_that_fails_fails_its_task_which_may_be_tried_again() -> None:
    caller = CALLER.replace("with: {n: 3}", "with: {n: 3}, retry: {attempts: 2, delay: 5s, jitter: none}")
    loop = Loop({"work": ends(failed(), OK)})
    run = loop.run(plan_of(caller, child=CHILD))
    assert str(run.state) == "succeeded"
    children = loop.memory.children(run.id)
    assert [child.state for child in children] == ["failed", "succeeded"]

    loop = Loop({"work": ends(failed(7))})
    run = loop.run(plan_of(CALLER, child=CHILD))
    failure = run.tasks["call"].failure
    assert str(run.state) == "failed"
    assert failure is not None
    assert failure.kind == "flow"
    assert "exited with 7" in failure.message


def test_parameters_that_do_not_fit_fail_the_calling_task() -> None:
    child = CHILD.replace("{type: int}", "{type: int, max: 5}")
    caller = CALLER.replace("{n: 3}", '{n: "${{ 3 * 2 }}"}')
    loop = Loop()
    run = loop.run(plan_of(caller, child=child))
    failure = run.tasks["call"].failure
    assert failure is not None
    assert failure.kind == "expression"
    assert "above 5" in failure.message
    assert loop.memory.children(run.id) == ()


def test_a_cancel_reaches_called_flows_and_lets_their_cleanup_run() -> None:
    child = CHILD.replace("  sum:", "  tidy: {after_end: [work], run: x}\n  sum:")
    loop = Loop({"work": ends(OK, took=100)})
    run_id = loop.submit(plan_of(CALLER, child=child))
    loop.until(lambda: "work" in loop.started)
    loop.engine.cancel(run_id, Cancel())
    run = loop.engine.drive(run_id)
    assert str(run.state) == "cancelled"
    assert str(run.tasks["call"].state) == "cancelled"
    (found,) = loop.memory.children(run.id)
    assert found.state == "cancelled"
    assert loop.started == ["work", "tidy"]
    assert loop.seconds() == 1  # of the cleanup


def test_a_second_cancel_ends_the_cleanup_of_called_flows() -> None:
    child = CHILD.replace("  sum:", "  tidy: {after_end: [work], run: x}\n  sum:")
    loop = Loop({"work": ends(OK, took=100), "tidy": ends(OK, took=100)})
    run_id = loop.submit(plan_of(CALLER, child=child))
    loop.until(lambda: "work" in loop.started)
    loop.engine.cancel(run_id, Cancel())
    loop.until(lambda: "tidy" in loop.started)
    loop.engine.cancel(run_id, Cancel())
    run = loop.engine.drive(run_id)
    assert str(run.state) == "cancelled"
    assert loop.seconds() == 0
    assert loop.runner.stops[-1] == ("tidy", 0.0)


def test_flows_call_flows_call_flows_with_one_slot_for_all() -> None:
    called = {f"f{n}": f"name: f{n}\ntasks: {{go: {{flow: f{n + 1}.yaml}}, w: {{run: x}}}}" for n in range(1, 6)}
    called["f6"] = "name: f6\ntasks: {w: {run: x}}"
    loop = Loop(slots=1)
    run = loop.run(plan_of("tasks: {go: {flow: f1.yaml}, w: {run: x}}", **called))
    assert str(run.state) == "succeeded"
    assert loop.started == ["w"] * 7
    assert loop.seconds() == 7


def test_a_fan_out_of_flows_keeps_to_max_parallel() -> None:
    flow = "tasks: {go: {flow: child.yaml, fan_out: {items: [1, 2, 3, 4, 5], max_parallel: 2}}}"
    loop = Loop()
    run = loop.run(plan_of(flow, child="name: child\ntasks: {w: {run: x}}"))
    assert str(run.state) == "succeeded"
    assert loop.seconds() == 3
    assert len(loop.memory.children(run.id)) == 5


def test_a_background_flow_runs_though_its_caller_is_not() -> None:
    loop = Loop()
    flow = "tasks: {go: {flow: child.yaml}}"
    run = loop.run(plan_of(flow, child="name: child\npriority: background\ntasks: {w: {run: x}}"))
    assert str(run.state) == "succeeded"


def test_a_called_flow_gets_what_the_command_line_gives_and_not_what_only_its_caller_lets_through() -> None:
    caller = "host_env: [HOST]\nenv: {OWN: caller}\ntasks: {go: {flow: child.yaml}}"
    child = "name: child\nenv: {HOST: mine, GIVEN: mine}\ntasks: {w: {run: x}}"
    loop = Loop(host={"HOST": "host", "OTHER": "x"})
    loop.run(plan_of(caller, child=child), env={"GIVEN": "command line"})
    env = loop.runner.launches[0].env
    assert (env["HOST"], env["GIVEN"]) == ("mine", "command line")
    assert "OWN" not in env
    assert "OTHER" not in env


# --- ends ---------------------------------------------------------------------------------------------------------------


def test_a_run_past_its_timeout_has_failed_and_its_children_have_ended() -> None:
    loop = Loop({"work": ends(OK, took=1000)})
    run = loop.run(plan_of("timeout: 60s\n" + CALLER.strip("\n"), child=CHILD))
    assert (str(run.state), run.draining) == ("failed", "timed_out")
    assert loop.seconds() == 60
    assert [child.state for child in loop.memory.children(run.id)] == ["cancelled"]


def test_a_cancel_ends_what_runs_with_its_grace_and_a_second_without() -> None:
    loop = Loop({"a": ends(OK, took=1000)}, stubborn=["a"])
    run_id = loop.submit(plan_of("tasks: {a: {run: x, grace: 7s}}"))
    loop.until(lambda: loop.started == ["a"])
    loop.engine.cancel(run_id, Cancel())
    loop.engine.turn()
    loop.engine.cancel(run_id, Cancel())
    run = loop.engine.drive(run_id)
    assert loop.runner.stops == [("a", 7.0), ("a", 0.0)]
    assert str(run.state) == "cancelled"
    assert loop.seconds() == 0


def test_a_cancel_of_a_run_nobody_knows_is_ignored() -> None:
    loop = Loop()
    loop.engine.cancel("nobody", Cancel())
    assert str(loop.run(plan_of(DIAMOND)).state) == "succeeded"


def test_cleanup_that_a_reset_held_in_the_queue_runs_when_the_run_is_cancelled() -> None:
    loop = Loop({"ask": ends(failed())}, slots=1)
    plan = plan_of("""
    tasks:
      a: {run: x}
      ask:
        after: [a]
        run: x
        priority: high
        retry_upstream: {tasks: [a], rounds: 1, delay: 1h, scope: descendants}
      tidy: {after_end: [a], run: x}
    """)
    run_id = loop.submit(plan)
    loop.until(lambda: any(isinstance(event, ResetRequested) for _, _, event in loop.told))
    assert loop.started == ["a", "ask"]
    loop.engine.cancel(run_id, Cancel())
    run = loop.engine.drive(run_id)
    assert str(run.state) == "cancelled"
    assert loop.started == ["a", "ask", "tidy"]
    loop.require_replay(plan, run)


# --- the store ----------------------------------------------------------------------------------------------------------

BROKEN = StoreUnavailable("the disk is full")


@pytest.mark.parametrize("commit", range(1, 12))
def test_nothing_is_started_that_was_not_committed(commit: int) -> None:
    """The runner itself asserts that the store knows each attempt it is given."""
    whole = Loop({"c": ends(failed(), OK)})
    run_of = whole.run(plan_of(DIAMOND))
    loop = Loop({"c": ends(failed(), OK)}, failing=(commit, BROKEN))
    try:
        run = loop.run(plan_of(DIAMOND))
    except StoreUnavailable as error:
        assert error is BROKEN  # noqa: PT017
        assert loop.store.commits == commit - 1
        told = [event for _, _, event in loop.told]
        stored = [row for one in loop.memory.resolve("0000") for row in loop.memory.events(one)]
        assert len(told) == len(stored)
        assert all(str(row.type) for row in stored)
    else:
        assert commit > loop.store.commits
        assert str(run.state) == str(run_of.state) == "succeeded"


def test_a_run_the_store_did_not_take_does_not_exist() -> None:
    loop = Loop(failing=(1, BROKEN))
    with pytest.raises(StoreUnavailable):
        loop.submit(plan_of("tasks: {lost: {run: x}}"))
    run = loop.run(plan_of("tasks: {kept: {run: x}}"))
    assert loop.started == ["kept"]
    assert str(run.state) == "succeeded"
    assert {run_id for run_id, _, _ in loop.told} == {run.id}


def test_another_writer_is_told_of_and_nothing_is_done() -> None:
    conflict = StoreConflict("another engine has the run", run_ids=["x"])
    loop = Loop(failing=(2, conflict))
    with pytest.raises(StoreConflict):
        loop.run(plan_of(DIAMOND))
    assert loop.started == []
