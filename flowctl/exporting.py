"""Exporting a run: its rows and those of its sub-flows' runs, without what a flow declares as sensitive.

A sensitive value is hidden where it is known to stand, by the name of the parameter or output, and wherever else its text
turns up: in parameters of sub-flows, in items, in messages, in logs. Of the environment only the names are kept.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from msgspec import Struct
from msgspec.structs import replace

from engine.errors import FlowctlError, RunNotFound
from engine.operations.archive import FORMAT, LOG_PIECE, VERSION, ArchiveWriter, Header, LogPiece, Row
from engine.outcomes import Json
from engine.runners.masking import Masker
from engine.store.rows import EventRow, RunRow, Snapshot, SpecRow, TaskRow
from flowctl.attempt_logs import GrowingLog, key_of
from flowctl.history import StoredPlans, events_of
from flowctl.redaction import HIDDEN, sensitive_parameters, without_sensitive
from flowctl.version import VERSION as PROGRAM_VERSION

if TYPE_CHECKING:
    from engine.run_files import RunFiles
    from engine.store.port import Store

_WITH_VALUES = ("params", "trigger", "output", "outputs", "items", "keys", "notes", "note", "by")
"""Fields of events that hold values and words of users, and nothing that folding goes by."""


class NotExported(FlowctlError):
    """The run cannot be exported."""

    code = "not_exported"


class Exported(Struct, frozen=True):
    """What is exported of one run, but for its events and logs."""

    stored: Snapshot
    spec: SpecRow


class Exporter:
    """Exports runs of a store."""

    def __init__(self, store: Store, plans: StoredPlans, files: RunFiles) -> None:
        self._store = store
        self._plans = plans
        self._files = files

    def write(self, run: RunRow, stream: BinaryIO, *, now: datetime, logs: bool) -> int:
        """Write the archive of a run that is part of no other, with `logs` also what its tasks have written; how many runs
        are in it.

        Raises:
            PlanLost: nobody can tell any more which of its values are sensitive.
            NotExported: the run is part of another one, or damaged.
        """
        if run.parent_run is not None:
            raise NotExported(
                f"run `{run.id}` is part of run `{run.parent_run}`",
                hint=f"export that: `flowctl export {run.parent_run}`",
            )
        every = self.read_all(run.id)
        masker = self.masker(every)
        writer = ArchiveWriter(stream)
        writer.put(Header(FORMAT, VERSION, PROGRAM_VERSION, now, run.id, len(every)))
        written = set[str]()
        for one in every:
            if one.spec.digest not in written:
                written.add(one.spec.digest)
                writer.put(one.spec)
            for row in self.rows(one, masker):
                writer.put(row)
            if logs:
                for piece in self._logs(one.stored, masker):
                    writer.put(piece)
        writer.end()
        return len(every)

    def read_all(self, run_id: str) -> list[Exported]:
        """A run and those of its sub-flows, each after the one it is part of."""
        return [self._read(one) for one in self._tree(run_id)]

    def masker(self, every: list[Exported]) -> Masker:
        """What hides all sensitive values that turn up anywhere in these runs."""
        texts = set[str]()
        for one in every:
            plan = self._plans.plan(one.stored.run.digest) if self._plans.may_hide(one.stored.run.digest) else None
            if plan is None:
                continue
            names = sensitive_parameters(plan)
            texts.update(_texts([value for name, value in one.stored.run.params.items() if name in names]))
            for row in self._events(one.stored):
                shown = without_sensitive(row, plan)
                for key in ("params", "output") if shown is not row else ():
                    texts.update(_hidden_texts(row.data.get(key), shown.data.get(key)))
        texts.discard(HIDDEN)
        return Masker(texts)

    def rows(self, one: Exported, masker: Masker) -> Iterator[Row]:
        """The run, its events, tasks and attempts as they are exported."""
        run = one.stored.run
        names = self._plans.sensitive(run)
        yield replace(
            run,
            params=_masked_map(_hide(run.params, names), masker),
            trigger=_masked_map(run.trigger, masker),
            error=_masked_failure(run.error, masker),
            outputs=None if run.outputs is None else _masked_map(run.outputs, masker),
            owner=None,
            token=0,
        )
        for event in self._events(one.stored):
            yield _masked_event(self._plans.shown(event, run), masker)
        for task in one.stored.tasks:
            yield _masked_task(task, masker)
        for attempt in one.stored.attempts:
            yield replace(attempt, error=_masked_failure(attempt.error, masker))

    def _tree(self, run_id: str) -> Iterator[str]:
        waiting = [run_id]
        while waiting:
            found = waiting.pop()
            yield found
            waiting.extend(child.id for child in reversed(self._store.children(found)))

    def _read(self, run_id: str) -> Exported:
        stored = self._store.snapshot(run_id)
        if stored is None:
            raise RunNotFound(f"there is no run `{run_id}`")
        spec = self._store.spec(stored.run.digest)
        if spec is None:
            raise NotExported(
                f"the files of the flow of run `{run_id}` are not in the store", hint="`flowctl db check` tells more"
            )
        return Exported(stored, spec)

    def _events(self, stored: Snapshot) -> Iterator[EventRow]:
        for row in events_of(self._store, stored.run.id):
            if row.seq > stored.run.seq:
                return
            yield row

    def _logs(self, stored: Snapshot, masker: Masker) -> Iterator[LogPiece]:
        for attempt in stored.attempts:
            key = key_of(attempt)
            for data in _masked_log(Path(self._files.attempt(key).log), masker):
                yield LogPiece(attempt.run_id, attempt.task, attempt.item, attempt.round, attempt.attempt, data)


def _masked_log(path: Path, masker: Masker) -> Iterator[bytes]:
    """The log of an attempt in pieces of the size that a record holds; nothing where there is none."""
    stream, held = masker.stream(), b""
    for data in GrowingLog(path).read():
        held += stream.feed(data)
        while len(held) >= LOG_PIECE:
            yield held[:LOG_PIECE]
            held = held[LOG_PIECE:]
    held += stream.flush()
    for start in range(0, len(held), LOG_PIECE):
        yield held[start : start + LOG_PIECE]


def _masked_event(row: EventRow, masker: Masker) -> EventRow:
    data = dict(row.data)
    for name in _WITH_VALUES:
        if name in data:
            data[name] = _masked(data[name], masker)
    if isinstance(data.get("failure"), dict):
        data["failure"] = dict(_masked_failure(data["failure"], masker) or {})  # type: ignore[arg-type]  # a dict
    if isinstance(data.get("env"), dict):
        data["env"] = dict.fromkeys(data["env"], HIDDEN)  # type: ignore[arg-type]  # a dict
    if row.type == "task_skipped":
        data["reason"] = _masked(data["reason"], masker)
    return replace(row, data=data)


def _masked_task(row: TaskRow, masker: Masker) -> TaskRow:
    return replace(
        row,
        key=None if row.key is None else masker.mask_text(row.key),
        error=_masked_failure(row.error, masker),
        cause=masker.mask_text(row.cause) if row.cause is not None and row.state == "skipped" else row.cause,
    )


def _masked_failure(failure: Mapping[str, Json] | None, masker: Masker) -> dict[str, Json] | None:
    """The failure with its texts masked; its kind is a word of ours."""
    if failure is None:
        return None
    return {name: value if name == "kind" else _masked(value, masker) for name, value in failure.items()}


def _masked_map(values: Mapping[str, Json], masker: Masker) -> dict[str, Json]:
    return {name: _masked(value, masker) for name, value in values.items()}


def _masked(value: Json, masker: Masker) -> Json:
    """The value with every sensitive text and number in it hidden; the names in maps stay."""
    if not masker.needles:
        return value
    if isinstance(value, str):
        return masker.mask_text(value)
    if isinstance(value, list):
        return [_masked(one, masker) for one in value]
    if isinstance(value, dict):
        return {name: _masked(one, masker) for name, one in value.items()}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return HIDDEN if masker.mask_text(str(value)) == HIDDEN else value
    return value


def _hide(values: Mapping[str, Json], names: frozenset[str]) -> dict[str, Json]:
    return {name: HIDDEN if name in names else value for name, value in values.items()}


def _hidden_texts(values: Json, shown: Json) -> Iterator[str]:
    if isinstance(values, dict) and isinstance(shown, dict):
        yield from _texts([value for name, value in values.items() if shown.get(name) != value])


def _texts(value: Json) -> Iterator[str]:
    """All texts in a value; numbers as they are written, for a number in a message is a text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif isinstance(value, dict):
        for one in value.values():
            yield from _texts(one)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        yield str(value)
