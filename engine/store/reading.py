"""What every store reads, whatever database it is in: queries, decoded into rows."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TypeVar

from engine.errors import StoreDamaged, StoreUnavailable
from engine.store import checking, removing, statements
from engine.store.backups import way_back
from engine.store.codec import (
    Record,
    attempt_row,
    event_row,
    holding,
    message_row,
    micros,
    run_row,
    spec_row,
    task_row,
)
from engine.store.cursors import read_cursor, write_cursor
from engine.store.port import Patience
from engine.store.rows import (
    AttemptRow,
    EventRow,
    Flaw,
    Holding,
    Message,
    Page,
    RunFilter,
    RunRow,
    Snapshot,
    SpecRow,
    TaskRow,
)
from engine.store.statements import Query

Row = TypeVar("Row")
Answer = TypeVar("Answer")

_LONGEST_PAGE = 10_000


class StoredRows(ABC):
    """The reading half of a store (`engine.store.port.Store`), on top of one method that asks the database."""

    _name: str
    """What messages call the store."""

    _patience: Patience | None = None

    def be_patient(self, patience: Patience | None) -> None:
        """Have calls wait while the store is away, as `patience` says; without it they fail at once."""
        self._patience = patience

    @abstractmethod
    def _fetch(self, query: Query) -> list[Record]:
        """The records a query yields; raises errors of the store only."""

    def _fetch_together(self, queries: Sequence[Query]) -> list[list[Record]]:
        """The records that each query yields, all of one instant; raises errors of the store only."""
        return [self._fetch(query) for query in queries]

    @abstractmethod
    def _lease_clock(self) -> tuple[str, int]:
        """The name of the clock that leases go by, and its microseconds now."""

    def spec(self, digest: str) -> SpecRow | None:
        """The files a run was compiled from."""
        return self._first(Query(statements.SELECT_SPEC, (digest,)), spec_row)

    def run(self, run_id: str) -> RunRow | None:
        """One run by its whole id."""
        return self._first(Query(statements.SELECT_RUN, (run_id,)), run_row)

    def resolve(self, text: str, *, limit: int = 10) -> tuple[str, ...]:
        """Ids of runs that equal `text`, or else end or start with it (at least 4 characters), newest first."""
        whole = self._read(Query(statements.SELECT_ID, (text,)), _first_column)
        if whole:
            return whole
        query = statements.matching_ids(text, limit=_page_size(limit))
        return () if query is None else self._read(query, _first_column)

    def latest(self) -> str | None:
        """Id of the newest top-level run."""
        return self._first(Query(statements.SELECT_LATEST, ()), _first_column)

    def runs(self, where: RunFilter, *, limit: int, cursor: str | None = None) -> Page:
        """A page of runs, newest first; at least one run and at most 10,000 of them fit on it."""
        after = None if cursor is None else read_cursor(cursor)
        if where.states == ():
            return Page((), None)
        size = _page_size(limit)
        found = self._read(statements.list_runs(where, limit=size + 1, after=after), run_row)
        items = found[:size]
        more = len(found) > size
        return Page(items, write_cursor(micros(items[-1].created_at), items[-1].id) if more else None)

    def children(self, run_id: str) -> tuple[RunRow, ...]:
        """Child runs, oldest first."""
        return self._read(Query(statements.SELECT_CHILDREN, (run_id,)), run_row)

    def snapshot(self, run_id: str) -> Snapshot | None:
        """A run with its tasks, items and attempts, all of one instant."""
        queries = (
            Query(statements.SELECT_RUN, (run_id,)),
            Query(statements.SELECT_ITEMS, (run_id,)),
            statements.list_attempts(run_id, task=None, item=None),
        )
        cleaned = [_cleaned(query) for query in queries]
        runs, tasks, attempts = self._patiently(lambda: self._fetch_together(cleaned))
        if not runs:
            return None
        return Snapshot(
            self._decoded(runs, run_row)[0], self._decoded(tasks, task_row), self._decoded(attempts, attempt_row)
        )

    def tasks(self, run_id: str, *, items: bool = False) -> tuple[TaskRow, ...]:
        """Tasks in file order; with `items`, each fan-out's items follow it."""
        sql = statements.SELECT_ITEMS if items else statements.SELECT_TASKS
        return self._read(Query(sql, (run_id,)), task_row)

    def attempts(self, run_id: str, *, task: str | None = None, item: int | None = None) -> tuple[AttemptRow, ...]:
        """Attempts in order of (task position as stored, item, round, attempt)."""
        return self._read(statements.list_attempts(run_id, task=task, item=item), attempt_row)

    def events(self, run_id: str, *, after: int = 0, limit: int | None = None) -> tuple[EventRow, ...]:
        """Events with `seq` above `after`, in order."""
        return self._read(statements.list_events(run_id, after=after, limit=limit), event_row)

    def holdings(self) -> tuple[Holding, ...]:
        """Who holds unfinished runs, in no order."""
        clock, now = self._lease_clock()
        return self._read(Query(statements.SELECT_HOLDINGS, ()), partial(holding, clock=clock, now=now))

    def held(self, owner: str | None, *, after: str = "", limit: int) -> tuple[RunRow, ...]:
        """Unfinished runs of an owner, or of nobody, by id, from the first above `after` on; child runs are among them."""
        return self._read(statements.list_held(owner, after=after, limit=_page_size(limit)), run_row)

    def message(self, message_id: str) -> Message | None:
        """One message, with its answer when there is one."""
        return self._first(Query(statements.SELECT_MESSAGE, (message_id,)), message_row)

    def asked(self, owner: str) -> tuple[Message, ...]:
        """Messages without an answer about runs that `owner` holds, in the order in which they were asked."""
        return self._read(Query(statements.SELECT_ASKED, (owner,)), message_row)

    def ids(self, *, after: str = "", limit: int) -> tuple[str, ...]:
        """Ids of all runs in order, child runs among them, from the first above `after` on."""
        return self._read(checking.list_ids(after=after, limit=_page_size(limit)), _first_column)

    def flaws(self) -> Iterator[Flaw]:
        """What does not hold of the rows among themselves, at most 100 runs for each kind."""
        for sql, text in checking.RULES:
            for run_id in self._read(checking.rule_query(sql), _first_column):
                yield Flaw(run_id, text)

    def unused_specs(self, before: datetime) -> tuple[str, ...]:
        """Digests of the files stored before then that no run was compiled from."""
        return self._read(removing.unused_specs(before), _first_column)

    def _patiently(self, ask: Callable[[], Answer]) -> Answer:
        """What `ask` returns, asked again as long as the store is away and somebody has patience."""
        patience = self._patience
        if patience is None:
            return ask()
        while True:
            try:
                found = ask()
            except StoreUnavailable as error:
                patience.pause(error)
            else:
                patience.over()
                return found

    def _first(self, query: Query, decode: Callable[[Record], Row]) -> Row | None:
        return next(iter(self._read(query, decode)), None)

    def _read(self, query: Query, decode: Callable[[Record], Row]) -> tuple[Row, ...]:
        cleaned = _cleaned(query)
        return self._decoded(self._patiently(lambda: self._fetch(cleaned)), decode)

    def _decoded(self, records: Sequence[Record], decode: Callable[[Record], Row]) -> tuple[Row, ...]:
        try:
            return tuple(map(decode, records))
        except (OverflowError, RecursionError, TypeError, ValueError) as error:
            raise StoreDamaged(
                f"the store `{self._name}` is damaged: a row cannot be read",
                hint=way_back(self._name),
            ) from error


def _cleaned(query: Query) -> Query:
    """The same query, with what UTF-8 cannot hold replaced in its parameters."""
    return Query(query.sql, statements.without_surrogates(query.values))


def _first_column(record: Record) -> str:
    return str(record[0])


def _page_size(limit: int) -> int:
    return min(max(limit, 1), _LONGEST_PAGE)
