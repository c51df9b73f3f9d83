"""What can be asked of, or told to, a run: the inputs of `engine.decide`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from engine.attempts import AttemptEnded, AttemptReady


@dataclass(frozen=True, slots=True)
class Start:
    """Begin to drive the run."""


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed: look at what is due."""


@dataclass(frozen=True, slots=True)
class Admit:
    """Admission lets a queued task, or item, start now. `child` is the id that the run of a sub-flow gets."""

    task: str
    item: int | None = None
    child: str | None = None


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the run. A second one, or `force`, ends cleanup, hooks and undo as well."""

    by: str = "operator"
    note: str | None = None
    force: bool = False


Command: TypeAlias = Start | Tick | Admit | Cancel | AttemptEnded | AttemptReady
