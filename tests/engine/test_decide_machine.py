"""A run under arbitrary commands in arbitrary order: it never gets stuck, never breaks its rules, and its log is the truth."""

from __future__ import annotations

from typing import Any

import networkx as nx
from hypothesis import assume, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from engine.attempts import AttemptEnded
from engine.commands import Tick
from engine.events import AttemptStarted, Event, TaskQueued, TasksReset, TaskSucceeded
from engine.graph import plan_graph
from engine.outcomes import Ending, Outcome
from engine.plan import RetryPolicy, RetryUpstream
from engine.states import TaskState
from tests.engine.driving import OK, Driving, failed
from tests.engine.plans import make_plan

NAMES = "abcdefg"
KINDS = ("after", "after_start", "after_end", "after_failure")
RETRIES = RetryPolicy(attempts=2, jitter="none")


@st.composite
def words(draw: st.DrawFn, index: int) -> dict[str, Any]:
    """A task that may depend on the tasks before it."""
    found: dict[str, Any] = {}
    for upstream in NAMES[:index]:
        kind = draw(st.sampled_from((None, None, *KINDS)))
        if kind:
            found.setdefault(kind, []).append(upstream)
    found["join"] = draw(st.sampled_from(("all", "all", "strict", "any", 2)))
    found["allow_failure"] = draw(st.sampled_from((False, False, False, True)))
    found["recovers"] = "after_failure" in found and draw(st.booleans())
    found["retry"] = draw(st.sampled_from((RetryPolicy(), RETRIES)))
    if draw(st.integers(0, 3)) == 0:
        found["fan_out"] = draw(st.integers(0, 3))
    if index and draw(st.integers(0, 4)) == 0:
        found["before_complete"] = (NAMES[index - 1],)
        found.pop("after", None)
        found.pop("after_end", None)
        found.pop("after_failure", None)
        found["recovers"] = False
    return found


class RunMachine(RuleBasedStateMachine):
    """Rules are what can happen to a run; the model is what must hold of any run."""

    def __init__(self) -> None:
        super().__init__()
        self.started: dict[tuple[str, int | None, int], int] = {}
        self.succeeded: set[tuple[str, int | None, int]] = set()
        self.seen = 0
        self.was_final = False

    @initialize(data=st.data(), size=st.integers(1, 7), when_failed=st.sampled_from(("continue", "drain", "cancel")))
    def begin(self, data: st.DataObject, size: int, when_failed: str) -> None:
        tasks = {NAMES[i]: data.draw(words(i), label=NAMES[i]) for i in range(size)}
        hooks: dict[str, Any] = {"complete": {"bye": {}}} if data.draw(st.booleans(), label="hooks") else {}
        if data.draw(st.booleans(), label="undo"):
            tasks["a"]["undo"] = {}
        plan = make_plan(tasks, hooks=hooks, when_failed=when_failed)
        assume(nx.is_directed_acyclic_graph(plan_graph(plan)))  # the checker refuses a cycle through a recovery
        self.run = Driving(plan).start()
        if size > 2 and data.draw(st.booleans(), label="reset"):
            last = NAMES[size - 1]
            members = tuple(NAMES[:size])
            upstream = RetryUpstream(("a",), 1, ("exit:42",), delay=self.run.now - self.run.now, members=members)
            tasks[last]["retry_upstream"] = upstream
            self.run = Driving(make_plan(tasks, hooks=hooks, when_failed=when_failed)).start()
        self.note()

    @precondition(lambda self: self.run.queued())
    @rule(data=st.data())
    def admit(self, data: st.DataObject) -> None:
        self.run.admit(*data.draw(st.sampled_from(self.run.queued())))
        self.note()

    @precondition(lambda self: self.run.live())
    @rule(data=st.data(), how=st.sampled_from(("ok", "ok", "exit", "ask", "lost", "stopped")))
    def end(self, data: st.DataObject, how: str) -> None:
        key = data.draw(st.sampled_from(self.run.live()))
        outcome = {
            "ok": OK,
            "exit": failed(),
            "ask": failed(exit_code=42),
            "lost": Outcome(Ending.LOST),
            "stopped": Outcome(Ending.STOPPED),
        }[how]
        self.run.tell(AttemptEnded(key, outcome))
        self.note()

    @precondition(lambda self: self.run.run.timers and not self.run.run.state.is_final)
    @rule()
    def pass_time(self) -> None:
        self.run.wait(until=max(self.run.now, self.run.run.timers[0].at))
        self.note()

    @rule(force=st.booleans(), sure=st.integers(0, 5))
    def cancel(self, force: bool, sure: int) -> None:
        if sure == 0:
            self.run.cancel(force=force)
            self.note()

    def note(self) -> None:
        for event in self.run.log[self.seen :]:
            self.check(event)
        self.seen = len(self.run.log)

    def check(self, event: Event) -> None:
        assert not self.was_final, "nothing happens after the end"
        rounds = {name: task.round for name, task in self.run.run.tasks.items()}
        if isinstance(event, AttemptStarted):
            key = (event.task, event.item, event.round)
            assert event.attempt == self.started.get(key, 0) + 1, "attempts are numbered without a gap"
            assert key not in self.succeeded, "a recorded success never runs again"
            self.started[key] = event.attempt
        elif isinstance(event, TaskSucceeded):
            self.succeeded.add((event.task, event.item, rounds[event.task]))
        elif isinstance(event, TasksReset | TaskQueued):
            pass

    @invariant()
    def the_log_is_the_truth(self) -> None:
        self.run.require_replay()

    @invariant()
    def counters_agree_with_the_tasks(self) -> None:
        run = self.run.run
        assert run.main_left == sum(not run.tasks[name].state.is_final for name in self.run.plan.main)
        for name, task in run.tasks.items():
            assert task.open == task.edges.count("waiting")
            if task.items is not None:
                assert task.active == sum(not item.state.is_final for item in task.items)
                assert task.failed == sum(item.state is TaskState.FAILED for item in task.items)
            if task.state.is_final:
                assert not task.live, name

    @invariant()
    def a_final_run_has_final_tasks_and_decides_nothing_more(self) -> None:
        run = self.run.run
        if run.state.is_final:
            self.was_final = True
            assert all(run.tasks[name].state.is_final for name in self.run.plan.main)
            assert self.run.tell(Tick()) == []

    def teardown(self) -> None:
        if hasattr(self, "run"):
            self.run.finish()
            self.run.require_replay()
            assert all(task in {str(s) for s in TaskState if s.is_final} for task in self.run.states().values())


RunMachine.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestRunMachine = RunMachine.TestCase
