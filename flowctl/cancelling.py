"""Ending a run by name: by a message to the engine that holds it, or, when none does, by taking it over to end it here."""

from __future__ import annotations

import os
import pwd
import time
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.commands import Cancel
from engine.doorbell import ring
from engine.errors import NoAnswer
from engine.identity import short_name
from engine.ids import RandomIds
from engine.inbox import ALREADY, UNKNOWN, cancel_message
from engine.states import RunState
from flowctl.following import abandoned_owners, is_abandoned
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.store.port import Store
    from engine.store.rows import Message, RunRow

FIRST_LOOK_S, LONGEST_LOOK_S = 0.01, 0.2
PATIENCE_S = 60.0
"""How long an engine that is alive may take to answer: longer than its lease, so that one that hangs has lost the run by
then."""


class Outcome(StrEnum):
    """What became of the request."""

    ENDING = "ending"  # the engine that holds the run ends it
    ALREADY = "already"  # it was being cancelled
    ENDED = "ended"  # it has ended


def user() -> str:
    """Who asks."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return str(os.getuid())


def cancel_run(workspace: Workspace, store: Store, row: RunRow, *, note: str | None, force: bool) -> Outcome:
    """Have a run that has not ended cancelled; returns when that is certain to follow.

    Raises:
        NoAnswer: the engine that holds it does not answer; it will find the request when it looks.
    """
    now = SystemClock().now()
    message = cancel_message(RandomIds().new(now), row.id, by=user(), note=note, force=force, at=now)
    asked = False
    pause, until = FIRST_LOOK_S, time.monotonic() + PATIENCE_S
    while not RunState(row.state).is_final:
        if is_abandoned(row, abandoned_owners(store)):
            if _end_here(workspace, store, message):
                return Outcome.ENDED
        elif not asked:
            asked = True
            store.ask(message)
            ring(row.owner or "")
        else:
            answered = store.message(message.id)
            if answered is not None and answered.answer is not None:
                return _told(answered, row)
            if time.monotonic() > until:
                raise _no_answer(row)
            time.sleep(pause)
            pause = min(pause * 1.5, LONGEST_LOOK_S)
        row = store.run(row.id) or row
    return Outcome.ENDED


def _end_here(workspace: Workspace, store: Store, message: Message) -> bool:
    """Take the run over, cancel it, and drive it to its end; whether it could be taken over. What hangs together with it
    is left as it was found, but for what follows from that end."""
    with workspace.engine(store) as (engine, _):
        taken = {run.id for run, _ in engine.take_over(message.run_id)}
        if message.run_id not in taken:
            return False
        force = message.data.get("force") is True
        engine.cancel(message.run_id, Cancel(message.asked_by, _note(message), force=force))
        engine.drive(message.run_id)
    return True


def _note(message: Message) -> str | None:
    note = message.data.get("note")
    return note if isinstance(note, str) else None


def _told(message: Message, row: RunRow) -> Outcome:
    outcome = (message.answer or {}).get("outcome")
    if outcome == UNKNOWN:
        raise NoAnswer(
            f"{short_name(row.owner or '')}, which drives run `{row.id}`, does not know how to cancel it",
            hint="it is of another flowctl; end it with Ctrl-C",
        )
    return Outcome.ALREADY if outcome == ALREADY else Outcome.ENDING


def _no_answer(row: RunRow) -> NoAnswer:
    return NoAnswer(
        f"{short_name(row.owner or '')} drives run `{row.id}` and has not answered for {PATIENCE_S:g} s",
        hint="it cancels the run as soon as it goes on; if it never will, end that process and cancel again",
    )
