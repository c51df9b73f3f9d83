"""Admission against a model that looks at every candidate each time (`LANGUAGE.md` 11)."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.admission import BACKGROUND, Admission, Candidate

NOW = datetime(2026, 1, 2, tzinfo=UTC)
SLOTS = 3


def candidate(run: str = "r", task: str = "t", item: int = -1, **facts: Any) -> Candidate:
    fields: dict[str, Any] = {"priority": 2, "scheduled_at": NOW, "order": 0, "position": 0, **facts}
    return Candidate(item=item, run_id=run, task=task, **fields)


class AdmissionMachine(RuleBasedStateMachine):
    """The model keeps what waits and what runs, and scans."""

    def __init__(self) -> None:
        super().__init__()
        self.admission = Admission(slots=SLOTS)
        self.waiting: dict[tuple[str, str, int], Candidate] = {}
        self.running: dict[tuple[str, str, int], Candidate] = {}
        self.order = 0

    def may_start(self, one: Candidate) -> bool:
        engine = sum(other.holds_slot for other in self.running.values())
        runs = Counter(other.run_id for other in self.running.values() if other.run_slots is not None)
        tasks = Counter((other.run_id, other.task) for other in self.running.values())
        if one.priority == BACKGROUND and self.is_busy():
            return False
        if one.holds_slot and engine >= SLOTS:
            return False
        if one.run_slots is not None and runs[one.run_id] >= one.run_slots:
            return False
        return one.max_parallel is None or tasks[one.run_id, one.task] < one.max_parallel

    def is_busy(self) -> bool:
        """Whether other work than background is running or queued; a sub-flow that runs does no work itself."""
        queued = any(other.priority != BACKGROUND for other in self.waiting.values())
        return queued or any(other.priority != BACKGROUND and other.holds_slot for other in self.running.values())

    def expected(self) -> list[Candidate]:
        """What starts now, most urgent first: after each start everything is looked at again."""
        found: list[Candidate] = []
        while startable := [one for one in sorted(self.waiting.values()) if self.may_start(one)]:
            chosen = startable[0]
            del self.waiting[chosen.key]
            self.running[chosen.key] = chosen
            found.append(chosen)
        return found

    @rule(
        run=st.sampled_from("ab"),
        task=st.sampled_from("stu"),
        item=st.integers(-1, 3),
        priority=st.sampled_from((0, 1, 2, 2, 3, BACKGROUND)),
        late=st.integers(0, 2),
    )
    def offer(self, run: str, task: str, item: int, priority: int, late: int) -> None:
        if (run, task, item) in self.waiting or (run, task, item) in self.running:
            return
        self.order += 1
        one = candidate(
            run,
            task,
            item,
            priority=priority,
            scheduled_at=NOW + timedelta(seconds=late),
            order=self.order // 2,
            position=ord(task),
            holds_slot=task != "u",  # `u` is a sub-flow
            run_slots=2 if task != "u" else None,
            max_parallel=1 if task == "t" else 2 if task == "u" else None,
        )
        self.admission.offer(one)
        self.waiting[one.key] = one

    @rule()
    def take(self) -> None:
        assert list(self.admission.take()) == self.expected()

    @rule()
    def take_one(self) -> None:
        found = next(self.admission.take(), None)
        startable = [one for one in sorted(self.waiting.values()) if self.may_start(one)]
        assert found == (startable[0] if startable else None)
        if found is not None:
            self.running[found.key] = self.waiting.pop(found.key)

    @precondition(lambda self: self.running)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.running)))
        self.admission.release(key)
        del self.running[key]

    @precondition(lambda self: self.waiting)
    @rule(data=st.data())
    def withdraw(self, data: st.DataObject) -> None:
        key = data.draw(st.sampled_from(sorted(self.waiting)))
        self.admission.withdraw(key)
        del self.waiting[key]

    @rule(item=st.integers(-1, 3))
    def tell_of_strangers(self, item: int) -> None:
        self.admission.release(("x", "s", item))
        self.admission.withdraw(("x", "s", item))

    @invariant()
    def the_counts_agree(self) -> None:
        assert self.admission.waiting == len(self.waiting)
        assert self.admission.running == len(self.running)
        for key in self.waiting:
            assert self.admission.is_queued(key)

    def teardown(self) -> None:
        """Nothing starves: everything that waits starts once what runs has ended."""
        while self.waiting:
            before = len(self.waiting)
            started = list(self.admission.take())
            assert started == self.expected()
            for key in list(self.running):
                self.admission.release(key)
                del self.running[key]
            assert started or len(self.waiting) == before
        assert not list(self.admission.take())


AdmissionMachine.TestCase.settings = settings(max_examples=80, stateful_step_count=40, deadline=None)
TestAdmissionMachine = AdmissionMachine.TestCase


def starts(admission: Admission) -> list[str]:
    return [one.task for one in admission.take()]


def test_units_are_taken_by_class_then_time_then_queue_then_file() -> None:
    admission = Admission(slots=64)
    later = NOW + timedelta(seconds=1)
    offered = [
        candidate(task="f", priority=3),
        candidate(task="e", scheduled_at=later),
        candidate(task="d", order=2),
        candidate(task="c", order=1, position=2),
        candidate(task="b", order=1, position=1),
        candidate(task="a", priority=0, scheduled_at=later, order=9, position=9),
    ]
    for one in offered:
        admission.offer(one)
    assert starts(admission) == ["a", "b", "c", "d", "e", "f"]


def test_a_candidate_that_is_held_up_holds_nobody_up() -> None:
    admission = Admission(slots=64)
    for item in range(3):
        admission.offer(candidate(task="fan", item=item, priority=0, max_parallel=1))
    admission.offer(candidate(task="other", priority=3))
    assert starts(admission) == ["fan", "other"]
    admission.release(("r", "fan", 0))
    assert [one.item for one in admission.take()] == [1]


def test_background_work_waits_until_nothing_else_runs_or_is_queued() -> None:
    admission = Admission(slots=1)
    admission.offer(candidate(task="quiet", priority=BACKGROUND))
    admission.offer(candidate(task="one"))
    admission.offer(candidate(task="two"))
    assert starts(admission) == ["one"]
    admission.release(("r", "one", -1))
    assert starts(admission) == ["two"]
    admission.release(("r", "two", -1))
    assert starts(admission) == ["quiet"]


def test_background_work_in_a_called_flow_does_not_wait_for_the_task_that_called_it() -> None:
    admission = Admission(slots=4)
    admission.offer(candidate(task="call", holds_slot=False))
    assert starts(admission) == ["call"]
    admission.offer(candidate(run="child", task="quiet", priority=BACKGROUND))
    assert starts(admission) == ["quiet"]


def test_a_unit_offered_again_counts_once() -> None:
    admission = Admission(slots=4)
    for order in (1, 2):
        admission.offer(candidate(task="one", order=order))
    assert starts(admission) == ["one"]
    admission.release(("r", "one", -1))
    admission.offer(candidate(task="quiet", priority=BACKGROUND))
    assert starts(admission) == ["quiet"]


def test_runs_that_have_ended_leave_nothing_behind() -> None:
    admission = Admission(slots=2)
    for run in range(50):
        for item in range(3):
            admission.offer(candidate(run=f"r{run}", item=item, run_slots=2, max_parallel=2))
        while started := list(admission.take()):
            for one in started:
                admission.release(one.key)
    assert not admission._caps
    assert (admission._engine.used, admission._engine.parked, admission._quiet.parked) == (0, [], [])


def test_a_unit_that_is_withdrawn_and_queued_again_at_once_starts_once() -> None:
    admission = Admission(slots=1)
    again = candidate(task="one", run_slots=None)
    for _ in range(3):
        admission.offer(again)
        admission.withdraw(again.key)
    admission.offer(again)
    admission.offer(candidate(task="two"))
    assert starts(admission) == ["one"]
    admission.release(("r", "one", -1))
    assert starts(admission) == ["two"]
