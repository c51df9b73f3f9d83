"""Decide what follows from a command: the one state machine of the engine. Pure: no clock, no I/O, no randomness of its own.

`decide` returns the events that follow and has folded them into the run. The caller commits them before it acts on any; if
the commit fails, the run it holds is thrown away and folded anew from the log.
"""

from __future__ import annotations

from datetime import datetime

from engine.attempts import AttemptEnded, AttemptReady
from engine.commands import Admit, Cancel, Command, Start, Tick
from engine.deciding.attempts import admit, attempt_ended, service_ready
from engine.deciding.decision import Decision
from engine.deciding.lifecycle import cancel, propagate, start
from engine.deciding.timers import fire_due
from engine.events import Event
from engine.plan import Plan
from engine.retry import Random
from engine.run import Run
from engine.states import RunState


def decide(plan: Plan, run: Run, command: Command, *, now: datetime, random: Random) -> list[Event]:
    """The events that follow from `command` at `now`, already folded into `run`; none when nothing follows.

    Args:
        random: draws the jitter of retries; what was drawn is in the events, so a replay needs none.
    """
    if run.state.is_final:
        return []
    d = Decision(plan, run, now, random)
    match command:  # the most frequent first
        case AttemptEnded():
            attempt_ended(d, command)
        case Admit():
            admit(d, command)
        case Start():
            if run.state is RunState.QUEUED:
                start(d)
        case Tick():
            fire_due(d)
        case AttemptReady():
            service_ready(d, command.key)
        case Cancel():
            cancel(d, command)
    propagate(d)
    return d.events
