"""The only loop: gather what has happened, decide, commit it all as one batch, then act.

One `Engine` drives any number of runs in one thread. An effect (a process started, one told to stop, a child run) is carried
out only after the event that calls for it is durable.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Protocol

from msgspec import Struct, field

from engine.admission import Admission, Candidate
from engine.attempts import AttemptEnded, AttemptKey, Launch, Report, Runner
from engine.clock import Clock
from engine.commands import Admit, Cancel, Command, Start, Tick
from engine.decide import decide
from engine.errors import BadParameters, StoreError
from engine.events import (
    AttemptFinished,
    AttemptStarted,
    AttemptStopping,
    Event,
    FannedOut,
    RunDraining,
    RunFinished,
    RunSubmitted,
    TaskCancelled,
    TaskFailed,
    TaskQueued,
    TasksReset,
    TaskSucceeded,
)
from engine.evolve import evolve, new_run
from engine.ids import Ids
from engine.launching import Surroundings, make_launch
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.parameters import bind_parameters
from engine.plan import ATTEMPT_ACTIONS, FlowAction, Plan
from engine.projection import make_batch
from engine.retry import Random
from engine.run import Run
from engine.scope import task_scope
from engine.states import RunState, TaskState
from engine.store.port import Store
from engine.store.rows import RunBatch, SpecRow
from engine.submission import Submission, given_environment, passed_environment, submitted
from specs.expressions import EvaluationError, resolve

NO_ITEM = -1
NORMAL = 2
STOP_AT_ONCE = timedelta(0)


class Waiter(Protocol):
    """Where reports come from: a reactor, or a test's own clockwork."""

    def wait(self, timeout_s: float | None) -> list[Report]:
        """Wait for reports, at most `timeout_s` seconds (`None`: for ever)."""

    def wake(self) -> None:
        """End a wait early; from any thread or signal handler."""

    def post(self, report: Report) -> None:
        """Hand in a report; from any thread."""


class Observer(Protocol):
    """Is told of each event after it is durable, in the order in which all runs of the engine were decided."""

    def __call__(self, run_id: str, seq: int, event: Event) -> None: ...


class _Driven(Struct):
    """A run in hand: what has been decided and not yet been committed is in `events`.

    `alarm` is the earliest of its timers that the engine has noted; `has_folder` says that the run's directory exists.
    """

    plan: Plan
    run: Run
    token: int = 1
    spec: SpecRow | None = None
    events: list[Event] = field(default_factory=list)
    alarm: datetime | None = None
    has_folder: bool = False


class EngineParts(Struct, frozen=True):
    """What an engine is built from; whoever builds the program hands it in."""

    store: Store
    waiter: Waiter
    runner: Runner
    clock: Clock
    ids: Ids
    random: Random
    around: Surroundings
    owner: str
    slots: int = 64


class Engine:
    """Drives runs from submission to their end."""

    def __init__(self, parts: EngineParts, *, observers: Iterable[Observer] = ()) -> None:
        self._parts = parts
        self._observers = list(observers)
        self._driven: dict[str, _Driven] = {}
        self._admission = Admission(slots=parts.slots)
        self._commands: deque[tuple[str, Command]] = deque()
        self._asked: deque[tuple[str, Cancel]] = deque()
        self._untold: list[tuple[_Driven, int, Event]] = []
        self._changed: dict[str, _Driven] = {}
        self._alarms: list[tuple[datetime, str]] = []

    # --- what callers do ------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> str:
        """Make a run durable and return its id; it starts with the next turn of the loop. If the store does not take it,
        there is no such run."""
        now = self._parts.clock.now()
        run_id = self._parts.ids.new(now)
        directory = self._parts.around.files.work(run_id)
        self._begin(submission, run_id, submitted(submission, at=now, directory=directory))
        try:
            self._commit()
        except StoreError:
            self._drop(run_id)
            raise
        return run_id

    def drive(self, run_id: str) -> Run:
        """Turn the loop until the run has ended; return it as it ended."""
        driven = self._driven[run_id]
        while not driven.run.state.is_final:
            self.turn()
        return driven.run

    def cancel(self, run_id: str, command: Cancel) -> None:
        """Ask for the end of a run; safe in a signal handler and from any thread. Unknown runs are ignored."""
        self._asked.append((run_id, command))
        self._parts.waiter.wake()

    def turn(self) -> None:
        """Wait for something to happen, then decide, commit and act on everything that has."""
        timeout = 0.0 if self._commands or self._asked else self._until_next_timer()
        for report in self._parts.waiter.wait(timeout):
            self._commands.append((report.key.run_id, report))
        while self._asked:
            self._commands.append(self._asked.popleft())
        self._tick()
        self._decide_all()
        self._commit()

    def _drop(self, run_id: str) -> None:
        """Forget a run that is not in the store."""
        driven = self._driven.pop(run_id)
        self._changed.pop(run_id, None)
        self._commands = deque(entry for entry in self._commands if entry[0] != run_id)
        self._untold = [entry for entry in self._untold if entry[0] is not driven]

    # --- deciding -------------------------------------------------------------------------------------------------------

    def _begin(self, submission: Submission, run_id: str, event: RunSubmitted) -> None:
        plan = submission.plan
        spec = SpecRow(plan.digest, plan.name, plan.files, event.at)
        driven = _Driven(plan, new_run(plan, run_id), spec=spec)
        self._driven[run_id] = driven
        evolve(plan, driven.run, event)
        driven.events.append(event)
        self._changed[run_id] = driven
        self._untold.append((driven, driven.run.seq, event))
        self._note_alarm(driven)
        self._commands.append((run_id, Start()))

    def _tick(self) -> None:
        now = self._parts.clock.now()
        while self._alarms and self._alarms[0][0] <= now:
            at, run_id = heapq.heappop(self._alarms)
            driven = self._driven.get(run_id)
            if driven is not None and driven.alarm == at:
                driven.alarm = None
                self._commands.append((run_id, Tick()))

    def _note_alarm(self, driven: _Driven) -> None:
        """Keep the earliest timer of a run among the alarms; thus no turn has to look at every run in hand."""
        timers = driven.run.timers
        if timers and (driven.alarm is None or timers[0].at < driven.alarm):
            driven.alarm = timers[0].at
            heapq.heappush(self._alarms, (driven.alarm, driven.run.id))

    def _decide_all(self) -> None:
        """Decide commands and admissions until nothing more follows."""
        while True:
            while self._commands:
                self._decide(*self._commands.popleft())
            candidate = self._admission.take_one()
            if candidate is None:
                return
            self._admit(candidate)

    def _decide(self, run_id: str, command: Command) -> None:
        driven = self._driven.get(run_id)
        if driven is None:
            return
        events = decide(driven.plan, driven.run, command, now=self._parts.clock.now(), random=self._parts.random)
        first = driven.run.seq - len(events) + 1
        self._note_alarm(driven)
        if not events:
            return
        driven.events.extend(events)
        self._changed[run_id] = driven
        for offset, event in enumerate(events):
            self._untold.append((driven, first + offset, event))
            self._note(driven, event)

    def _note(self, driven: _Driven, event: Event) -> None:
        """Keep admission, and the runs above, up to date with what has just been decided."""
        run_id = driven.run.id
        match event:
            case TaskQueued(task=task, item=item):
                self._offer(driven, task, NO_ITEM if item is None else item)
            case FannedOut(task=task, items=items):
                if isinstance(driven.plan.tasks[task].action, (*ATTEMPT_ACTIONS, FlowAction)):
                    for index in range(len(items)):
                        self._offer(driven, task, index)
            case AttemptFinished(task=task, item=item):
                self._admission.release((run_id, task, NO_ITEM if item is None else item))
            case (
                TaskCancelled(task=task, item=item)
                | TaskFailed(task=task, item=item)
                | TaskSucceeded(task=task, item=item)
            ):
                self._admission.withdraw((run_id, task, NO_ITEM if item is None else item))
            case TasksReset(members=members):
                self._forget(run_id, members)
            case RunDraining():
                self._offer_again(driven)
            case AttemptStopping(task=task, item=item):
                child = driven.run.tasks[task].unit(item).child
                if child is not None:
                    self._commands.append((child, Cancel(by="parent", note=event.reason)))
            case RunFinished():
                self._tell_parent(driven.run)

    def _forget(self, run_id: str, members: Iterable[str]) -> None:
        for key in self._admission.queued_of(run_id, frozenset(members)):
            self._admission.withdraw(key)

    def _offer_again(self, driven: _Driven) -> None:
        """A drain abandons resets: what was queued and held back by one may start after all."""
        for name, task in driven.run.tasks.items():
            units = [(NO_ITEM, task.state)] if task.items is None else [(i, u.state) for i, u in enumerate(task.items)]
            for item, state in units:
                if state is TaskState.QUEUED and not self._admission.is_queued((driven.run.id, name, item)):
                    self._offer(driven, name, item)

    def _offer(self, driven: _Driven, name: str, item: int) -> None:
        spec, run = driven.plan.tasks[name], driven.run
        is_attempt = isinstance(spec.action, ATTEMPT_ACTIONS)
        unit = run.tasks[name].unit(None if item == NO_ITEM else item)
        self._admission.offer(
            Candidate(
                priority=_class_of(driven, name),
                scheduled_at=run.scheduled_at or run.submitted_at or self._parts.clock.now(),
                order=unit.queue_order,
                position=spec.position,
                item=item,
                run_id=run.id,
                task=name,
                holds_slot=is_attempt,
                run_slots=driven.plan.task_slots if is_attempt and not spec.service else None,
                max_parallel=spec.fan_out.max_parallel if spec.fan_out else None,
            )
        )

    def _admit(self, candidate: Candidate) -> None:
        driven = self._driven.get(candidate.run_id)
        if driven is None:  # it has ended
            self._admission.release(candidate.key)
            return
        item = None if candidate.item == NO_ITEM else candidate.item
        action = driven.plan.tasks[candidate.task].action
        child = self._parts.ids.new(self._parts.clock.now()) if isinstance(action, FlowAction) else None
        before = len(driven.events)
        self._decide(candidate.run_id, Admit(candidate.task, item, child))
        if len(driven.events) == before:  # not queued any more: what it was given is free again
            self._admission.release(candidate.key)
        elif isinstance(action, FlowAction) and child is not None:
            self._begin_child(driven, candidate.task, item, action, child)

    # --- child runs -----------------------------------------------------------------------------------------------------

    def _begin_child(self, parent: _Driven, name: str, item: int | None, action: FlowAction, run_id: str) -> None:
        run, plan = parent.run, parent.plan.children[action.flow]
        task = run.tasks[name]
        key = AttemptKey(run.id, name, item, task.round, task.unit(item).attempt)
        try:
            params = self._child_params(parent, name, item, action, plan)
        except (EvaluationError, BadParameters) as problem:
            failure = Failure("expression", f"`with`: {problem}")
            self._commands.append((run.id, AttemptEnded(key, Outcome(Ending.FAILED, failure))))
            return
        submission = Submission(
            plan,
            params,
            env=passed_environment(
                plan,
                self._parts.around.environment,
                given_environment(parent.plan, self._parts.around.environment, run.env),
            ),
            trigger={"kind": "flow", "run_id": run.id, "task": name},
        )
        now = self._parts.clock.now()
        event = RunSubmitted(
            now,
            flow=plan.name,
            digest=plan.digest,
            params=params,
            trigger=submission.trigger,
            env=submission.env,
            directory=self._parts.around.files.work(run_id),
            priority=_class_of_child(parent, name, plan),
            parent_run=run.id,
            parent_task=name,
            parent_item=item,
        )
        self._begin(submission, run_id, event)

    def _child_params(
        self, parent: _Driven, name: str, item: int | None, action: FlowAction, plan: Plan
    ) -> dict[str, Json]:
        given = resolve(action.arguments, task_scope(parent.plan, parent.run, name, item))
        values = given if isinstance(given, dict) else {}
        return bind_parameters(plan.params, {}, values, default_base=plan.root)

    def _tell_parent(self, run: Run) -> None:
        parent = self._driven.get(run.parent_run or "")
        if parent is None or run.parent_task is None:
            return
        task = parent.run.tasks[run.parent_task]
        unit = task.unit(run.parent_item)
        if unit.child != run.id:
            return
        key = AttemptKey(parent.run.id, run.parent_task, run.parent_item, task.round, unit.attempt)
        self._commands.append((parent.run.id, AttemptEnded(key, _child_outcome(run))))

    # --- committing and acting ------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write everything decided since the last commit in one transaction, then carry out its effects."""
        changed = list(self._changed.values())
        if not changed:
            return
        self._parts.store.commit([self._batch(driven) for driven in changed])
        self._changed.clear()
        decided, self._untold = self._untold, []
        for driven in changed:
            driven.events = []
        for driven, seq, event in decided:
            self._act(driven, event)
            for observer in self._observers:
                observer(driven.run.id, seq, event)
        for driven in changed:
            if driven.run.state.is_final and driven.run.parent_run is not None:
                del self._driven[driven.run.id]

    def _batch(self, driven: _Driven) -> RunBatch:
        owner = None if driven.run.state.is_final else self._parts.owner
        new = driven.run.seq == len(driven.events)
        return make_batch(
            driven.plan, driven.run, driven.events, owner=owner, token=driven.token, spec=driven.spec if new else None
        )

    def _act(self, driven: _Driven, event: Event) -> None:
        match event:
            case AttemptStarted():
                if isinstance(driven.plan.tasks[event.task].action, ATTEMPT_ACTIONS):
                    self._launch(driven, event)
            case AttemptStopping():
                self._stop(driven, event)

    def _launch(self, driven: _Driven, event: AttemptStarted) -> None:
        key = AttemptKey(driven.run.id, event.task, event.item, event.round, event.attempt)
        launch = make_launch(driven.plan, driven.run, key, self._parts.around)
        if isinstance(launch, Failure):
            self._parts.waiter.post(AttemptEnded(key, Outcome(Ending.FAILED, launch)))
            return
        try:
            self._make_folders(driven, launch)
        except OSError as problem:
            why = (problem.strerror or "unknown").lower()
            failure = Failure("exit", f"cannot be started: no folder `{launch.files.tmp}` could be made: {why}")
            self._parts.waiter.post(AttemptEnded(key, Outcome(Ending.FAILED, failure)))
            return
        self._parts.runner.start(launch)

    def _make_folders(self, driven: _Driven, launch: Launch) -> None:
        if not driven.has_folder:
            self._parts.around.files.make_run(driven.run.id)
            driven.has_folder = True
        self._parts.around.files.make_attempt(launch.key, launch.files)

    def _stop(self, driven: _Driven, event: AttemptStopping) -> None:
        spec, task = driven.plan.tasks[event.task], driven.run.tasks[event.task]
        if event.item is None and task.items is not None:
            return  # a mark on the fan-out; its items are stopped one by one
        key = AttemptKey(driven.run.id, event.task, event.item, task.round, task.unit(event.item).attempt)
        grace = STOP_AT_ONCE if driven.run.hurried_everything else spec.grace
        self._parts.runner.stop(key, grace=grace)

    def _until_next_timer(self) -> float | None:
        if not self._alarms:
            return None
        return max(0.0, (self._alarms[0][0] - self._parts.clock.now()).total_seconds())


def _class_of(driven: _Driven, name: str) -> int:
    """The class a task is taken by. A run may have been given another than its flow's: that is for tasks with the flow's."""
    own = driven.plan.tasks[name].priority
    return driven.run.priority if own == driven.plan.priority else own


def _class_of_child(parent: _Driven, name: str, plan: Plan) -> int:
    """The class of a called flow's run: what the calling task or its run says, else the flow's own."""
    calling = _class_of(parent, name)
    return plan.priority if calling == NORMAL else calling


def _child_outcome(run: Run) -> Outcome:
    if run.state is RunState.SUCCEEDED:
        return Outcome(Ending.SUCCEEDED, output=run.outputs or {})
    ended = "was cancelled" if run.state is RunState.CANCELLED else "failed"
    reason = f": {run.failure.message}" if run.failure else ""
    return Outcome(Ending.FAILED, Failure("flow", f"run `{run.id}` of `{run.flow}` {ended}{reason}"))
