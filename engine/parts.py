"""What an engine is built from; whoever builds the program hands it in."""

from __future__ import annotations

from collections.abc import Callable
from time import monotonic

from msgspec import Struct

from engine.attempts import Runner
from engine.clock import Clock
from engine.effects import Waiter
from engine.ids import Ids
from engine.launching import Surroundings
from engine.ownership import Terms
from engine.recovery import Plans
from engine.retry import Random
from engine.store.port import Store


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
    """The parts of an engine. Without `keeping` nobody else uses the store."""

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
