"""What can be asked of, or told to, a run: the inputs of `engine.decide`."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from engine.attempts import AttemptEnded, AttemptReady


class Start(Struct, frozen=True):
    """Begin to drive the run."""


class Tick(Struct, frozen=True):
    """Time has passed: look at what is due."""


class Admit(Struct, frozen=True):
    """Admission lets a queued task, or item, start now. `child` is the id that the run of a sub-flow gets."""

    task: str
    item: int | None = None
    child: str | None = None


class Cancel(Struct, frozen=True):
    """End the run. A second one, or `force`, ends cleanup, hooks and undo as well."""

    by: str = "operator"
    note: str | None = None
    force: bool = False


Command: TypeAlias = Start | Tick | Admit | Cancel | AttemptEnded | AttemptReady
