"""The only loop: gather what has happened, decide, commit it all as one batch, then act.

One `Engine` drives any number of runs in one thread. An effect (a process started, one told to stop, a child run) is carried
out only after the event that calls for it is durable.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

from engine.admission import Candidate
from engine.calling import Calls, called_plan
from engine.commands import Admit, Cancel, Command
from engine.decide import decide
from engine.driven import NO_ITEM, Driven
from engine.effects import WITH_EFFECT, Effects
from engine.errors import RunTakenAway, StoreConflict, StoreError
from engine.events import (
    AttemptFinished,
    AttemptStopping,
    Event,
    FannedOut,
    RunDraining,
    RunFinished,
    TaskCancelled,
    TaskFailed,
    TaskQueued,
    TasksReset,
    TaskSucceeded,
)
from engine.hand import Hand
from engine.keeping import NOTHING, Keeper
from engine.parts import EngineParts
from engine.plan import LIVE_ACTIONS, Plan
from engine.projection import make_batch
from engine.run import Run
from engine.states import TaskState
from engine.store.rows import RunBatch
from engine.submission import Submission, submitted


class Observer(Protocol):
    """Is told of each event after it is durable, in the order in which all runs of the engine were decided."""

    def __call__(self, run_id: str, seq: int, event: Event) -> None: ...


class Engine:
    """Drives runs from submission, or from where another engine has left them, to their end."""

    def __init__(self, parts: EngineParts, *, observers: Iterable[Observer] = ()) -> None:
        self._parts = parts
        self._observers = list(observers)
        self._asked: deque[tuple[str, Cancel]] = deque()
        self._hand = Hand(slots=parts.slots, at=parts.clock.now())
        self._effects = Effects(parts.runner, parts.waiter, parts.around)
        self._calls = Calls(self._hand, parts.store, parts.around)
        self._keeper: Keeper | None = None
        if parts.keeping is not None:
            hand, calls, effects = self._hand, self._calls, self._effects
            self._keeper = Keeper(parts, parts.keeping, hand=hand, calls=calls, effects=effects, decide=self._decide)
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
            RunFinished: lambda driven, _: self._calls.tell_parent(driven.run),
        }

    # --- what callers do ------------------------------------------------------------------------------------------------

    def submit(self, submission: Submission) -> str:
        """Make a run durable and return its id; it starts with the next turn of the loop. If the store does not take it,
        there is no such run."""
        self._hand.at = self._parts.clock.now()
        run_id = self._parts.ids.new(self._hand.at)
        directory = self._parts.around.files.work(run_id)
        self._hand.begin(submission.plan, run_id, submitted(submission, at=self._hand.at, directory=directory))
        try:
            self._commit()
        except StoreError:
            self._hand.drop(self._hand.driven[run_id])
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
        mine = [self._hand.driven[run_id] for run_id in run_ids]
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
        if self._keeper is not None:
            self._keeper.has_mail = True
        self._parts.waiter.wake()

    def turn(self) -> None:
        """Wait for something to happen, then decide, commit and act on everything that has."""
        for report in self._parts.waiter.wait(self._patience()):
            self._hand.commands.append((report.key.run_id, self._effects.told(report)))
        self._hand.at = self._parts.clock.now()
        if self._keeper is not None:
            self._keeper.look_after()
        while self._asked:
            self._hand.commands.append(self._asked.popleft())
        self._hand.tick()
        self._decide_all()
        self._commit()

    def take_over(self, only: str | None = None) -> list[tuple[Run, Plan]]:
        """Take over the runs that no engine holds any more, or the one of that id with those above and below it; they go
        on with the next turn. Returns those that could be made again, each with its plan; the others have failed."""
        self._hand.at = self._parts.clock.now()
        return [] if self._keeper is None else self._keeper.take_over(only)

    def leave(self) -> bool:
        """Leave what has not ended to whoever takes it over next; nothing can be driven afterwards. Whether there was
        anything to be left."""
        if not self._hand.driven or self._keeper is None:
            return False
        self._hand.driven.clear()
        self._parts.store.commit([], retired=[self._parts.owner])
        return True

    # --- waiting --------------------------------------------------------------------------------------------------------

    def _patience(self) -> float | None:
        """How long to wait for reports, in seconds; `None` for ever."""
        hand, keeper = self._hand, self._keeper
        if hand.commands or self._asked or hand.untold:
            return 0.0
        limits = []
        alarm_at = hand.next_alarm_at
        if alarm_at is not None:
            limits.append((alarm_at - self._parts.clock.now()).total_seconds())
        kept_s = None if keeper is None else keeper.patience_s
        if kept_s is not None:
            limits.append(kept_s)
        return max(0.0, min(limits)) if limits else None

    # --- deciding -------------------------------------------------------------------------------------------------------

    def _decide_all(self) -> None:
        """Decide commands and admissions until nothing more follows."""
        while True:
            while self._hand.commands:
                self._decide(*self._hand.commands.popleft())
            candidate = self._hand.admission.take_one()
            if candidate is None:
                return
            self._admit(candidate)

    def _decide(self, run_id: str, command: Command) -> None:
        driven = self._hand.driven.get(run_id)
        if driven is None:
            return
        events = decide(driven.plan, driven.run, command, now=self._hand.now(driven), random=self._parts.random)
        first = driven.run.seq - len(events) + 1
        self._hand.note_alarm(driven)
        if not events:
            return
        driven.events.extend(events)
        self._hand.changed[run_id] = driven
        for seq, event in enumerate(events, first):
            kind = type(event)
            if self._observers or kind in WITH_EFFECT:
                self._hand.untold.append((driven, seq, event))
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
        self._hand.admission.release((driven.run.id, event.task, NO_ITEM if event.item is None else event.item))

    def _note_stopping(self, driven: Driven, event: AttemptStopping) -> None:
        self._calls.stop(driven, event.task, event.item, reason=event.reason)

    def _note_final(self, driven: Driven, event: TaskCancelled | TaskFailed | TaskSucceeded) -> None:
        self._hand.admission.withdraw((driven.run.id, event.task, NO_ITEM if event.item is None else event.item))

    def _forget(self, run_id: str, members: Iterable[str]) -> None:
        for key in self._hand.admission.queued_of(run_id, frozenset(members)):
            self._hand.admission.withdraw(key)

    def _offer_again(self, driven: Driven) -> None:
        """A drain abandons resets: what was queued and held back by one may start after all."""
        for name, item, unit in driven.units():
            if unit.state is TaskState.QUEUED and not self._hand.admission.is_queued((driven.run.id, name, item)):
                self._offer(driven, name, item)

    def _offer(self, driven: Driven, name: str, item: int) -> None:
        self._hand.admission.offer(driven.candidate(name, item, now=self._hand.now(driven)))

    def _admit(self, candidate: Candidate) -> None:
        driven = self._hand.driven.get(candidate.run_id)
        if driven is None:  # it has ended
            self._hand.admission.release(candidate.key)
            return
        item = None if candidate.item == NO_ITEM else candidate.item
        calls = called_plan(driven, candidate.task) is not None
        child = self._parts.ids.new(self._hand.at) if calls else None
        before = len(driven.events)
        self._decide(candidate.run_id, Admit(candidate.task, item, child))
        if len(driven.events) == before:  # not queued any more: what it was given is free again
            self._hand.admission.release(candidate.key)
        elif child is not None:
            self._calls.begin(driven, candidate.task, item, child)

    # --- committing and acting ------------------------------------------------------------------------------------------

    def _commit(self) -> None:
        """Write everything decided since the last commit in one transaction, then carry out its effects."""
        hand = self._hand
        changed = self._write()
        decided, hand.untold = hand.untold, []
        for driven in changed:
            driven.events = []
        for driven, seq, event in decided:
            self._effects.perform(driven, event)
            for observer in self._observers:
                observer(driven.run.id, seq, event)
        hand.put_down(changed)

    def _write(self) -> list[Driven]:
        """Commit what has changed; the runs that were written. What others have taken over is let go of, and the rest
        written without it."""
        hand, keeper = self._hand, self._keeper
        while True:
            if keeper is not None:
                keeper.find_lost()
            changed = list(hand.changed.values())
            saying = NOTHING if keeper is None else keeper.saying(changed)
            if not changed and saying.is_empty:
                return []
            try:
                batches = [self._batch(driven) for driven in changed]
                self._parts.store.commit(batches, lease=saying.lease, answers=saying.answers)
            except StoreConflict as conflict:
                if any(driven.is_new for driven in changed if driven.run.id in conflict.run_ids):
                    raise
                if keeper is None or not keeper.lose(conflict.run_ids):
                    raise
                continue
            hand.changed.clear()
            if keeper is not None:
                keeper.said(saying)
            return changed

    def _batch(self, driven: Driven) -> RunBatch:
        owner = None if driven.run.state.is_final else self._parts.owner
        spec = driven.spec if driven.is_new else None
        return make_batch(driven.plan, driven.run, driven.events, owner=owner, token=driven.token, spec=spec)
