"""Reading an archive into rows that may be stored: what the file says is believed only where it proves it.

A file may come from anywhere. Ids and names, which become paths, are held to their forms; flows to their digests; logs to
folding into the state that the file says they make.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO, TypeVar

from msgspec import Struct, field

from engine.compiling.digest import digest_of
from engine.errors import FlowctlError
from engine.ids import is_id
from engine.operations.archive import BadArchive, End, Header, LogPiece, Record, read_records
from engine.operations.replaying import first_difference
from engine.plan import Plan
from engine.states import RunState
from engine.store.rows import AttemptRow, EventRow, RunBatch, RunRow, Snapshot, SpecRow, TaskRow

MOST_RUNS = 100_000
Key = TypeVar("Key", bound=tuple[str | int, ...])

_TASK = re.compile(r"[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62}){0,2}")
_STATES = frozenset(RunState)


class NotImported(FlowctlError):
    """The file is a whole archive, and its run may not be imported."""

    code = "not_imported"


class ImportedRun(Struct):
    """One run of an archive. `number` is the line it begins at, `attempts` also says whose logs may follow."""

    row: RunRow
    number: int
    events: list[EventRow] = field(default_factory=list)
    tasks: dict[tuple[str, int], TaskRow] = field(default_factory=dict)
    attempts: dict[tuple[str, int, int, int], AttemptRow] = field(default_factory=dict)

    def snapshot(self) -> Snapshot:
        """The run as it is stored."""
        return Snapshot(self.row, tuple(self.tasks.values()), tuple(self.attempts.values()))

    def batch(self, spec: SpecRow) -> RunBatch:
        """Everything of the run, to be stored at once."""
        return RunBatch(
            self.row,
            tuple(self.events),
            tuple(self.tasks.values()),
            tuple(self.attempts.values()),
            new=True,
            spec=spec,
        )


class Archive(Struct):
    """What a file holds, but for the logs; the runs are in the order in which they are made."""

    header: Header
    specs: dict[str, SpecRow] = field(default_factory=dict)
    runs: dict[str, ImportedRun] = field(default_factory=dict)
    logs: bool = False

    def batches(self) -> list[RunBatch]:
        """Everything to be stored, in one commit."""
        return [one.batch(self.specs[one.row.digest]) for one in self.runs.values()]


PlanOf = Callable[[SpecRow], Plan | None]
"""The plan of stored files; `None` where this flowctl cannot compile them."""


def read_archive(stream: BinaryIO) -> Archive:
    """Everything in an archive but the logs, each record checked by itself and against those before it.

    Raises:
        BadArchive: the file is no archive, not whole, or contradicts itself.
    """
    archive: Archive | None = None
    for number, record in enumerate(read_records(stream), start=1):
        if isinstance(record, Header):
            archive = _begun(record)
        elif archive is not None:
            _add(archive, record, number)
    if archive is None:
        raise AssertionError("read_records yields a header or raises")
    _require_complete(archive)
    return archive


def read_logs(stream: BinaryIO) -> Iterator[LogPiece]:
    """The logs of an archive that `read_archive` has read without an error."""
    return (record for record in read_records(stream) if isinstance(record, LogPiece))


def require_ended(archive: Archive) -> None:
    """Raise `NotImported` if a run of the archive has not ended: two stores would go on with it, each by itself."""
    for one in archive.runs.values():
        if not RunState(one.row.state).is_final:
            raise NotImported(
                f"run `{one.row.id}` had not ended when it was exported: it was {one.row.state}",
                hint="export it again when it has ended",
            )


def unproven_runs(archive: Archive, plan_of: PlanOf) -> list[str]:
    """Ids of the runs whose flow cannot be compiled here, so that nobody can tell whether their log makes their state.

    Raises:
        BadArchive: the log of a run makes another state than the file says.
    """
    plans = {digest: plan_of(spec) for digest, spec in archive.specs.items()}
    unproven = []
    for one in archive.runs.values():
        plan = plans[one.row.digest]
        if plan is None:
            unproven.append(one.row.id)
            continue
        found = first_difference(plan, one.snapshot(), one.events)
        if found is not None:
            raise BadArchive(
                f"the log of run `{one.row.id}` does not make its state: event {found.seq}, {found.place}, `{found.field}`",
                line=one.number,
                hint="the file was not written by `flowctl export`",
            )
    return unproven


# --- record by record ---------------------------------------------------------------------------------------------------


def _begun(header: Header) -> Archive:
    if not is_id(header.run):
        raise BadArchive("the header names no run", line=1)
    if not 1 <= header.runs <= MOST_RUNS:
        raise BadArchive(f"the file says it holds {header.runs} runs; 1 to {MOST_RUNS:,} are possible", line=1)
    return Archive(header)


def _add(archive: Archive, record: Record, number: int) -> None:
    match record:
        case SpecRow():
            if digest_of(record.files) != record.digest or record.digest in archive.specs:
                raise BadArchive("the files of the flow are not those of its digest", line=number)
            archive.specs[record.digest] = record
        case RunRow():
            _add_run(archive, record, number)
        case EventRow():
            one = _run_of(archive, record.run_id, number)
            if record.seq != len(one.events) + 1:
                raise BadArchive(f"event {record.seq} follows event {len(one.events)}", line=number)
            one.events.append(record)
        case TaskRow():
            one = _run_of(archive, record.run_id, number)
            _require_new(one.tasks, (record.task, record.item), number)
            one.tasks[record.task, record.item] = record
        case AttemptRow():
            one = _run_of(archive, record.run_id, number)
            key = (record.task, record.item, record.round, record.attempt)
            _require_new(one.attempts, key, number)
            one.attempts[key] = record
        case LogPiece():
            one = _run_of(archive, record.run_id, number)
            if (record.task, record.item, record.round, record.attempt) not in one.attempts:
                raise BadArchive("a log belongs to no attempt of its run", line=number)
            archive.logs = True
        case Header() | End():
            pass  # their place was checked when they were read


def _add_run(archive: Archive, row: RunRow, number: int) -> None:
    if not is_id(row.id) or row.id in archive.runs:
        raise BadArchive("the id of a run is none, or there twice", line=number)
    if row.digest not in archive.specs:
        raise BadArchive(f"run `{row.id}` comes before the files of its flow", line=number)
    if row.state not in _STATES:
        raise BadArchive(f"run `{row.id}` is in no state that there is", line=number)
    is_first = not archive.runs
    if (row.id == archive.header.run) != is_first or (is_first and row.parent_run is not None):
        raise BadArchive("the run that the header names must come first, and be part of no other", line=number)
    if not is_first and row.parent_run not in archive.runs:
        raise BadArchive(f"run `{row.id}` comes before the one it is part of", line=number)
    archive.runs[row.id] = ImportedRun(row, number)


def _run_of(archive: Archive, run_id: str, number: int) -> ImportedRun:
    if run_id not in archive.runs:
        raise BadArchive("the record belongs to no run before it", line=number)
    return archive.runs[run_id]


def _require_new(rows: Mapping[Key, object], key: Key, number: int) -> None:
    task, item, *rest = key
    if not _TASK.fullmatch(str(task)) or int(item) < -1 or any(int(one) < 1 for one in rest):
        raise BadArchive("the record is of no task, item or attempt that there can be", line=number)
    if key in rows:
        raise BadArchive("the record is there twice", line=number)


def _require_complete(archive: Archive) -> None:
    if len(archive.runs) != archive.header.runs:
        raise BadArchive(f"the file holds {len(archive.runs)} runs, and its header says {archive.header.runs}", line=1)
    for one in archive.runs.values():
        if one.row.seq != len(one.events) or not one.events:
            raise BadArchive(
                f"run `{one.row.id}` has {len(one.events)} events, and says {one.row.seq}", line=one.number
            )
