"""Who may drive a run: leases of engines, and the one rule by which what an engine holds becomes free.

An engine holds runs by one lease: taken in the transaction of its first run, renewed from its loop, given back in the
transaction that ends the last. What it held is free when it has left it behind, when it is proven to be dead, or when its
lease has run out and it is not seen to be alive on this machine. Whoever takes over writes a new token into the run, so an
engine that was held up and goes on can write nothing any more.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from msgspec import Struct

from engine.identity import Standing, short_name, standing
from engine.store.rows import Holding, Lease

LEFT_BEHIND = "has left it behind"
"""How the reason ends where the engine before has not died."""

_OVER = timedelta(0)


class Terms(Struct, frozen=True):
    """How long a lease lasts, and how often it is renewed."""

    beat: timedelta = timedelta(seconds=5)
    lasts: timedelta = timedelta(seconds=15)


def why_free(holding: Holding, look: Callable[[str], Standing] = standing) -> str | None:
    """Why what this owner holds may be taken over, in one line; `None` when an engine holds it.

    A process that is seen to run keeps what it holds however late it is: on one machine nothing can come between an engine
    and its store but load, and clocks that are set prove nothing.
    """
    owner, engine = holding.owner, holding.engine
    if owner is None:
        return "nobody drove it"
    found = look(owner)
    if found is Standing.DEAD:
        return f"{short_name(owner)} is gone"
    if engine is None:
        return "nobody knows its engine" if found is Standing.UNKNOWN else None
    if engine.retired:
        return f"{short_name(owner)} {LEFT_BEHIND}"
    if engine.lapsed >= _OVER and found is not Standing.ALIVE:
        return f"{short_name(owner)} has not been heard of"
    return None


class Membership:
    """The lease of one engine: what its next commit says of it. Time is monotonic, so clocks that are set do no harm."""

    def __init__(self, engine: str, *, terms: Terms, elapsed: Callable[[], float]) -> None:
        """`elapsed` tells seconds that only ever grow."""
        self.engine = engine
        self._terms = terms
        self._elapsed = elapsed
        self._started_at: datetime | None = None
        self._beat_s: float | None = None

    @property
    def due_in_s(self) -> float | None:
        """Seconds until the lease should be renewed; `None` while none is held."""
        if self._beat_s is None:
            return None
        return max(0.0, self._beat_s + self._terms.beat.total_seconds() - self._elapsed())

    @property
    def is_overdue(self) -> bool:
        """Whether the lease may have run out, so that what the engine holds may be another's by now."""
        return self._beat_s is not None and self._elapsed() - self._beat_s >= self._terms.lasts.total_seconds()

    def next(self, *, holds: bool, now: datetime) -> Lease | None:
        """What a commit is to say after which the engine holds something, or nothing; `None` if it need say nothing."""
        if self._started_at is None:
            self._started_at = now
        if not holds:
            return None if self._beat_s is None else Lease(self.engine, self._started_at, _OVER)
        return Lease(self.engine, self._started_at, self._terms.lasts) if not self.due_in_s else None

    def said(self, lease: Lease | None, *, at_s: float) -> None:
        """A commit that was begun at `at_s` has said this."""
        if lease is not None:
            self._beat_s = at_s if lease.lasts else None

    def elapsed(self) -> float:
        """The seconds by which beats are timed."""
        return self._elapsed()
