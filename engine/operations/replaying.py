"""A stored run made again from its log: as it was after any of its events, and whether that is what is stored.

Pure: values in, values out. What the rows beside the log must hold is told by `engine.projection`, the code that wrote
them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TypeVar

from msgspec import Struct

from engine.events import decode
from engine.evolve import evolve, new_run
from engine.outcomes import Json
from engine.plan import Plan
from engine.projection import NO_ITEM, make_batch
from engine.run import Run
from engine.states import IllegalTransition
from engine.store.rows import AttemptRow, EventRow, RunRow, Snapshot, TaskRow

_NOT_FOLDED = frozenset({"owner", "token"})
"""Fields of a run that say who drives it, and nothing about what has happened."""

_TaskKey = tuple[str, int]
_AttemptKey = tuple[str, int, int, int]
Key = TypeVar("Key", bound=tuple[str | int, ...])


class Difference(Struct, frozen=True):
    """Where a log and what is stored beside it part. `seq` is the event that last wrote the row.

    Attributes:
        place: `run`, `log`, `task load`, `task load[3]`, `attempt 1.2 of load[3]` (round and attempt).
        field: the column; `row` where one side has the row and the other has not, `event` for one that does not follow
            from those before it.
    """

    seq: int
    place: str
    field: str
    stored: Json
    folded: Json


class BrokenLog(Exception):
    """An event does not follow from those before it, or has the wrong number."""

    def __init__(self, difference: Difference) -> None:
        super().__init__(f"event {difference.seq}: {difference.folded}")
        self.difference = difference


class Replay:
    """A run made again event by event, with the rows as they must stand after the latest of them, which happened `at`."""

    def __init__(self, plan: Plan, run_id: str) -> None:
        self._plan = plan
        self.run: Run = new_run(plan, run_id)
        self.row: RunRow | None = None
        self.at: datetime = datetime.min.replace(tzinfo=UTC)
        self._tasks: dict[_TaskKey, TaskRow] = {}
        self._attempts: dict[_AttemptKey, AttemptRow] = {}
        self._written: dict[tuple[str | int, ...], int] = {}

    def follow(self, row: EventRow) -> None:
        """Take in the next event. Raises `BrokenLog`."""
        if row.seq != self.run.seq + 1:
            raise BrokenLog(Difference(self.run.seq + 1, "log", "seq", row.seq, self.run.seq + 1))
        try:
            event = decode(row.type, row.at, row.task, row.item, row.data)
            evolve(self._plan, self.run, event)
            batch = make_batch(self._plan, self.run, [event], owner=None, token=0)
        except (AssertionError, IllegalTransition, LookupError, TypeError, ValueError) as error:
            about = row.type if row.task is None else f"{row.type} of {_unit(row.task, row.item)}"
            why = f"refused: {error or type(error).__name__}"
            raise BrokenLog(Difference(row.seq, "log", "event", about, why)) from error
        self.row, self.at = batch.run, row.at
        for task in batch.tasks:
            self._tasks[task.task, task.item] = task
            self._written[task.task, task.item] = row.seq
        for attempt in batch.attempts:
            key = _key_of(attempt)
            self._attempts[key] = attempt
            self._written[key] = row.seq

    def stands(self) -> RunRow:
        """The row of the run; there is one after the first event."""
        if self.row is None:
            raise AssertionError(self.run.id)
        return self.row

    def tasks(self, run_id: str, *, items: bool = False) -> tuple[TaskRow, ...]:
        """The rows of the tasks in file order, as a store returns them; with `items`, each one's items follow it."""
        if run_id != self.run.id:
            return ()
        chosen = (row for row in self._tasks.values() if items or row.item == NO_ITEM)
        return tuple(sorted(chosen, key=lambda row: (row.position, row.task, row.item)))

    def attempts(self, run_id: str, *, task: str | None = None) -> tuple[AttemptRow, ...]:
        """The rows of the attempts, those of one task in order of item, round and attempt."""
        chosen = [row for row in self._attempts.values() if run_id == self.run.id and task in (None, row.task)]
        return tuple(sorted(chosen, key=_key_of))

    def differences(self, stored: Snapshot) -> Iterator[Difference]:
        """Where the stored rows are not those of the log: of the run, then of tasks, then of attempts."""
        if self.row is None:
            yield Difference(0, "log", "row", None, "there are no events")
            return
        if stored.run.seq != self.run.seq:
            yield Difference(self.run.seq, "run", "seq", stored.run.seq, self.run.seq)
        yield from _fields("run", self.run.seq, stored.run, self.row, without=_NOT_FOLDED | {"seq"})
        yield from self._rows({(row.task, row.item): row for row in stored.tasks}, self._tasks)
        yield from self._rows({_key_of(row): row for row in stored.attempts}, self._attempts)

    def _rows(self, stored: Mapping[Key, Struct], folded: Mapping[Key, Struct]) -> Iterator[Difference]:
        for key in (*folded, *(key for key in stored if key not in folded)):
            place = _place(key)
            seq = self._written.get(key, self.run.seq)
            if key not in stored:
                yield Difference(seq, place, "row", None, "there is one")
            elif key not in folded:
                yield Difference(seq, place, "row", "there is one", None)
            else:
                yield from _fields(place, seq, stored[key], folded[key])


def first_difference(plan: Plan, stored: Snapshot, events: Iterable[EventRow]) -> Difference | None:
    """The earliest difference between a stored run and its log, `None` when there is none."""
    replay = Replay(plan, stored.run.id)
    try:
        for row in events:
            replay.follow(row)
    except BrokenLog as broken:
        return broken.difference
    return min(replay.differences(stored), key=lambda found: found.seq, default=None)


def _fields(
    place: str, seq: int, stored: Struct, folded: Struct, *, without: frozenset[str] = frozenset()
) -> Iterator[Difference]:
    for name in stored.__struct_fields__:
        was, must = getattr(stored, name), getattr(folded, name)
        if name not in without and was != must:
            yield Difference(seq, place, name, _shown(was), _shown(must))


def _shown(value: object) -> Json:
    return value if isinstance(value, (bool, int, float, str, list, dict, type(None))) else str(value)


def _key_of(row: AttemptRow) -> _AttemptKey:
    return row.task, row.item, row.round, row.attempt


def _place(key: Sequence[str | int]) -> str:
    task, item, *number = key
    unit = _unit(str(task), None if item == NO_ITEM else int(item))
    return f"task {unit}" if not number else f"attempt {number[0]}.{number[1]} of {unit}"


def _unit(task: str, item: int | None) -> str:
    return task if item is None else f"{task}[{item}]"
