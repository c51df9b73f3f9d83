"""A run in hand, and what follows from its plan and state alone: who asks for admission, and how it stands to other runs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from msgspec import Struct, field

from engine.admission import Candidate
from engine.attempts import AttemptKey
from engine.events import Event
from engine.launching import Launcher
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.plan import ATTEMPT_ACTIONS, Plan
from engine.run import Run, Unit
from engine.states import RunState
from engine.store.rows import SpecRow

NO_ITEM = -1
FIRST_TOKEN = 1
"""The token of a run that was never taken over."""

_NORMAL = 2


class Driven(Struct, eq=False):
    """A run in hand: what has been decided and not yet been committed is in `events`.

    Attributes:
        token: what a commit must find in the store; whoever takes the run over writes another.
        alarm: the earliest of its timers that the engine has noted.
        ahead: how far the engine before was ahead of this one's clock: time does not go back in a log.
        has_folder: the run's directory exists.
        launcher: made for the first attempt.
        taken_at: when it was taken over from another engine; it queues up behind what was in hand by then.
        lost_to: the engine that has taken the run over, `""` when nobody holds it any more; `None` while it is in hand.
    """

    plan: Plan
    run: Run
    token: int = FIRST_TOKEN
    spec: SpecRow | None = None
    events: list[Event] = field(default_factory=list)
    alarm: datetime | None = None
    ahead: timedelta = timedelta(0)
    has_folder: bool = False
    launcher: Launcher | None = None
    lost_to: str | None = None
    taken_at: datetime | None = None

    @property
    def is_new(self) -> bool:
        """Whether the store does not have the run yet."""
        return self.run.seq == len(self.events)

    def units(self) -> Iterator[tuple[str, int, Unit]]:
        """Every task without a fan-out, every item of the others: name, item or -1, and how it stands."""
        for name, task in self.run.tasks.items():
            if task.items is None:
                yield name, NO_ITEM, task
            else:
                yield from ((name, index, item) for index, item in enumerate(task.items))

    def live_attempts(self) -> Iterator[AttemptKey]:
        """The attempts that a runner is making."""
        for name, item, unit in self.units():
            if unit.live and isinstance(self.plan.tasks[name].action, ATTEMPT_ACTIONS):
                yield self.key(name, None if item == NO_ITEM else item)

    def key(self, name: str, item: int | None) -> AttemptKey:
        """Names the latest attempt of a unit."""
        task = self.run.tasks[name]
        return AttemptKey(self.run.id, name, item, task.round, task.unit(item).attempt)

    def candidate(self, name: str, item: int, *, now: datetime) -> Candidate:
        """A unit as admission looks at it."""
        spec, run = self.plan.tasks[name], self.run
        is_attempt = isinstance(spec.action, ATTEMPT_ACTIONS)
        unit = run.tasks[name].unit(None if item == NO_ITEM else item)
        return Candidate(
            priority=self.class_of(name),
            scheduled_at=self.taken_at or run.scheduled_at or run.submitted_at or now,
            order=unit.queue_order,
            position=spec.position,
            item=item,
            run_id=run.id,
            task=name,
            holds_slot=is_attempt,
            run_slots=self.plan.task_slots if is_attempt and not spec.service else None,
            max_parallel=spec.fan_out.max_parallel if spec.fan_out else None,
        )

    def class_of(self, name: str) -> int:
        """The class a task is taken by. A run may have been given another than its flow's: that is for tasks with the
        flow's."""
        own = self.plan.tasks[name].priority
        return self.run.priority if own == self.plan.priority else own

    def class_of_child(self, name: str, plan: Plan) -> int:
        """The class of a called flow's run: what the calling task or its run says, else the flow's own."""
        calling = self.class_of(name)
        return plan.priority if calling == _NORMAL else calling


def child_outcome(
    run_id: str, flow: str, state: RunState, *, outputs: Mapping[str, Json] | None, problem: str | None
) -> Outcome:
    """How a called flow's run has ended, for the task that called it."""
    if state is RunState.SUCCEEDED:
        return Outcome(Ending.SUCCEEDED, output=outputs or {})
    ended = "was cancelled" if state is RunState.CANCELLED else "failed"
    reason = f": {problem}" if problem else ""
    return Outcome(Ending.FAILED, Failure("flow", f"run `{run_id}` of `{flow}` {ended}{reason}"))
