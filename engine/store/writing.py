"""What every store does around a write, whatever database it is in: checks before, and a conflict's story after."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from engine.errors import StoreConflict, StoreError
from engine.store import statements
from engine.store.codec import Record
from engine.store.rows import Answer, RunBatch
from engine.store.statements import Write


def commit_with(
    write: Callable[[Sequence[RunBatch], Sequence[Write]], None],
    batches: Sequence[RunBatch],
    *,
    lease: Write | None = None,
    retired: Sequence[str] = (),
    answers: Sequence[Answer] = (),
) -> None:
    """Have `write` write everything in one transaction, with what UTF-8 cannot hold replaced.

    Raises:
        StoreError: a value cannot be stored; and whatever `write` raises.
    """
    statements.check_logs(batches)
    try:
        writes = statements.writes(batches, retired=retired, answers=answers)
        if lease is not None:
            writes.append(lease)
        if not writes:
            return
        try:
            write(batches, writes)
        except UnicodeEncodeError:
            write(batches, [statements.cleaned(each) for each in writes])
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
