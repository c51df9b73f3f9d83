"""What the engine asks of a store. Both implementations pass `tests/engine/store/conformance.py`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Protocol

from engine.errors import StoreUnavailable
from engine.store.rows import (
    Answer,
    AttemptRow,
    EventRow,
    Flaw,
    Holding,
    Lease,
    Message,
    Page,
    RunBatch,
    RunFilter,
    RunRow,
    Snapshot,
    SpecRow,
    TaskRow,
)

if TYPE_CHECKING:
    from engine.attempts import Reactor


class Patience(Protocol):
    """How a caller bears that a store is away for a while."""

    def pause(self, error: StoreUnavailable) -> None:
        """Wait before the next try, or raise `error` where there is to be none."""

    def over(self) -> None:
        """The store has answered."""


class Wakeups(Protocol):
    """Word that comes through the store."""

    def close(self) -> None:
        """Listen no more. Repeatable."""


class Store(Protocol):
    """Runs, their event logs and the projections beside them.

    Writes raise `engine.errors.StoreConflict` when another writer was first (nothing is written then),
    `engine.errors.StoreUnavailable` when the medium fails (full disk, I/O error), after which nothing was acknowledged.
    """

    def commit(
        self,
        batches: Sequence[RunBatch],
        *,
        lease: Lease | None = None,
        retired: Sequence[str] = (),
        answers: Sequence[Answer] = (),
    ) -> None:
        """Write everything in one durable transaction, or nothing of it.

        Args:
            lease: is taken, renewed or given back, whatever it was before.
            retired: engines of which nothing is to be expected any more: what they hold is free from now on. Retired
                engines that hold nothing are forgotten.
            answers: to messages; one that has been answered keeps its first answer.
        """

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

    def snapshot(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, items and attempts, all of one instant."""

    def tasks(self, run_id: str, *, items: bool = False) -> tuple[TaskRow, ...]:
        """Tasks in file order; with `items`, each fan-out's items follow it."""

    def attempts(self, run_id: str, *, task: str | None = None, item: int | None = None) -> tuple[AttemptRow, ...]:
        """Attempts in order of (task position as stored, item, round, attempt)."""

    def events(self, run_id: str, *, after: int = 0, limit: int | None = None) -> tuple[EventRow, ...]:
        """Events with `seq` above `after`, in order."""

    def holdings(self) -> tuple[Holding, ...]:
        """Who holds unfinished runs, in no order."""

    def held(self, owner: str | None, *, after: str = "", limit: int) -> tuple[RunRow, ...]:
        """Unfinished runs of an owner, or of nobody, by id, from the first above `after` on; child runs are among them."""

    def ask(self, message: Message) -> None:
        """Put a message into the inbox, durably. One whose id is there already is not written again."""

    def message(self, message_id: str) -> Message | None:
        """One message, with its answer when there is one."""

    def asked(self, owner: str) -> tuple[Message, ...]:
        """Messages without an answer about runs that `owner` holds, in the order in which they were asked."""

    def remove(self, runs: Sequence[RunRow]) -> None:
        """Remove finished runs with their tasks, attempts, events and messages, in one durable transaction, or none.

        Raises `StoreConflict` if one of them is not there as it was read.
        """

    def ids(self, *, after: str = "", limit: int) -> tuple[str, ...]:
        """Ids of all runs in order, child runs among them, from the first above `after` on."""

    def flaws(self) -> Iterator[Flaw]:
        """What does not hold of the rows among themselves, at most 100 runs for each kind."""

    def unused_specs(self, before: datetime) -> tuple[str, ...]:
        """Digests of the files stored before then that no run was compiled from."""

    def remove_unused_specs(self, before: datetime) -> None:
        """Remove those files."""

    def wakeups(self, engine: str, reactor: Reactor, rung: Callable[[], None]) -> Wakeups | None:
        """Have `rung` called in the loop's thread when a message for `engine` may have come from another machine; until it
        is closed. `None` where no other machine can reach the store."""

    def be_patient(self, patience: Patience | None) -> None:
        """Have calls wait while the store is away, as `patience` says; without it they fail at once.

        Only what is `transient` is waited for. A commit that is made again is not written twice.
        """

    def close(self) -> None:
        """Free the store; pending writes are none. Repeatable."""
