"""The logs of a run's attempts: which of them are meant, and reading one while it grows."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from engine.attempts import AttemptKey
from engine.errors import FlowctlError, TaskNotFound
from flowctl.reading import reason_of
from specs.suggest import did_you_mean

if TYPE_CHECKING:
    from engine.store.port import Store
    from engine.store.rows import AttemptRow, RunRow, TaskRow

PIECE = 1 << 16
NO_ITEM = -1


class Selection(Struct, frozen=True):
    """Which logs are meant; `None` does not restrict. Without `attempt` it is the latest of each task or item.

    `task_row` is the task's row when one task is meant.
    """

    task: str | None = None
    item: int | None = None
    attempt: int | None = None
    task_row: TaskRow | None = None

    @property
    def is_one_log(self) -> bool:
        """Whether there is at most one log at a time, so that no line needs to say where it comes from."""
        return self.task is not None and (self.item is not None or not self.fans_out)

    @property
    def fans_out(self) -> bool:
        """Whether it is about a task that has items."""
        return self.task_row is not None and self.task_row.counts is not None

    def covers(self, task: str, item: int | None, attempt: int) -> bool:
        """Whether an attempt is meant, as far as it can be told without the others."""
        return (
            self.task in (None, task)
            and self.item in (None, item)
            and (self.attempt is None or self.attempt == attempt)
        )


def select(store: Store, run: RunRow, task: str | None, *, item: int | None, attempt: int | None) -> Selection:
    """What `TASK`, `TASK.ITEM` or `TASK[ITEM]` means in this run.

    Raises:
        TaskNotFound: there is no such task or item.
    """
    if task is None:
        return Selection(None, None, attempt)
    rows = {row.task: row for row in store.tasks(run.id)}
    name, written = (task, None) if task in rows else _split(task)
    if name not in rows:
        raise TaskNotFound(f"run `{run.id}` has no task `{task}`", hint=did_you_mean(name, rows))
    index = item if written is None else written
    row = rows[name]
    if index is not None:
        _require_item(row, index)
    return Selection(name, index, attempt, row)


def _split(text: str) -> tuple[str, int | None]:
    """`load.3` and `load[3]` as a task and an item; any other text as a task."""
    name, dot, digits = (text[:-1].rpartition("[")) if text.endswith("]") else text.rpartition(".")
    is_item = bool(dot) and digits.isascii() and digits.isdigit() and len(digits) < 10
    return (name, int(digits)) if is_item else (text, None)


def _require_item(row: TaskRow, index: int) -> None:
    if row.counts is None:
        raise TaskNotFound(f"`{row.task}` has no items", hint="leave the item away")
    total = int(str(row.counts.get("total", 0)))
    if not 0 <= index < total:
        known = f"it has the items 0 to {total - 1}" if total else "it was given no items"
        raise TaskNotFound(f"`{row.task}` has no item {index}", hint=known)


def chosen_attempts(attempts: Sequence[AttemptRow], selection: Selection) -> list[AttemptRow]:
    """Of each task or item that is meant the attempt that is meant, in order of start.

    Raises:
        TaskNotFound: one task or item is meant, and has made no attempt of that number.
    """
    latest: dict[tuple[str, int], AttemptRow] = {}
    for row in attempts:  # in order of round and attempt, so the last one stays
        if selection.covers(row.task, None if row.item == NO_ITEM else row.item, row.attempt):
            latest[(row.task, row.item)] = row
    if not latest and selection.attempt is not None and selection.task is not None:
        made = sorted({row.attempt for row in attempts})
        known = f"it has made {', '.join(map(str, made[:20]))}" if made else "it has made none"
        raise TaskNotFound(f"`{selection.task}` has no attempt {selection.attempt}", hint=known)
    return sorted(latest.values(), key=lambda row: row.started_at)


def key_of(row: AttemptRow) -> AttemptKey:
    """The attempt's key, which leads to its files."""
    return AttemptKey(row.run_id, row.task, None if row.item == NO_ITEM else row.item, row.round, row.attempt)


class GrowingLog:
    """One log, read from where it was last left to where it ends now, in pieces of at most 64 KiB."""

    def __init__(self, path: Path, *, tail: int | None = None) -> None:
        """`tail` starts at that many lines before the end, as it is at the first reading."""
        self._path = path
        self._tail = tail
        self._at = 0

    def read(self) -> Iterator[bytes]:
        """What has been written since; nothing while there is no file. Raises `FlowctlError` if it cannot be read."""
        try:
            with self._path.open("rb") as file:
                if self._tail is not None:
                    self._at, self._tail = start_of_tail(file.fileno(), self._tail), None
                file.seek(self._at)
                while piece := file.read(PIECE):
                    self._at += len(piece)
                    yield piece
        except FileNotFoundError:
            return
        except OSError as error:
            raise FlowctlError(f"cannot read the log `{self._path}`: {reason_of(error)}") from error


def start_of_tail(descriptor: int, lines: int) -> int:
    """Where the last `lines` lines of an open file start; a last line without its break counts."""
    end = os.fstat(descriptor).st_size
    wanted = lines + 1  # the break before the first of them
    at = end
    if lines <= 0:
        return end
    if end and os.pread(descriptor, 1, end - 1) != b"\n":
        wanted -= 1
    while at > 0:
        start = max(0, at - PIECE)
        piece = os.pread(descriptor, at - start, start)
        found = piece.count(b"\n")
        if found >= wanted:
            position = len(piece)
            for _ in range(wanted):
                position = piece.rfind(b"\n", 0, position)
            return start + position + 1
        wanted -= found
        at = start
    return 0
