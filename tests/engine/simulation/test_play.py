"""A simulated run: the engine's own decisions, in virtual time, with nothing done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from engine.events import TYPE_NAMES, RunFinished, TaskRetrying, encode
from engine.simulation import BEGINNING, DEFAULT_DURATION, Played, Setup, SimulationTooLong, Stub, StubSet, play
from engine.states import RunState
from flowctl.testing.failing import failure_named
from tests.engine.simulation.playing import plan_of, played, state

TWO = """
tasks:
  first: {run: echo, retry: {attempts: 3, delay: 10s}, outputs: {n: {type: int}, note: {type: string}}}
  second: {after: [first], exec: [tool, "${{ tasks.first.output.n }}"]}
outputs: {n: "${{ tasks.first.output.n }}"}
"""


def failing(name: str, **more: object) -> Stub:
    return Stub(failure=failure_named(name), **more)  # type: ignore[arg-type]


def took(done: Played) -> timedelta:
    run = done.first.run
    assert run.submitted_at is not None
    assert run.ended_at is not None
    return run.ended_at - run.submitted_at


def log(done: Played) -> list[tuple[str, int, str, str, object]]:
    return [
        (entry.run.run.id, entry.seq, entry.event.at.isoformat(), TYPE_NAMES[type(entry.event)], encode(entry.event))
        for entry in done.trace.entries
    ]


def test_each_attempt_takes_its_time_and_outputs_are_invented_from_their_types() -> None:
    done = played(plan_of(TWO))
    assert done.first.run.state is RunState.SUCCEEDED
    assert done.first.run.tasks["first"].output == {"n": 1, "note": "note"}
    assert done.first.run.outputs == {"n": 1}
    assert took(done) == 2 * DEFAULT_DURATION


def test_the_same_seed_gives_the_same_events_and_another_seed_another_jitter() -> None:
    plan, stubs = plan_of(TWO), {"first": Stub(attempts=(failing("exit:1"), failing("exit:1")))}
    one, again, other = (log(played(plan, stubs, seed=seed)) for seed in (1, 1, 2))
    assert one == again
    assert one != other


def test_what_is_given_is_output_and_what_is_left_out_is_invented() -> None:
    done = played(plan_of(TWO), {"first": Stub(outputs={"n": 7})})
    assert done.first.run.tasks["first"].output == {"n": 7, "note": "note"}


def test_attempts_end_one_after_the_other_and_then_as_the_stub_says() -> None:
    done = played(plan_of(TWO), {"first": Stub(outputs={"n": 4}, attempts=(failing("exit:1"), failing("lost")))})
    retries = [entry.event.why for entry in done.trace.entries if isinstance(entry.event, TaskRetrying)]
    assert retries == ["failed", "lost"]
    assert done.first.run.tasks["first"].output == {"n": 4, "note": "note"}


def test_what_hangs_is_ended_by_its_timeout() -> None:
    plan = plan_of("tasks: {slow: {run: echo, timeout: 7m}}")
    done = played(plan, {"slow": failing("timeout")})
    failure = done.first.run.tasks["slow"].failure
    assert failure is not None
    assert (failure.kind, took(done)) == ("timeout", timedelta(minutes=7))


def test_an_attempt_that_takes_longer_than_its_timeout_is_ended() -> None:
    plan = plan_of("tasks: {slow: {run: echo, timeout: 7m}}")
    done = played(plan, {"slow": Stub(duration=timedelta(minutes=8))})
    assert state(done, "slow") == "failed"


def test_a_wait_of_days_passes_at_once() -> None:
    done = played(plan_of("tasks: {rest: {wait: {for: 30d}}}"))
    assert took(done) == timedelta(days=30)


def test_a_run_begins_when_it_is_told_to() -> None:
    at = datetime(2030, 5, 6, 7, 8, 9, tzinfo=UTC)
    assert played(plan_of(TWO), at=at).trace.entries[0].event.at == at
    assert played(plan_of(TWO)).trace.entries[0].event.at == BEGINNING


def test_a_called_flow_is_simulated_with_its_tasks_stubbed_by_item() -> None:
    child = """
    params: {n: {type: int}}
    tasks:
      work: {run: echo, outputs: {n: {type: int}}}
    outputs: {sum: "${{ params.n + tasks.work.output.n }}"}
    """
    plan = plan_of(
        """
        tasks:
          each: {flow: child.yaml, fan_out: {items: [10, 20], tolerate: 1}, with: {n: "${{ item }}"}}
        outputs: {sums: "${{ tasks.each.outputs | compact | pluck('sum') }}"}
        """,
        child=child,
    )
    general = {"work": Stub(outputs={"n": 5})}
    done = played(plan, {"each": Stub(tasks=general)})
    assert done.first.run.outputs == {"sums": [15, 25]}
    one_fails = {"each": Stub(tasks=general, items={"1": Stub(tasks={"work": failing("exit:3")})})}
    assert played(plan, one_fails).first.run.outputs == {"sums": [15]}


def test_a_service_is_ready_at_once_and_stopped_when_nothing_needs_it() -> None:
    plan = plan_of("tasks: {db: {run: echo, service: true}, use: {after_start: [db], run: echo}}")
    done = played(plan)
    assert [state(done, name) for name in ("db", "use")] == ["succeeded", "succeeded"]
    assert took(done) == DEFAULT_DURATION


def test_a_service_that_starts_when_all_else_has_ended_does_not_hold_the_run() -> None:
    done = played(plan_of("tasks: {first: {run: echo}, helper: {after: [first], run: echo, service: true}}"))
    assert state(done, "helper") == "succeeded"


def test_services_that_nothing_but_services_need_do_not_hold_the_run() -> None:
    plan = plan_of(
        """
        tasks:
          first: {run: echo}
          under: {run: echo, service: true}
          upper: {after_start: [first, under], run: echo, service: true}
        """
    )
    done = played(plan)
    assert [state(done, name) for name in ("under", "upper")] == ["succeeded", "succeeded"]


def test_secrets_are_given_or_invented_and_masked_like_real_ones() -> None:
    plan = plan_of(
        """
        secrets: {TOKEN: {from: "env:NOT_SET"}, KEY: {from: "file:/nowhere"}}
        tasks: {use: {run: echo, env: {TOKEN: "${{ secrets.TOKEN }}", KEY: "${{ secrets.KEY }}"}}}
        """
    )
    done = played(plan, secrets={"TOKEN": "given text"})
    (launch,) = done.first.launches["use", None]
    assert (launch.env["TOKEN"], launch.env["KEY"]) == ("given text", "secret-KEY")
    assert set(launch.secrets) == {"given text", "secret-KEY"}


def test_tasks_see_nothing_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-this-machine")
    (launch,) = played(plan_of("tasks: {use: {run: echo}}")).first.launches["use", None]
    assert launch.env["HOME"] == "/home/simulated"
    assert launch.env["FLOW_RUN_DIR"] == "/simulated/1/work"


def test_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    played(plan_of(TWO), {"first": failing("exit:1")})
    assert list(tmp_path.iterdir()) == []
    assert not Path("/simulated").exists()


def test_a_request_has_the_outputs_of_its_connector() -> None:
    plan = plan_of(
        """
        tasks:
          get: {use: http.request, with: {url: "https://example.org/"}}
          ok: {after: [get], if: tasks.get.output.status == 200, run: echo}
        """
    )
    assert state(played(plan), "ok") == "succeeded"


def test_a_task_whose_ancestors_run_again_counts_its_attempts_over_all_rounds() -> None:
    plan = plan_of(
        """
        tasks:
          fetch: {run: echo}
          check: {after: [fetch], run: echo, retry_upstream: {tasks: [fetch], rounds: 2, errors: ["exit:42"]}}
        """
    )
    done = played(plan, {"check": Stub(attempts=(failing("exit:42"),))})
    assert (state(done, "check"), done.first.run.tasks["fetch"].round) == ("succeeded", 2)


def test_a_simulation_has_an_end_even_if_the_run_is_endless() -> None:
    plan = plan_of("tasks: {p: {run: echo, outputs: {ok: {type: bool}}, repeat: {until: task.output.ok, max: 100000}}}")
    setup = Setup(plan, {}, stubs=StubSet({"p": Stub(outputs={"ok": False})}))
    with pytest.raises(SimulationTooLong):
        play(setup, most_events=1000)


def test_a_run_that_goes_on_past_the_calendar_is_refused() -> None:
    plan = plan_of('tasks: {rest: {wait: {until: "9999-12-31T23:59:59.5Z"}}, then: {after: [rest], run: echo}}')
    with pytest.raises(SimulationTooLong, match="9999"):
        played(plan)


def test_the_store_holds_the_run_as_that_of_a_real_one() -> None:
    done = played(plan_of(TWO))
    row = done.store.run(done.first.run.id)
    assert row is not None
    assert (row.state, row.outputs) == ("succeeded", {"n": 1})
    assert isinstance(done.trace.entries[-1].event, RunFinished)
    assert len(done.store.events(row.id)) == len(done.trace.entries)
