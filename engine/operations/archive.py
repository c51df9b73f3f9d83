"""The file of an exported run: JSON lines, each a record, between a header and an end with a digest of all before it.

The records have the fields of the rows (`engine.store.rows`), without those that say who drives a run. Reading trusts
nothing: types, ranges, lengths, the order of the records and the digest are checked here, before anything is made of them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, BinaryIO, TypeAlias, Union, get_type_hints

import msgspec
from msgspec import Meta, Struct

from engine.errors import FlowctlError
from engine.store.rows import AttemptRow, EventRow, RunRow, SpecRow, TaskRow

FORMAT = "flowctl-run"
VERSION = 1
"""Of the file. A later one is refused, as is a file with fields that this version does not have."""

TAG_FIELD = "record"
LONGEST_LINE = 64 << 20
MOST_RECORDS = 2_000_000
LOG_PIECE = 48 << 10
"""Bytes of a log in one record."""

WITHOUT: Mapping[type[Struct], tuple[str, ...]] = {RunRow: ("owner", "token")}
"""Fields of rows that are not exported: they are about the engine that drives a run, and about no other."""


class BadArchive(FlowctlError):
    """The file is no exported run, or not whole; `line` is the first that is wrong, `file` its name where one is known."""

    code = "bad_archive"

    def __init__(self, message: str, *, line: int | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.line = line
        self.file: str | None = None


_Whole = Annotated[int, Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
_Instant = Annotated[datetime, Meta(tz=True)]


class Header(Struct, frozen=True, tag="header", tag_field=TAG_FIELD, forbid_unknown_fields=True):
    """The first record: what the file is. `runs` counts the run and all those of its sub-flows."""

    format: str
    version: int
    flowctl: str
    exported_at: _Instant
    run: str
    runs: int


class LogPiece(Struct, frozen=True, tag="log", tag_field=TAG_FIELD, forbid_unknown_fields=True):
    """A part of the log of an attempt, in Base64; parts of one log follow each other. `item` is -1 for a task without."""

    run_id: str
    task: str
    item: _Whole
    round: _Whole
    attempt: _Whole
    data: bytes


class End(Struct, frozen=True, tag="end", tag_field=TAG_FIELD, forbid_unknown_fields=True):
    """The last record: how many there were before it, and the SHA-256 of all their bytes."""

    records: int
    sha256: str


def _record_of(row: type[Struct], tag: str) -> type[Struct]:
    """The type of the records that hold rows of a kind: the same fields, checked when they are read."""
    checked = {"Json": Any, "datetime": _Instant, "int": _Whole}
    hints = get_type_hints(row, localns=checked, include_extras=True)
    left_out = WITHOUT.get(row, ())
    required = len(row.__struct_fields__) - len(row.__struct_defaults__)
    defaults = dict(zip(row.__struct_fields__[required:], row.__struct_defaults__, strict=True))
    fields: list[Any] = [
        (name, hints[name], defaults[name]) if name in defaults else (name, hints[name])
        for name in row.__struct_fields__
        if name not in left_out
    ]
    return msgspec.defstruct(
        f"{row.__name__}Record",
        fields,
        tag=tag,
        tag_field=TAG_FIELD,
        frozen=True,
        forbid_unknown_fields=True,
        kw_only=True,
    )


ROWS: dict[str, type[Struct]] = {
    "spec": SpecRow,
    "run": RunRow,
    "event": EventRow,
    "task": TaskRow,
    "attempt": AttemptRow,
}
_RECORDS = {tag: _record_of(row, tag) for tag, row in ROWS.items()}
_TAGS = {row: tag for tag, row in ROWS.items()}
_ROW_OF = {record: ROWS[tag] for tag, record in _RECORDS.items()}

Row: TypeAlias = SpecRow | RunRow | EventRow | TaskRow | AttemptRow
Record: TypeAlias = Header | Row | LogPiece | End


class _Mark(Struct, frozen=True):
    """What a header of any version has."""

    record: str
    format: str
    version: int


class ArchiveWriter:
    """Writes records to a stream, the end last."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._digest = hashlib.sha256()
        self._records = 0

    def put(self, record: Header | Row | LogPiece) -> None:
        """Write one record."""
        line = _encoded(record) + b"\n"
        self._digest.update(line)
        self._records += 1
        self._stream.write(line)

    def end(self) -> None:
        """Write the last record, without which the file is not whole."""
        self._stream.write(msgspec.json.encode(End(self._records, self._digest.hexdigest())) + b"\n")


def read_records(stream: BinaryIO) -> Iterator[Record]:
    """The records of an archive, the header first and the end last, each checked by itself.

    What was read is whole and as it was written only when the end has come.

    Raises:
        BadArchive: as soon as something is wrong.
    """
    digest = hashlib.sha256()
    count = 0
    while line := stream.readline(LONGEST_LINE + 1):
        count += 1
        if len(line) > LONGEST_LINE:
            raise BadArchive(f"the line is longer than {LONGEST_LINE:,} bytes", line=count)
        if count > MOST_RECORDS:
            raise BadArchive(f"the file has more than {MOST_RECORDS:,} records", line=count)
        if count == 1:
            _require_known(line)
        record = _decoded(line, count)
        if (count == 1) != isinstance(record, Header):
            raise BadArchive("the header must come first, and once", line=count)
        if isinstance(record, End):
            _require_whole(record, count - 1, digest.hexdigest())
            if stream.read(1):
                raise BadArchive("there is more after the end", line=count + 1)
            yield record
            return
        digest.update(line)
        yield record
    raise BadArchive(
        "the file is empty" if not count else f"the file ends after {count} records, in the middle",
        line=count or None,
        hint="export the run again; what was read is not used",
    )


def _require_known(line: bytes) -> None:
    try:
        mark = msgspec.json.decode(line, type=_Mark)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError) as error:
        raise BadArchive("the file is no exported run", line=1, hint="`flowctl export RUN` writes one") from error
    if mark.record != "header" or mark.format != FORMAT:
        raise BadArchive("the file is no exported run", line=1, hint="`flowctl export RUN` writes one")
    if mark.version != VERSION:
        raise BadArchive(
            f"the file has version {mark.version}, and this flowctl reads version {VERSION}",
            line=1,
            hint="import it with the flowctl that wrote it, or a later one",
        )


def _require_whole(end: End, records: int, digest: str) -> None:
    if end.records != records or end.sha256 != digest:
        raise BadArchive(
            "the file was changed after it was written: its digest is another one",
            line=records + 1,
            hint="export the run again",
        )


_DECODER = msgspec.json.Decoder(Union[(Header, *_RECORDS.values(), LogPiece, End)])


def _decoded(line: bytes, number: int) -> Record:
    try:
        record: Any = _DECODER.decode(line)
    except RecursionError as error:
        raise BadArchive("a value is nested too deeply", line=number) from error
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError) as error:
        text = str(error)
        raise BadArchive(f"the record cannot be read: {text[:1].lower()}{text[1:]}", line=number) from error
    row: Any = _ROW_OF.get(type(record))
    found: Record = record if row is None else row(**msgspec.structs.asdict(record))
    return found


def _encoded(record: Header | Row | LogPiece) -> bytes:
    if isinstance(record, (Header, LogPiece)):
        return msgspec.json.encode(record)
    left_out = WITHOUT.get(type(record), ())
    fields = {name: getattr(record, name) for name in record.__struct_fields__ if name not in left_out}
    return msgspec.json.encode({TAG_FIELD: _TAGS[type(record)], **fields})
