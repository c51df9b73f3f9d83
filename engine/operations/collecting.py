"""Removing what nobody needs any more: finished runs by age and number, their files, and what is left of others.

A run goes with everything it has: the runs of its sub-flows, rows, then files. The rows of one run and those below it go in
one transaction, and its files after them. What a transaction is about to remove is noted first, so that the next collection
removes the files of one that was killed in between. Engines may go on beside it: what is not finished, or was changed since
it was looked at, stays.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from msgspec import Struct, field

from engine.errors import StoreConflict
from engine.identity import boot_id, start_time
from engine.ids import is_id, made_at
from engine.operations.retention import Retention
from engine.run_files import RunFiles
from engine.runners.journals import Journal, read_journal
from engine.states import RunState
from engine.store.port import Store
from engine.store.rows import RunFilter, RunRow

_FINAL = tuple(state.value for state in RunState if state.is_final)
_PAGE = 500
_BATCH_EVENTS = 5_000
_BATCH_RUNS = 200
"""What one transaction removes at most, but for a run that has more: some milliseconds, in which nobody else can write."""

_IDLE = timedelta(days=1)

_KEPT = "artifacts"
"""What stays of the folder of a run when its logs go: what it kept on purpose."""


class Collected(Struct):
    """What has been removed, or would be.

    Attributes:
        runs: without those of sub-flows, which are `children`.
        logs: runs that have lost what their tasks had written, and nothing else.
        orphans: folders of runs that are not in the store.
        journals: of processes that started tasks, are gone, and whose runs have all ended.
        specs: sets of files that no run was compiled from.
        busy: runs that were changed by somebody else meanwhile, and stay.
        problems: files that could not be removed, a line each.
    """

    runs: int = 0
    children: int = 0
    logs: int = 0
    orphans: int = 0
    journals: int = 0
    specs: int = 0
    busy: int = 0
    problems: list[str] = field(default_factory=list)


class Collector:
    """Collects in one store and the files of its runs; with `dry_run` it only counts."""

    def __init__(
        self,
        store: Store,
        files: RunFiles,
        *,
        name: str,
        owns_files: bool,
        now: datetime,
        dry_run: bool = False,
    ) -> None:
        """`name` tells the store from others; `owns_files`: no other store has the files of its runs in the same folder."""
        self._store = store
        self._files = files
        self._owns_files = owns_files
        self._now = now
        self._dry_run = dry_run
        self._notes = f".removing-{hashlib.sha256(name.encode()).hexdigest()[:16]}-"
        self._note = Path(files.root) / f"{self._notes}{os.getpid()}"
        self.collected = Collected()

    def collect(self, retention: Retention) -> Collected:
        """Remove what may go. Doing it again removes nothing more."""
        if not self._dry_run:
            self._finish(sorted(Path(self._files.root).glob(f"{self._notes}*[0-9]")))
        if retention.removes_runs:
            self._remove_runs(self._old_trees(retention))
        self._look_through_folders(retention)
        self._remove_journals()
        self._remove_specs()
        return self.collected

    # --- runs -----------------------------------------------------------------------------------------------------------

    def _old_trees(self, retention: Retention) -> Iterator[list[RunRow]]:
        """Runs that may go, each with those of its sub-flows, the newest first."""
        oldest = self._now if retention.runs is None else self._now - retention.runs
        where = RunFilter(states=_FINAL, until=None if retention.keep else oldest)
        seen: Counter[str] = Counter()
        cursor = None
        while True:
            page = self._store.runs(where, limit=_PAGE, cursor=cursor)
            for row in page.items:
                seen[row.flow] += 1
                if seen[row.flow] > retention.keep and (row.ended_at or row.created_at) < oldest:
                    tree = list(self._tree(row))
                    if all(RunState(one.state).is_final for one in tree):
                        yield tree
            cursor = page.next
            if cursor is None:
                return

    def _tree(self, row: RunRow) -> Iterator[RunRow]:
        waiting = [row]
        while waiting:
            found = waiting.pop()
            yield found
            waiting.extend(self._store.children(found.id))

    def _remove_runs(self, trees: Iterable[list[RunRow]]) -> None:
        for batch in _batches(trees):
            try:
                self._remove(batch)
            except StoreConflict:
                for tree in batch:  # one of them stands in the way of the others
                    try:
                        self._remove([tree])
                    except StoreConflict:
                        self.collected.busy += 1

    def _remove(self, trees: Sequence[list[RunRow]]) -> None:
        rows = [row for tree in trees for row in tree]
        if not self._dry_run:
            self._intend(rows)
            try:
                self._store.remove(rows)
            except StoreConflict:
                self._note.unlink(missing_ok=True)
                raise
            self._finish([self._note])
        self.collected.runs += len(trees)
        self.collected.children += len(rows) - len(trees)

    def _intend(self, rows: Sequence[RunRow]) -> None:
        """Note which runs are about to be removed."""
        if self._note.parent.is_dir():
            partial = self._note.with_name(f"{self._note.name}.partial")
            partial.write_text("\n".join(row.id for row in rows), encoding="ascii")
            partial.replace(self._note)

    def _finish(self, notes: Iterable[Path]) -> None:
        """Remove the files of runs that were noted and are not in the store any more. A note stays while a run of it is
        there: whoever wrote it may be about to remove it."""
        for note in notes:
            try:
                noted = note.read_text(encoding="ascii", errors="replace").split()
            except OSError:
                continue  # another collection has finished it
            gone = [run_id for run_id in noted if is_id(run_id) and self._store.run(run_id) is None]
            for run_id in gone:
                self._remove_folder(Path(self._files.run_folder(run_id)))
            if len(gone) == len(noted):
                note.unlink(missing_ok=True)

    def _remove_journals(self) -> None:
        """Remove journals that nobody will ask: their spawner is gone, and every run in them has ended, or is."""
        for path in sorted(Path(self._files.journals).glob("*.jsonl")):
            journal = read_journal(str(path))
            if self._is_idle(path) and not _is_alive(journal) and not any(map(self._goes_on, _runs_in(journal))):
                self.collected.journals += 1
                if not self._dry_run:
                    path.unlink(missing_ok=True)

    def _is_idle(self, path: Path) -> bool:
        """Whether nothing was written for a day: a spawner of another container is not seen among the processes here."""
        with suppress(FileNotFoundError):
            written_at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
            return written_at < self._now - _IDLE
        return False

    def _goes_on(self, run_id: str) -> bool:
        row = self._store.run(run_id)
        return row is not None and not RunState(row.state).is_final

    # --- files ----------------------------------------------------------------------------------------------------------

    def _look_through_folders(self, retention: Retention) -> None:
        """Remove folders without a run, and old logs.

        A run is in the store before its folder is made, and an id is never used again: a folder whose run is not there is
        of a run that was removed. Only those whose id is old enough go, for the store may be an older copy; and none where
        other stores have their files, too.
        """
        ages = [age for age in (retention.runs, retention.logs) if age is not None]
        orphans_before = self._now - (min(ages) if ages else timedelta(0))
        for run_id in _ids_of_folders(Path(self._files.root)):
            folder = Path(self._files.run_folder(run_id))
            row = self._store.run(run_id)
            if row is None:
                if self._owns_files and made_at(run_id) < orphans_before:
                    self.collected.orphans += self._dry_run or self._remove_folder(folder)
            elif retention.logs is not None and _ended_before(row, self._now - retention.logs):
                self._remove_logs(folder)

    def _remove_logs(self, folder: Path) -> None:
        there = [path for path in _inside(folder) if path.name != _KEPT]
        if there:
            gone = [self._dry_run or self._remove_folder(one) for one in there]
            self.collected.logs += all(gone)

    def _remove_folder(self, folder: Path) -> bool:
        """Whether the folder is gone, whatever was in it. A link is removed, never followed."""
        try:
            if folder.is_symlink():
                folder.unlink()
            elif folder.exists():
                shutil.rmtree(folder, onerror=_make_removable)
        except OSError as error:
            self.collected.problems.append(f"{folder}: {(error.strerror or 'it cannot be removed').lower()}")
            return False
        return True

    def _remove_specs(self) -> None:
        unused = self._store.unused_specs(self._now)
        if unused and not self._dry_run:
            self._store.remove_unused_specs(self._now)
        self.collected.specs += len(unused)


def _batches(trees: Iterable[list[RunRow]]) -> Iterator[list[list[RunRow]]]:
    """The runs in groups for one transaction each."""
    batch: list[list[RunRow]] = []
    events = runs = 0
    for tree in trees:
        weight = sum(row.seq for row in tree)
        if batch and (events + weight > _BATCH_EVENTS or runs + len(tree) > _BATCH_RUNS):
            yield batch
            batch, events, runs = [], 0, 0
        batch.append(tree)
        events += weight
        runs += len(tree)
    if batch:
        yield batch


def _inside(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:
        return []


def _ids_of_folders(root: Path) -> list[str]:
    """Names of folders that can be those of runs; anything else is not ours to touch."""
    try:
        return sorted(entry.name for entry in os.scandir(root) if is_id(entry.name))
    except FileNotFoundError:
        return []


def _is_alive(journal: Journal) -> bool:
    head = journal.head
    return head is not None and head.boot == boot_id() and start_time(head.spawner) == head.at


def _runs_in(journal: Journal) -> set[str]:
    """Ids of the runs whose attempts a journal is about: the first part of their marks."""
    return {mark.partition(".")[0] for mark in (*journal.starts, *journal.ends)}


def _ended_before(row: RunRow, instant: datetime) -> bool:
    return RunState(row.state).is_final and (row.ended_at or row.created_at) < instant


def _make_removable(function: Callable[[str], object], path: str, error: object) -> None:
    """What a task has made read-only can be removed all the same, by whom it belongs to."""
    if isinstance(error, tuple) and isinstance(error[1], FileNotFoundError):
        return  # somebody else removes it, too
    parent = os.path.dirname(path)  # noqa: PTH120 - paths are text here
    with suppress(OSError):
        for place in (parent, path):
            if not os.path.islink(place):  # noqa: PTH114 - see above
                os.chmod(place, stat.S_IRWXU)  # noqa: PTH101 - see above
    if function in (os.rmdir, os.unlink):
        function(path)
    else:
        shutil.rmtree(path)
