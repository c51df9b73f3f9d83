"""The tables beside the log: written step by step, they hold what the whole log says."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.attempts import AttemptEnded
from engine.evolve import evolve, new_run
from engine.outcomes import Ending, Outcome
from engine.projection import make_batch, run_row
from engine.run import Run
from engine.store.rows import AttemptRow, RunRow, TaskRow
from engine.store.sqlite import SqliteStore
from tests.engine.driving import OK, Driving, failed, plan_of

FLOW = """
when_failed: drain
tasks:
  a: {run: x, outputs: {n: {type: list}}, retry: {attempts: 2, delay: 5s, jitter: none}}
  b:
    after: [a]
    fan_out: {items: tasks.a.output.n, tolerate: 1}
    run: x
    retry_upstream: {tasks: [a], rounds: 1, errors: ["exit:42"]}
  c: {after: [b], run: x, allow_failure: true}
  d: {after_end: [b], run: x}
  e: {after_failure: [b], run: x}
hooks: {complete: {h: {run: x}}}
"""


class Tables:
    """What a store holds after each batch."""

    def __init__(self) -> None:
        self.run: RunRow | None = None
        self.tasks: dict[tuple[str, int], TaskRow] = {}
        self.attempts: dict[tuple[str, int, int, int], AttemptRow] = {}
        self.events = 0

    def write(self, run: Run, driving: Driving, since: int) -> None:
        """Write what follows the first `since` events."""
        events = driving.log[since:]
        if not events:
            return
        batch = make_batch(driving.plan, run, events, owner="me", token=1)
        assert batch.expected_seq == since == self.events
        assert [row.seq for row in batch.events] == list(range(since + 1, since + len(events) + 1))
        assert batch.new == (since == 0)
        self.run = batch.run
        self.tasks |= {(row.task, row.item): row for row in batch.tasks}
        self.attempts |= {(row.task, row.item, row.round, row.attempt): row for row in batch.attempts}
        self.events += len(events)


def random_run(data: st.DataObject) -> Driving:
    """A run under some commands in some order."""
    run = Driving(plan_of(FLOW)).start()
    for _ in range(data.draw(st.integers(0, 25))):
        choices: list[Any] = [("admit", *unit) for unit in run.queued()] + [("end", key) for key in run.live()]
        choices += [("wait",)] if run.run.timers else []
        if run.run.state.is_final or not choices:
            break
        choice = data.draw(st.sampled_from(choices))
        if choice[0] == "admit":
            run.admit(choice[1], choice[2])
        elif choice[0] == "wait":
            run.wait(until=max(run.now + timedelta(milliseconds=1), run.run.timers[0].at))
        else:
            good = Outcome(Ending.SUCCEEDED, output={"n": [1, 2]}) if choice[1].task == "a" else OK
            how = data.draw(st.sampled_from((good, good, failed(), failed(exit_code=42), Outcome(Ending.LOST))))
            run.tell(AttemptEnded(choice[1], how))
    return run


@given(st.data())
@settings(max_examples=60, deadline=None)
def test_rows_written_step_by_step_are_those_of_the_whole_log(data: st.DataObject) -> None:
    driving = random_run(data)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(driving.log)), max_size=8)) | {1, len(driving.log)})
    stepwise, whole = Tables(), Tables()
    run, done = new_run(driving.plan, "run"), 0
    for cut in cuts:
        for event in driving.log[done:cut]:
            evolve(driving.plan, run, event)
        stepwise.write(run, _until(driving, cut), done)
        done = cut
    whole.write(driving.run, driving, 0)
    current = {name: task.round for name, task in driving.run.tasks.items()}
    assert stepwise.run == whole.run == run_row(driving.plan, driving.run, owner="me", token=1)
    of_now = {
        key: row for key, row in stepwise.tasks.items() if row.round == current[row.task] and _exists(driving, key)
    }
    assert of_now == whole.tasks
    assert stepwise.attempts == whole.attempts


def _until(driving: Driving, cut: int) -> Driving:
    """The same run when it had so many events."""
    found = Driving(driving.plan)
    found.log = driving.log[:cut]
    return found


def _exists(driving: Driving, key: tuple[str, int]) -> bool:
    """Whether an item is one of the present round."""
    items = driving.run.tasks[key[0]].items
    return key[1] < 0 or (items is not None and key[1] < len(items))


@given(st.data())
@settings(max_examples=15, deadline=None)
def test_a_store_takes_every_batch(data: st.DataObject) -> None:
    driving = random_run(data)
    store, run = SqliteStore.in_memory(), new_run(driving.plan, "run")
    for number, event in enumerate(driving.log, start=1):
        evolve(driving.plan, run, event)
        store.commit([make_batch(driving.plan, run, driving.log[number - 1 : number], owner="me", token=1)])
    found = store.run("run")
    assert found is not None
    assert (found.state, found.seq) == (str(driving.run.state), len(driving.log))
    assert {row.task: row.state for row in store.tasks("run")} == {
        name: str(task.state) for name, task in driving.run.tasks.items()
    }
    store.close()


def test_the_first_batch_lists_every_task() -> None:
    driving = Driving(plan_of(FLOW))
    batch = make_batch(driving.plan, driving.run, driving.log, owner=None, token=1)
    assert [(row.task, row.state, row.position) for row in batch.tasks] == [
        (name, "pending", position) for position, name in enumerate(driving.plan.tasks)
    ]


def test_an_attempt_is_listed_with_how_it_ended() -> None:
    driving = Driving(plan_of("tasks: {a: {run: x}}")).start()
    driving.admit("a").wait(seconds=5).end("a", failed(exit_code=7))
    batch = make_batch(driving.plan, driving.run, driving.log, owner=None, token=1)
    (row,) = batch.attempts
    assert (row.state, row.exit_code, row.ended_at) == ("failed", 7, driving.now)
    assert row.ended_at is not None
    assert row.ended_at - row.started_at == timedelta(seconds=5)
    assert row.error == {"kind": "exit", "message": "failed with exit", "exit_code": 7}


@pytest.mark.parametrize("count", [0, 3])
def test_a_fan_out_is_listed_with_its_counts(count: int) -> None:
    driving = Driving(plan_of(f"tasks: {{a: {{run: x, fan_out: {{items: {list(range(count))}}}}}}}")).start()
    if count:
        driving.do("a", OK, 1)
    batch = make_batch(driving.plan, driving.run, driving.log, owner=None, token=1)
    rows = {row.item: row for row in batch.tasks if row.task == "a"}
    done = min(count, 1)
    assert rows[-1].counts == {"total": count, "succeeded": done, "failed": 0, "active": count - done}
    assert [(rows[i].key, rows[i].state) for i in range(count)] == [
        (str(i), "succeeded" if i == 1 else "queued") for i in range(count)
    ]
