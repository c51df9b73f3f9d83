"""What is asked of a run that another process drives: messages in the store, read and answered by the engine that holds it."""

from __future__ import annotations

from datetime import datetime

from engine.commands import Cancel, Command
from engine.run import Run
from engine.store.rows import Answer, Message

CANCEL = "cancel"

DONE = "done"
ALREADY = "already"
UNKNOWN = "unknown"
"""What an answer says under `outcome`: it follows now, it was so before, or this engine knows no such command."""


def cancel_message(message_id: str, run_id: str, *, by: str, note: str | None, force: bool, at: datetime) -> Message:
    """Ask for the end of a run."""
    return Message(message_id, run_id, CANCEL, {"note": note, "force": force}, by, at)


def read(message: Message, run: Run, *, now: datetime) -> tuple[Command | None, Answer]:
    """What a message comes to for a run as it stands: a command, or nothing to be done, and the answer."""
    if message.command != CANCEL:
        return None, Answer(message.id, now, {"outcome": UNKNOWN})
    command = cancel_command(message)
    if is_cancelled_already(run, command):
        return None, Answer(message.id, now, {"outcome": ALREADY})
    return command, Answer(message.id, now, {"outcome": DONE})


def cancel_command(message: Message) -> Cancel:
    """The command that a message asks for."""
    note = message.data.get("note")
    return Cancel(message.asked_by, note if isinstance(note, str) else None, force=message.data.get("force") is True)


def is_cancelled_already(run: Run, command: Cancel) -> bool:
    """Whether the run is ending for a cancel, so that asking once more changes nothing: who asks by name and wants cleanup
    to end, too, says so with force. (A second signal means that by itself.)"""
    return run.draining == "cancelled" and not command.force
