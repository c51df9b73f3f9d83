"""The runs that an engine has in hand, and what is about to happen to them."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from datetime import datetime, timedelta

from engine.admission import Admission
from engine.commands import Command, Start, Tick
from engine.driven import Driven
from engine.events import Event, RunSubmitted
from engine.evolve import evolve, new_run
from engine.plan import Plan
from engine.store.rows import SpecRow

NO_TIME = timedelta(0)
_MOST_STALE = 64
"""Alarms of runs that have ended, kept beside as many as there are runs, before they are thrown away."""


class Hand:
    """The runs in hand.

    Attributes:
        driven: the runs by id, those included of which the store knows nothing yet.
        admission: who of them may start what.
        commands: what is to be decided next, in order, each with the id of its run.
        changed: the runs of which something has been decided since the last commit.
        untold: the events since the last commit that somebody is to be told of, in the order they were decided.
        at: when this turn began; what is decided together is decided at one instant.
    """

    def __init__(self, *, slots: int, at: datetime) -> None:
        self.driven: dict[str, Driven] = {}
        self.admission = Admission(slots=slots)
        self.commands: deque[tuple[str, Command]] = deque()
        self.changed: dict[str, Driven] = {}
        self.untold: list[tuple[Driven, int, Event]] = []
        self.at = at
        self._alarms: list[tuple[datetime, str]] = []

    def now(self, driven: Driven) -> datetime:
        """The time of this turn as a run has it."""
        return self.at + driven.ahead if driven.ahead else self.at

    def begin(self, plan: Plan, run_id: str, event: RunSubmitted, *, ahead: timedelta = NO_TIME) -> None:
        """Take a new run in hand, which starts with the next thing that is decided."""
        spec = SpecRow(plan.digest, plan.name, plan.files, event.at)
        driven = Driven(plan, new_run(plan, run_id), spec=spec, ahead=ahead)
        self.driven[run_id] = driven
        evolve(plan, driven.run, event)
        driven.events.append(event)
        self.changed[run_id] = driven
        self.untold.append((driven, driven.run.seq, event))
        self.note_alarm(driven)
        self.commands.append((run_id, Start()))

    def drop(self, driven: Driven) -> None:
        """Forget a run that is not in the store, or not this engine's."""
        run_id = driven.run.id
        del self.driven[run_id]
        self.changed.pop(run_id, None)
        self.admission.forget(run_id)
        self.commands = deque(entry for entry in self.commands if entry[0] != run_id)
        self.untold = [entry for entry in self.untold if entry[0] is not driven]

    def put_down(self, written: Iterable[Driven]) -> None:
        """Forget those of the runs that have ended, and were written as such."""
        for driven in written:
            if driven.run.state.is_final:
                del self.driven[driven.run.id]
        if len(self._alarms) > _MOST_STALE + 2 * len(self.driven):
            self._alarms = [(at, run_id) for at, run_id in self._alarms if run_id in self.driven]
            heapq.heapify(self._alarms)

    def root(self, run_id: str) -> str:
        """The run in hand above all others that hang together with this one."""
        while (above := self.driven[run_id].run.parent_run) is not None and above in self.driven:
            run_id = above
        return run_id

    # --- alarms: thus no turn has to look at every run in hand --------------------------------------------------------------

    @property
    def next_alarm_at(self) -> datetime | None:
        """When the next timer of a run is due; `None` when there is none."""
        return self._alarms[0][0] if self._alarms else None

    def note_alarm(self, driven: Driven) -> None:
        """Keep the earliest timer of a run among the alarms."""
        timers = driven.run.timers
        if timers and (driven.alarm is None or timers[0].at - driven.ahead < driven.alarm):
            driven.alarm = timers[0].at - driven.ahead
            heapq.heappush(self._alarms, (driven.alarm, driven.run.id))

    def tick(self) -> None:
        """Have the runs told whose timers are due."""
        while self._alarms and self._alarms[0][0] <= self.at:
            at, run_id = heapq.heappop(self._alarms)
            driven = self.driven.get(run_id)
            if driven is not None and driven.alarm == at:
                driven.alarm = None
                self.commands.append((run_id, Tick()))
