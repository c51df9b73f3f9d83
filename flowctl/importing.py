"""Taking exported runs into the store: the same ids, once, and nothing that is there already is changed."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from engine.attempts import AttemptKey
from engine.errors import FlowctlError, StoreConflict
from engine.operations.archive import LogPiece
from engine.operations.importing import Archive, ImportedRun, read_archive, read_logs, require_ended, unproven_runs
from engine.store.rows import SpecRow
from flowctl.exporting import Exporter
from flowctl.history import PlanLost, StoredPlans
from flowctl.reading import reason_of

if TYPE_CHECKING:
    from engine.plan import Plan
    from engine.run_files import RunFiles
    from engine.store.port import Store

_FIRST_TOKEN = 1


class DifferentRun(StoreConflict):
    """The store has a run of the same id that is another one."""

    code = "different_run"


class Imported(Struct, frozen=True):
    """What came of an import.

    Attributes:
        run: the run; `runs` counts those of its sub-flows, too.
        was_there: it had been imported before, or was exported from this store.
        unproven: runs whose flow cannot be compiled here, so that their log could not be folded.
    """

    run: str
    flow: str
    runs: int
    was_there: bool
    unproven: tuple[str, ...]


class Importer:
    """Imports runs into a store."""

    def __init__(self, store: Store, plans: StoredPlans, files: RunFiles) -> None:
        self._store = store
        self._plans = plans
        self._files = files

    def take(self, stream: BinaryIO) -> Imported:
        """Store what an archive holds, in one transaction, then write its logs; `stream` can be read twice.

        Raises:
            BadArchive: the file is no archive, not whole, or contradicts itself.
            NotImported: a run in it has not ended.
            DifferentRun: the store has one of its runs, and not the same.
        """
        archive = read_archive(stream)
        require_ended(archive)
        unproven = unproven_runs(archive, self._plan_of)
        was_there = self._is_there(archive)
        if not was_there:
            try:
                self._store.commit(
                    [replace(batch, run=replace(batch.run, token=_FIRST_TOKEN)) for batch in archive.batches()]
                )
            except StoreConflict:
                if not self._is_there(archive):
                    raise
                was_there = True
        if archive.logs:
            stream.seek(0)
            self._write_logs(stream)
        row = archive.runs[archive.header.run].row
        return Imported(row.id, row.flow, len(archive.runs), was_there, tuple(unproven))

    def _plan_of(self, spec: SpecRow) -> Plan | None:
        try:
            return self._plans.plan_of(spec.files)
        except PlanLost:
            return None

    def _is_there(self, archive: Archive) -> bool:
        """Whether the store has all these runs. Raises `DifferentRun` if it has one of them otherwise than the file."""
        there = [run_id for run_id in archive.runs if self._store.run(run_id) is not None]
        if not there:
            return False
        exporter = Exporter(self._store, self._plans, self._files)
        top = archive.header.run
        if len(there) == len(archive.runs):
            every = exporter.read_all(top)
            masker = exporter.masker(every)
            stored = {one.stored.run.id: one for one in every}
            if stored.keys() == archive.runs.keys() and all(
                [*exporter.rows(stored[one.row.id], masker)] == _rows(one) for one in archive.runs.values()
            ):
                return True
        raise DifferentRun(
            f"run `{there[0]}` is in the store already, and is not the one in the file",
            hint=f"`flowctl export {top}` writes the one in the store; import the file into another store",
            run_ids=there,
        )

    def _write_logs(self, stream: BinaryIO) -> None:
        """Write the logs that are not there. One that was not finished last time is written anew."""
        current: tuple[AttemptKey, _LogFile] | None = None
        try:
            for piece in read_logs(stream):
                key = _key_of(piece)
                if current is None or current[0] != key:
                    if current is not None:
                        current[1].finish()
                    current = (key, _LogFile(self._files, key))
                current[1].write(piece.data)
            if current is not None:
                current[1].finish()
        except OSError as error:
            raise FlowctlError(
                f"cannot write the logs below `{self._files.root}`: {reason_of(error)}",
                hint="the runs are in the store; import the file again for the logs",
            ) from error


class _LogFile:
    """A log while it is imported: it gets its name when it is whole. One that is there is left as it is."""

    def __init__(self, files: RunFiles, key: AttemptKey) -> None:
        self._path = Path(files.attempt(key).log)
        self._partial = self._path.with_name(f"{self._path.name}.partial")
        self._descriptor = -1
        if not self._path.exists():
            files.make_run(key.run_id)
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
            self._descriptor = os.open(self._partial, flags, 0o600)

    def write(self, data: bytes) -> None:
        """Add a piece."""
        view = memoryview(data)
        while self._descriptor >= 0 and view:
            view = view[os.write(self._descriptor, view) :]

    def finish(self) -> None:
        """Give the log its name."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
            self._partial.rename(self._path)


def _rows(one: ImportedRun) -> list[object]:
    """The rows of a run as an export of it would write them."""
    return [replace(one.row, owner=None, token=0), *one.events, *one.tasks.values(), *one.attempts.values()]


def _key_of(piece: LogPiece) -> AttemptKey:
    return AttemptKey(piece.run_id, piece.task, None if piece.item < 0 else piece.item, piece.round, piece.attempt)
