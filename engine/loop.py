"""The only loop: gather what has happened, decide, commit it all as one batch, then act.

One `Engine` drives any number of runs in one thread. An effect (a process started, one told to stop, a child run) is carried
out only after the event that calls for it is durable.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from time import monotonic
from typing import Any, Protocol

from msgspec import Struct

from engine import inbox, recovery
from engine.admission import Admission, Candidate
from engine.attempts import AttemptEnded, Runner
from engine.calling import call, called_plan
from engine.clock import Clock
from engine.commands import Admit, Cancel, Command, Start, Tick
from engine.decide import decide
from engine.driven import NO_ITEM, Driven, child_outcome
from engine.effects import WITH_EFFECT, Effects, Waiter
from engine.errors import RunTakenAway, StoreConflict, StoreError
from engine.events import (
    AttemptFinished,
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
from engine.launching import Surroundings
from engine.outcomes import Ending, Failure, Outcome
from engine.ownership import Membership, Terms
from engine.plan import LIVE_ACTIONS, Plan
from engine.projection import make_batch
from engine.recovery import Family, Plans, Restored, Unreadable
from engine.retry import Random
from engine.run import Run
from engine.states import RunState, TaskState
from engine.store.port import Store
from engine.store.rows import Answer, RunBatch, RunRow, SpecRow
from engine.submission import Submission, submitted

NO_TIME = timedelta(0)
_MOST_STALE = 64
"""Alarms of runs that have ended, kept beside as many as there are runs, before they are thrown away."""


class Observer(Protocol):
    """Is told of each event after it is durable, in the order in which all runs of the engine were decided."""

    def __call__(self, run_id: str, seq: int, event: Event) -> None: ...


class Keeping(Struct, frozen=True):
    """How an engine holds its runs where other engines use the same store.

    Attributes:
        plans: of runs that it takes over.
        takes_over: it looks for free runs by itself, at each beat.
        most: so many of those it has in hand at a time, so that they leave room for its own; `None` for any number.
        elapsed: seconds that only ever grow.
    """

    plans: Plans
    terms: Terms = Terms()
    takes_over: bool = True
    most: int | None = None
    elapsed: Callable[[], float] = monotonic


class EngineParts(Struct, frozen=True):
    """What an engine is built from; whoever builds the program hands it in. Without `keeping` nobody else uses the store."""

    store: Store
    waiter: Waiter
    runner: Runner
    clock: Clock
    ids: Ids
    random: Random
    around: Surroundings
    owner: str
    slots: int = 64
    keeping: Keeping | None = None


class Engine:
    """Drives runs from submission, or from where another engine has left them, to their end."""

    def __init__(self, parts: EngineParts, *, observers: Iterable[Observer] = ()) -> None:
        self._parts = parts
        self._observers = list(observers)
        self._driven: dict[str, Driven] = {}
        self._admission = Admission(slots=parts.slots)
        self._effects = Effects(parts.runner, parts.waiter, parts.around)
        self._commands: deque[tuple[str, Command]] = deque()
        self._asked: deque[tuple[str, Cancel]] = deque()
        self._answers: dict[str, tuple[str, Answer]] = {}
        self._untold: list[tuple[Driven, int, Event]] = []
        self._changed: dict[str, Driven] = {}
        self._alarms: list[tuple[datetime, str]] = []
        self._notes: Mapping[type[Event], Callable[[Driven, Any], None]] = {
            TaskQueued: self._note_queued,
            FannedOut: self._note_fanned_out,
            AttemptFinished: self._note_attempt_finished,
            AttemptStopping: self._note_stopping,
            TaskCancelled: self._note_final,
            TaskFailed: self._note_final,
            TaskSucceeded: self._note_final,
            TasksReset: lambda driven, event: self._forget(driven.run.id, event.members),
            RunDraining: lambda driven, _: self._offer_again(driven),
            RunFinished: lambda driven, _: self._tell_parent(driven.run),
        }
        self._rung = False
        self._at = parts.clock.now()
        keeping = parts.keeping
        if keeping is not None:
            self._lease = Membership(parts.owner, terms=keeping.terms, elapsed=keeping.elapsed)
            self._look_s = keeping.elapsed() + keeping.terms.beat.total_seconds()

    # --- what callers do ------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> str:
        """Make a run durable and return its id; it starts with the next turn of the loop. If the store does not take it,
        there is no such run."""
        self._at = self._parts.clock.now()
        run_id = self._parts.ids.new(self._at)
        directory = self._parts.around.files.work(run_id)
        self._begin(submission.plan, run_id, submitted(submission, at=self._at, directory=directory))
        try:
            self._commit()
        except StoreError:
            self._drop(self._driven[run_id])
            raise
        return run_id

    def drive(self, run_id: str) -> Run:
        """Turn the loop until the run has ended; return it as it ended.

        Raises:
            RunTakenAway: another engine has taken it over.
        """
        return self.drive_all([run_id])[0]

    def drive_all(self, run_ids: Iterable[str]) -> list[Run]:
        """Turn the loop until all these runs have ended; return them as they ended. Raises as `drive` does, when the
        others have ended."""
        mine = [self._driven[run_id] for run_id in run_ids]
        for driven in mine:
            while not driven.run.state.is_final and driven.lost_to is None:
                self.turn()
        for driven in mine:
            if driven.lost_to is not None:
                raise RunTakenAway(driven.run.id, driven.lost_to)
        return [driven.run for driven in mine]

    def cancel(self, run_id: str, command: Cancel) -> None:
        """Ask for the end of a run; safe in a signal handler and from any thread. Unknown runs are ignored."""
        self._asked.append((run_id, command))
        self._parts.waiter.wake()

    @property
    def is_pressed(self) -> bool:
        """Whether somebody asks for an end by force and could not be answered yet."""
        return any(command.force for _, command in list(self._asked))

    def look(self) -> None:
        """There may be a message in the inbox; safe from any thread."""
        self._rung = True
        self._parts.waiter.wake()

    def turn(self) -> None:
        """Wait for something to happen, then decide, commit and act on everything that has."""
        for report in self._parts.waiter.wait(self._patience()):
            self._commands.append((report.key.run_id, self._effects.told(report)))
        self._at = self._parts.clock.now()
        self._keep()
        while self._asked:
            self._commands.append(self._asked.popleft())
        self._tick()
        self._decide_all()
        self._commit()

    def take_over(self, only: str | None = None) -> list[tuple[Run, Plan]]:
        """Take over the runs that no engine holds any more, or the one of that id with those above and below it; they go
        on with the next turn. Returns those that could be made again, each with its plan; the others have failed."""
        self._at = self._parts.clock.now()
        found: list[tuple[Run, Plan]] = []
        for families in self._free(only):
            found += [(each.driven.run, each.driven.plan) for each in self._take(families)]
        return found

    def leave(self) -> bool:
        """Leave what has not ended to whoever takes it over next; nothing can be driven afterwards. Whether there was
        anything to be left."""
        if not self._driven or self._parts.keeping is None:
            return False
        self._driven.clear()
        self._parts.store.commit([], retired=[self._parts.owner])
        return True

    # --- holding --------------------------------------------------------------------------------------------------------

    def _patience(self) -> float | None:
        """How long to wait for reports, in seconds; `None` for ever."""
        if self._commands or self._asked or self._rung or self._untold:
            return 0.0
        limits = []
        if self._alarms:
            limits.append((self._alarms[0][0] - self._parts.clock.now()).total_seconds())
        keeping = self._parts.keeping
        if keeping is not None and (self._driven or keeping.takes_over):
            limits.append(self._look_s - keeping.elapsed())
        return max(0.0, min(limits)) if limits else None

    def _keep(self) -> None:
        """Look after what is held: at each beat, and when somebody says that there is a message."""
        keeping = self._parts.keeping
        if keeping is None:
            return
        if self._lease.is_overdue:
            self._find_lost()
        is_due = keeping.elapsed() >= self._look_s
        if is_due or self._rung:
            self._rung = False
            self._read_inbox()
        if is_due:
            self._look_s = keeping.elapsed() + keeping.terms.beat.total_seconds()
            if keeping.takes_over:
                self._take_over_what_can_be_served()

    def _read_inbox(self) -> None:
        if not self._driven:
            return
        for message in self._parts.store.asked(self._parts.owner):
            driven = self._driven.get(message.run_id)
            if driven is None or message.id in self._answers:
                continue
            command, answer = inbox.read(message, driven.run, now=self._now(driven))
            self._answers[message.id] = (message.run_id, answer)
            if command is not None:
                self._decide(message.run_id, command)

    def _find_lost(self) -> None:
        """The lease may have run out meanwhile: let go of what others have taken, and keep the rest."""
        store, owner = self._parts.store, self._parts.owner
        held: set[str] = set()
        last = ""
        while rows := store.held(owner, after=last, limit=recovery.BATCH):
            last = rows[-1].id
            held.update(row.id for row in rows)
        self._lose([run_id for run_id, driven in self._driven.items() if not driven.is_new and run_id not in held])

    def _lose(self, run_ids: Sequence[str]) -> bool:
        """Let go of runs that others have taken over, and of those that hang together with them. Whether there were any.

        An engine on this machine has taken over their attempts with them, or is about to; where another machine has them,
        what is being made here is ended at once.
        """
        roots = {self._root(run_id) for run_id in run_ids if run_id in self._driven}
        lost = [driven for run_id, driven in self._driven.items() if self._root(run_id) in roots]
        for driven in lost:
            taker = recovery.taker_of(self._parts.store, driven.run.id)
            driven.lost_to = taker.owner or ""
            self._drop(driven)
            if not taker.is_here:
                self._effects.end_all(driven)
        return bool(lost)

    def _root(self, run_id: str) -> str:
        """The run in hand above all others that hang together with this one."""
        while (above := self._driven[run_id].run.parent_run) is not None and above in self._driven:
            run_id = above
        return run_id

    def _drop(self, driven: Driven) -> None:
        """Forget a run that is not in the store, or not this engine's."""
        run_id = driven.run.id
        del self._driven[run_id]
        self._changed.pop(run_id, None)
        self._admission.forget(run_id)
        self._commands = deque(entry for entry in self._commands if entry[0] != run_id)
        self._answers = {name: entry for name, entry in self._answers.items() if entry[0] != run_id}
        self._untold = [entry for entry in self._untold if entry[0] is not driven]

    # --- taking over ----------------------------------------------------------------------------------------------------

    def _take_over_what_can_be_served(self) -> None:
        """Take over what this engine can drive, as much as there is room for: what it cannot is left to one with the right
        connectors and secrets."""
        room = self._room()
        if room is not None and room <= 0:
            return
        for families in self._free(None, only_served=True):
            self._take(families[:room])
            if room is not None and room <= len(families):
                return

    def _room(self) -> int | None:
        """How many runs may be taken over besides those in hand; `None` for any number."""
        keeping = self._parts.keeping
        if keeping is None or keeping.most is None:
            return None
        return keeping.most - sum(
            driven.taken_at is not None and driven.run.parent_run not in self._driven
            for driven in self._driven.values()
        )

    def _free(self, only: str | None, *, only_served: bool = False) -> Iterable[list[Family]]:
        """Free families of runs, some at a time; with `only`, that of the run with this id."""
        keeping, store = self._parts.keeping, self._parts.store
        if keeping is None:
            return
        some: list[Family] = []
        for family in recovery.free_families(store, but=self._parts.owner, only=only):
            if only_served and not recovery.can_serve(family, store, keeping.plans, self._parts.around):
                continue
            some.append(family)
            if sum(len(each.rows) for each in some) >= recovery.BATCH:
                yield some
                some = []
        if some:
            yield some

    def _take(self, families: list[Family]) -> list[Restored]:
        """Claim families in one transaction, make them again, and have what was being done for them recovered."""
        keeping = self._parts.keeping
        if keeping is None:
            return []
        restored: list[Restored] = []
        for row in self._claim(families):
            self._renew()  # to make many large runs again takes its time
            found = recovery.restore(self._parts.store, row, keeping.plans)
            if isinstance(found, Unreadable):
                self._give_up(found)
            else:
                found.driven.ahead = max(NO_TIME, found.taken.at - self._parts.clock.now())
                self._driven[row.id] = found.driven
                restored.append(found)
        for each in restored:
            self._untold.append((each.driven, each.driven.run.seq, each.taken))
            self._take_up(each.driven)
        self._effects.recover(restored)
        self._rung = True  # what was asked of the engine before
        return restored

    def _renew(self) -> None:
        """Renew the lease between commits that would do so, if it is time."""
        at_s, lease = self._lease.elapsed(), self._lease.next(holds=True, now=self._parts.clock.now())
        if lease is not None:
            self._parts.store.commit([], lease=lease)
            self._lease.said(lease, at_s=at_s)

    def _claim(self, families: list[Family]) -> list[RunRow]:
        """The rows of all runs that could be claimed, as they are stored then. Who else was first keeps its families."""
        store, owner, now = self._parts.store, self._parts.owner, self._parts.clock.now()
        while families:
            claims = [
                recovery.claim(row, owner=owner, reason=family.reason, now=recovery.not_before(store, row, now))
                for family in families
                for row in family.rows
            ]
            gone = {row.owner for family in families for row in family.rows if row.owner is not None}
            at_s, lease = self._lease.elapsed(), self._lease.next(holds=True, now=now)
            try:
                store.commit(claims, lease=lease, retired=sorted(gone))
            except StoreConflict as conflict:
                lost = set(conflict.run_ids)
                left = [family for family in families if lost.isdisjoint(row.id for row in family.rows)]
                if len(left) == len(families):
                    raise
                families = left
            else:
                self._lease.said(lease, at_s=at_s)
                return [claim.run for claim in claims]
        return []

    def _give_up(self, unreadable: Unreadable) -> None:
        """End a run that cannot be driven any more, and what may be left of its attempts. The others go on."""
        now = recovery.not_before(self._parts.store, unreadable.row, self._parts.clock.now())
        batch = recovery.give_up(unreadable.row, unreadable.failure, now=now)
        with suppress(StoreConflict):  # then another engine has it, and may be able to drive it
            self._parts.store.commit([batch])
        self._effects.end_leftovers(unreadable.leftovers, token=unreadable.row.token)

    def _take_up(self, driven: Driven) -> None:
        """Go on where the log of a run ends: what was queued asks again, what runs holds its slots, called runs are found."""
        run = driven.run
        self._note_alarm(driven)
        now = self._now(driven)
        for name, item, unit in driven.units():
            action = driven.plan.tasks[name].action
            if unit.state is TaskState.QUEUED:
                self._admission.offer(driven.candidate(name, item, now=now))
            elif unit.live and isinstance(action, LIVE_ACTIONS):
                self._admission.hold(driven.candidate(name, item, now=now))
            if unit.live and unit.child is not None:
                self._find_child(driven, name, None if item == NO_ITEM else item, unit.child)
        if run.parent_run is not None and not self._is_called(run):
            self._commands.append((run.id, Cancel(by="parent", note="what called it has ended")))
        self._commands.append((run.id, Start() if run.state is RunState.QUEUED else Tick()))

    def _find_child(self, parent: Driven, name: str, item: int | None, child: str) -> None:
        """The run that a task was calling: it is in hand, has ended, or was never begun."""
        unit = parent.run.tasks[name].unit(item)
        in_hand = self._driven.get(child)
        if in_hand is not None:
            if unit.stopping is not None and in_hand.run.draining is None:
                self._commands.append((child, Cancel(by="parent", note=unit.stopping)))
            return
        row = self._parts.store.run(child)
        if row is None:
            self._begin_child(parent, name, item, child)
            return
        ended = recovery.outcome_of(row)
        self._commands.append((parent.run.id, AttemptEnded(parent.key(name, item), ended)))

    def _is_called(self, run: Run) -> bool:
        """Whether a run in hand waits for this one."""
        parent = self._driven.get(run.parent_run or "")
        if parent is None or run.parent_task is None:
            return False
        return parent.run.tasks[run.parent_task].unit(run.parent_item).child == run.id

    # --- deciding -------------------------------------------------------------------------------------------------------

    def _now(self, driven: Driven) -> datetime:
        """The time of this turn as a run has it: what is decided together is decided at one instant."""
        return self._at + driven.ahead if driven.ahead else self._at

    def _begin(self, plan: Plan, run_id: str, event: RunSubmitted, *, ahead: timedelta = NO_TIME) -> None:
        spec = SpecRow(plan.digest, plan.name, plan.files, event.at)
        driven = Driven(plan, new_run(plan, run_id), spec=spec, ahead=ahead)
        self._driven[run_id] = driven
        evolve(plan, driven.run, event)
        driven.events.append(event)
        self._changed[run_id] = driven
        self._untold.append((driven, driven.run.seq, event))
        self._note_alarm(driven)
        self._commands.append((run_id, Start()))

    def _tick(self) -> None:
        while self._alarms and self._alarms[0][0] <= self._at:
            at, run_id = heapq.heappop(self._alarms)
            driven = self._driven.get(run_id)
            if driven is not None and driven.alarm == at:
                driven.alarm = None
                self._commands.append((run_id, Tick()))

    def _note_alarm(self, driven: Driven) -> None:
        """Keep the earliest timer of a run among the alarms; thus no turn has to look at every run in hand."""
        timers = driven.run.timers
        if timers and (driven.alarm is None or timers[0].at - driven.ahead < driven.alarm):
            driven.alarm = timers[0].at - driven.ahead
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
        events = decide(driven.plan, driven.run, command, now=self._now(driven), random=self._parts.random)
        first = driven.run.seq - len(events) + 1
        self._note_alarm(driven)
        if not events:
            return
        driven.events.extend(events)
        self._changed[run_id] = driven
        for seq, event in enumerate(events, first):
            kind = type(event)
            if self._observers or kind in WITH_EFFECT:
                self._untold.append((driven, seq, event))
            note = self._notes.get(kind)
            if note is not None:
                note(driven, event)

    # Admission, and the runs above, are kept up to date with what has just been decided.

    def _note_queued(self, driven: Driven, event: TaskQueued) -> None:
        self._offer(driven, event.task, NO_ITEM if event.item is None else event.item)

    def _note_fanned_out(self, driven: Driven, event: FannedOut) -> None:
        if isinstance(driven.plan.tasks[event.task].action, LIVE_ACTIONS):
            for index in range(len(event.items)):
                self._offer(driven, event.task, index)

    def _note_attempt_finished(self, driven: Driven, event: AttemptFinished) -> None:
        self._admission.release((driven.run.id, event.task, NO_ITEM if event.item is None else event.item))

    def _note_final(self, driven: Driven, event: TaskCancelled | TaskFailed | TaskSucceeded) -> None:
        self._admission.withdraw((driven.run.id, event.task, NO_ITEM if event.item is None else event.item))

    def _note_stopping(self, driven: Driven, event: AttemptStopping) -> None:
        child = driven.run.tasks[event.task].unit(event.item).child
        if child is not None:
            self._commands.append((child, Cancel(by="parent", note=event.reason)))

    def _forget(self, run_id: str, members: Iterable[str]) -> None:
        for key in self._admission.queued_of(run_id, frozenset(members)):
            self._admission.withdraw(key)

    def _offer_again(self, driven: Driven) -> None:
        """A drain abandons resets: what was queued and held back by one may start after all."""
        for name, item, unit in driven.units():
            if unit.state is TaskState.QUEUED and not self._admission.is_queued((driven.run.id, name, item)):
                self._offer(driven, name, item)

    def _offer(self, driven: Driven, name: str, item: int) -> None:
        self._admission.offer(driven.candidate(name, item, now=self._now(driven)))

    def _admit(self, candidate: Candidate) -> None:
        driven = self._driven.get(candidate.run_id)
        if driven is None:  # it has ended
            self._admission.release(candidate.key)
            return
        item = None if candidate.item == NO_ITEM else candidate.item
        calls = called_plan(driven, candidate.task) is not None
        child = self._parts.ids.new(self._at) if calls else None
        before = len(driven.events)
        self._decide(candidate.run_id, Admit(candidate.task, item, child))
        if len(driven.events) == before:  # not queued any more: what it was given is free again
            self._admission.release(candidate.key)
        elif child is not None:
            self._begin_child(driven, candidate.task, item, child)

    def _begin_child(self, parent: Driven, name: str, item: int | None, child: str) -> None:
        plan = called_plan(parent, name)
        begun = call(parent, name, item, run_id=child, around=self._parts.around, now=self._now(parent))
        if isinstance(begun, Failure) or plan is None:
            failure = begun if isinstance(begun, Failure) else None
            ended = AttemptEnded(parent.key(name, item), Outcome(Ending.FAILED, failure))
            self._commands.append((parent.run.id, ended))
        else:
            self._begin(plan, child, begun, ahead=parent.ahead)

    def _tell_parent(self, run: Run) -> None:
        parent = self._driven.get(run.parent_run or "")
        if parent is not None and run.parent_task is not None and self._is_called(run):
            key = parent.key(run.parent_task, run.parent_item)
            problem = run.failure.message if run.failure else None
            outcome = child_outcome(run.id, run.flow, run.state, outputs=run.outputs, problem=problem)
            self._commands.append((parent.run.id, AttemptEnded(key, outcome)))

    # --- committing and acting ------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write everything decided since the last commit in one transaction, then carry out its effects."""
        changed = self._write()
        decided, self._untold = self._untold, []
        for driven in changed:
            driven.events = []
        for driven, seq, event in decided:
            self._effects.perform(driven, event)
            for observer in self._observers:
                observer(driven.run.id, seq, event)
        for driven in changed:
            if driven.run.state.is_final:
                del self._driven[driven.run.id]
        if len(self._alarms) > _MOST_STALE + 2 * len(self._driven):
            self._alarms = [(at, run_id) for at, run_id in self._alarms if run_id in self._driven]
            heapq.heapify(self._alarms)

    def _write(self) -> list[Driven]:
        """Commit what has changed; the runs that were written. What others have taken over is let go of, and the rest
        written without it."""
        while True:
            if self._parts.keeping is not None and self._lease.is_overdue:
                self._find_lost()
            changed = list(self._changed.values())
            at_s, lease = 0.0, None
            if self._parts.keeping is not None:
                held = len(self._driven) - sum(driven.run.state.is_final for driven in changed)
                at_s = self._lease.elapsed()
                lease = self._lease.next(holds=held > 0, now=self._parts.clock.now())
            if not changed and lease is None and not self._answers:
                return []
            try:
                batches = [self._batch(driven) for driven in changed]
                self._parts.store.commit(batches, lease=lease, answers=[answer for _, answer in self._answers.values()])
            except StoreConflict as conflict:
                if any(driven.is_new for driven in changed if driven.run.id in conflict.run_ids):
                    raise
                if not self._lose(conflict.run_ids):
                    raise
                continue
            self._changed.clear()
            self._answers.clear()
            if self._parts.keeping is not None:
                self._lease.said(lease, at_s=at_s)
            return changed

    def _batch(self, driven: Driven) -> RunBatch:
        owner = None if driven.run.state.is_final else self._parts.owner
        spec = driven.spec if driven.is_new else None
        return make_batch(driven.plan, driven.run, driven.events, owner=owner, token=driven.token, spec=spec)
