"""A server that goes away, at any moment: nothing is lost, nothing is written twice, and waiting is for who has patience."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg
import pytest
from msgspec.structs import replace

from engine.errors import StoreConflict, StoreUnavailable
from engine.store import statements
from engine.store.address import ServerAddress
from engine.store.postgres import connections
from engine.store.postgres.store import PostgresStore
from engine.store.postgres.transactions import _as_json
from engine.store.rows import Lease, RunRow
from tests.servers import PrivateServer, own_schema

from .samples import NOW, continuing, inserting, lease, run, task


@pytest.fixture
def private(own_server: PrivateServer) -> Iterator[ServerAddress]:
    """A place on a server that the test may stop."""
    with own_schema(own_server.url) as address:
        yield address


class Patience:
    """Does something each time the store is found to be away."""

    def __init__(self, *steps: object) -> None:
        self.steps = list(steps)
        self.errors: list[StoreUnavailable] = []
        self.returns = 0

    def pause(self, error: StoreUnavailable) -> None:
        self.errors.append(error)
        if not error.transient or not self.steps:
            raise error
        step = self.steps.pop(0)
        assert callable(step)
        step()

    def over(self) -> None:
        self.returns += 1


def test_without_patience_a_call_fails_at_once_and_the_next_one_finds_the_server(
    own_server: PrivateServer, private: ServerAddress
) -> None:
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        own_server.stop()
        for call in (lambda: store.commit([continuing(run("r1"))]), lambda: store.run("r1"), store.holdings):
            with pytest.raises(StoreUnavailable) as caught:
                call()
            assert caught.value.transient
        own_server.start()
        assert store.run("r1") == run("r1")
        store.commit([continuing(run("r1"))])
        assert len(store.events("r1")) == 2


def test_with_patience_calls_last_until_the_server_is_back(own_server: PrivateServer, private: ServerAddress) -> None:
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        own_server.stop()
        patience = Patience(lambda: None, own_server.start)
        store.be_patient(patience)
        store.commit([continuing(run("r1"))], lease=lease("a"))
        assert len(patience.errors) == 2
        assert patience.returns == 1
        assert len(store.events("r1")) == 2


def test_a_connection_that_was_dropped_is_made_again_within_the_call(private: ServerAddress) -> None:
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        drop_connections(private)
        store.commit([continuing(run("r1"))])
        drop_connections(private)
        assert len(store.events("r1")) == 2


def drop_connections(address: ServerAddress) -> None:
    with psycopg.connect(address.url, autocommit=True) as other:
        other.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name = 'flowctl' AND pid <> pg_backend_pid()"
        )


class Cut:
    """A connection of the store that is cut at one place of its next commit."""

    def __init__(self, store: PostgresStore, place: str) -> None:
        """`place` is `start` (nothing was sent), `sent` (the server may do it or not) or `answer` (it is committed)."""
        assert store._writer is not None
        self.cuts = 0
        writer, wait = store._writer, store._writer.wait

        def cut(gen: Any, *_arguments: object) -> None:
            self.cuts += 1
            if place == "sent":
                assert writer.pgconn.flush() == 0
            if place == "answer":
                wait(gen)
            writer.pgconn.finish()
            raise psycopg.OperationalError("the connection is gone")

        writer.wait = cut  # type: ignore[assignment, method-assign]

    def __enter__(self) -> None:
        """It happens in the `with`."""

    def __exit__(self, *_exc: object) -> None:
        assert self.cuts == 1


PLACES = pytest.mark.parametrize("place", ["start", "sent", "answer"])


@PLACES
@pytest.mark.parametrize("new", [True, False])
def test_a_commit_without_an_answer_is_made_once(private: ServerAddress, place: str, new: bool) -> None:
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        batch = inserting(run("r2")) if new else continuing(run("r1"), tasks=(task("r1", "load"),))
        with Cut(store, place):
            store.commit([batch])
        found = store.run(batch.run.id)
        assert found == batch.run
        assert [event.seq for event in store.events(batch.run.id)] == list(range(1, batch.run.seq + 1))
        with pytest.raises(StoreConflict):
            store.commit([batch])


@PLACES
def test_a_change_without_an_event_is_made_whatever_became_of_the_first_try(private: ServerAddress, place: str) -> None:
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        with Cut(store, place):
            store.commit([continuing(run("r1"), events=0, tasks=(task("r1", "load"),))])
        assert store.tasks("r1") == (task("r1", "load"),)


@PLACES
def test_a_claim_without_an_answer_is_made_once(private: ServerAddress, place: str) -> None:
    with closing(PostgresStore.open(private)) as store:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        with Cut(store, place):
            store.commit([continuing(replace(row, token=2, owner="b"), events=0, expected_token=1)])
        assert owner_of(store) == "b"


def owner_of(store: PostgresStore) -> str | None:
    found = store.run("r1")
    assert found is not None
    return found.owner


def test_a_commit_without_an_answer_that_others_were_before_is_a_conflict(private: ServerAddress) -> None:
    with closing(PostgresStore.open(private)) as store, closing(PostgresStore.open(private)) as other:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        with Cut(store, "start"):
            other.commit([continuing(replace(row, token=2, owner="b"), expected_token=1)])
            with pytest.raises(StoreConflict) as caught:
                store.commit([continuing(row)])
        assert caught.value.run_ids == ("r1",)
        assert owner_of(store) == "b"


def test_what_is_still_under_way_on_a_lost_connection_is_not_done_twice(private: ServerAddress) -> None:
    """The server commits only after the store has looked whether it did: the repetition waits for it and finds it there."""
    with closing(PostgresStore.open(private)) as store:
        row = run("r1", token=1)
        store.commit([inserting(row)])
        batch = continuing(row)
        late = connections.connect_writer(private)
        late.autocommit = False
        looked, looks = threading.Event(), store._is_written

        def look(*arguments: object) -> bool:
            found = looks(*arguments)  # type: ignore[arg-type]
            looked.set()
            return found

        store._is_written = look  # type: ignore[assignment, method-assign]
        with Cut(store, "start"):
            for write in statements.writes([batch]):  # what the lost connection had sent, without its commit
                insert = store._naming.insert(write.sql)
                if insert is None:
                    late.cursor().executemany(store._naming.statement(write.sql), write.rows)
                else:
                    late.execute(insert.sql, (_as_json(insert, write.rows).decode(),))

            def commit_late() -> None:
                looked.wait(30)
                late.commit()

            finish = threading.Thread(target=commit_late)
            finish.start()
            store.commit([batch])
            finish.join()
        late.close()
        assert [event.seq for event in store.events("r1")] == [1, 2]
        assert store.run("r1") == batch.run


def test_a_server_that_was_stopped_is_not_waited_for_without_end(
    own_server: PrivateServer, private: ServerAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections.BoundedConnection, "answer_s", 0.5)
    with closing(PostgresStore.open(private)) as store:
        store.commit([inserting(run("r1"))])
        pids = backends(private)
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr("engine.store.postgres.store.connect_writer", refuse)
                with pytest.raises(StoreUnavailable, match="it is stopped"):
                    store.commit([continuing(run("r1"))])
        finally:
            for pid in pids:
                os.kill(pid, signal.SIGCONT)
        store.commit([continuing(run("r1"))])
        assert [event.seq for event in store.events("r1")] == [1, 2]


def refuse(address: ServerAddress) -> None:
    raise StoreUnavailable(f"cannot use the store `{address}`: it is stopped", transient=True)


def backends(address: ServerAddress) -> list[int]:
    with psycopg.connect(address.url) as other:
        found = other.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'flowctl'").fetchall()
    return [pid for (pid,) in found]


def test_a_lease_goes_by_the_clock_of_the_server(private: ServerAddress) -> None:
    with closing(PostgresStore.open(private)) as store:
        row: RunRow = run("r1", owner="a")
        store.commit([inserting(row)], lease=Lease("a", NOW, lease("a").lasts))
        (held,) = store.holdings()
        assert held.engine is not None
        with psycopg.connect(private.url) as other:
            ((expires, now),) = other.execute(
                f"SELECT expires_at, extract(epoch FROM now()) * 1000000 FROM {store._naming.table('engines')}".replace(
                    "%", "%%"
                ),
                (),
            ).fetchall()
        assert 0 < expires - now <= 15_000_000
