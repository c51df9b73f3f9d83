"""What the engine asks of a store. Both implementations pass `tests/engine/store/conformance.py`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from engine.store.rows import AttemptRow, EventRow, Page, RunBatch, RunFilter, RunRow, SpecRow, TaskRow


class Store(Protocol):
    """Runs, their event logs and the projections beside them.

    Writes raise `engine.errors.StoreConflict` when another writer was first (nothing is written then),
    `engine.errors.StoreUnavailable` when the medium fails (full disk, I/O error), after which nothing was acknowledged.
    """

    def commit(self, batches: Sequence[RunBatch]) -> None:
        """Write all batches in one durable transaction, or none of them."""

    def spec(self, digest: str) -> SpecRow | None:
        """The files a run was compiled from."""

    def run(self, run_id: str) -> RunRow | None:
        """One run by its whole id."""

    def resolve(self, text: str, *, limit: int = 10) -> tuple[str, ...]:
        """Ids of runs that equal `text`, end with it, or start with it (at least 4 characters), newest first.

        A run whose whole id is `text` is meant, and returned alone.
        """

    def latest(self) -> str | None:
        """Id of the newest top-level run."""

    def runs(self, where: RunFilter, *, limit: int, cursor: str | None = None) -> Page:
        """A page of runs, newest first. An unreadable cursor raises `engine.errors.BadCursor`."""

    def children(self, run_id: str) -> tuple[RunRow, ...]:
        """Child runs, oldest first."""

    def tasks(self, run_id: str, *, items: bool = False) -> tuple[TaskRow, ...]:
        """Tasks in file order; with `items`, each fan-out's items follow it."""

    def attempts(self, run_id: str, *, task: str | None = None, item: int | None = None) -> tuple[AttemptRow, ...]:
        """Attempts in order of (task position as stored, item, round, attempt)."""

    def events(self, run_id: str, *, after: int = 0, limit: int | None = None) -> tuple[EventRow, ...]:
        """Events with `seq` above `after`, in order."""

    def close(self) -> None:
        """Free the store; pending writes are none. Repeatable."""
