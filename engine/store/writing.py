"""What every store writes, whatever database it is in: checks before a write, and a conflict's story after."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Sequence
from datetime import datetime

from engine.errors import StoreConflict, StoreError
from engine.store import removing, statements
from engine.store.codec import Record
from engine.store.reading import StoredRows
from engine.store.rows import Answer, Lease, Message, RunBatch, RunRow
from engine.store.statements import Write


class WritingStore(StoredRows):
    """The writing half of a store (`engine.store.port.Store`), on top of one method that makes a transaction."""

    @abstractmethod
    def _write(self, batches: Sequence[RunBatch], writes: Sequence[Write]) -> None:
        """Make all writes, those of the batches among them, in one durable transaction; raises errors of the store, and
        `UnicodeEncodeError`, `OverflowError`, `RecursionError` or `ValueError` for a value that cannot be written."""

    def _announcement(self, message: Message) -> Sequence[Write]:  # noqa: ARG002 - for stores of several machines
        """What is written beside a message so that the engine that holds its run looks for it."""
        return ()

    def commit(
        self,
        batches: Sequence[RunBatch],
        *,
        lease: Lease | None = None,
        retired: Sequence[str] = (),
        answers: Sequence[Answer] = (),
    ) -> None:
        """Write everything in one durable transaction, or nothing of it; what UTF-8 cannot hold is replaced.

        Raises:
            StoreConflict: another writer was first; it names the runs that were changed.
            StoreUnavailable: the medium failed, or the server is not there. If it is `transient`, the same batches may be
                committed again, which does not write twice what was written after all.
            StoreError: a value cannot be stored.
        """
        self._patiently(lambda: self._commit(batches, lease, retired, answers))

    def ask(self, message: Message) -> None:
        """Put a message into the inbox, durably. One whose id is there already is not written again."""
        self._patiently(lambda: self._write((), [statements.message_write(message), *self._announcement(message)]))

    def remove(self, runs: Sequence[RunRow]) -> None:
        """Remove finished runs with all that belongs to them, in one durable transaction, or none of them."""
        if runs:
            self._patiently(lambda: self._write((), removing.runs_removed(runs)))

    def remove_unused_specs(self, before: datetime) -> None:
        """Remove the files stored before then that no run was compiled from."""
        self._patiently(lambda: self._write((), removing.unused_specs_removed(before)))

    def _commit(
        self, batches: Sequence[RunBatch], lease: Lease | None, retired: Sequence[str], answers: Sequence[Answer]
    ) -> None:
        beat = None
        if lease is not None:
            clock, now = self._lease_clock()
            beat = statements.lease_write(lease, clock=clock, now=now)
        statements.check_logs(batches)
        try:
            writes = statements.writes(batches, retired=retired, answers=answers)
            if beat is not None:
                writes.append(beat)
            if not writes:
                return
            try:
                self._write(batches, writes)
            except UnicodeEncodeError:
                self._write(batches, [statements.cleaned(each) for each in writes])
        except (OverflowError, RecursionError, ValueError) as error:
            runs = ", ".join(f"`{batch.run.id}`" for batch in _first_of_each_run(batches)[:3])
            raise StoreError(f"a value of run {runs} is too large or nested too deeply to be stored") from error


def overtaken(batches: Sequence[RunBatch], fence: Callable[[str], Record | None]) -> StoreConflict:
    """The conflict with the runs it is about; `fence` tells a stored run's `seq` and `token`."""
    lost = [batch.run.id for batch in _first_of_each_run(batches) if _was_overtaken(batch, fence(batch.run.id))]
    named = ", ".join(f"`{run_id}`" for run_id in lost[:3]) + (", ..." if len(lost) > 3 else "")
    where = f" at run {named}" if lost else ""
    return StoreConflict(f"another writer was first{where}, nothing was written", run_ids=lost)


def _was_overtaken(batch: RunBatch, fence: Record | None) -> bool:
    if batch.new or fence is None:
        return batch.new == (fence is not None)
    token = batch.run.token if batch.expected_token is None else batch.expected_token
    return tuple(fence) != (batch.expected_seq, token)


def _first_of_each_run(batches: Sequence[RunBatch]) -> list[RunBatch]:
    first: dict[str, RunBatch] = {}
    for batch in batches:
        first.setdefault(batch.run.id, batch)
    return list(first.values())
