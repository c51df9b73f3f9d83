"""Several processes share a database: they write side by side, and die without leaving halves or locks."""

from __future__ import annotations

import signal
import threading
from contextlib import closing

import psycopg
import pytest
from msgspec.structs import replace

from engine.errors import StoreConflict, StoreUnavailable
from engine.store import statements
from engine.store.address import ServerAddress
from engine.store.postgres.connections import connect_writer
from engine.store.postgres.store import PostgresStore
from engine.store.rows import RunFilter, SpecRow

from .samples import NOW, continuing, inserting, run
from .sharing import check_whole, start_writer


def test_processes_write_side_by_side(address: ServerAddress) -> None:
    writers = [start_writer(address, f"p{n}", 10) for n in range(3)]
    for writer in writers:
        writer.communicate(timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    with closing(PostgresStore.open(address)) as store:
        assert check_whole(store) == 30


def test_killed_writers_leave_whole_commits_and_all_that_were_acknowledged(address: ServerAddress) -> None:
    for turn in range(6):
        writer = start_writer(address, f"k{turn}", 1000)
        assert writer.stdout is not None
        acknowledged = [writer.stdout.readline() for _ in range(3 + 2 * turn)]
        writer.send_signal(signal.SIGKILL)
        acknowledged += [
            line for line in writer.communicate(timeout=60)[0].splitlines(keepends=True) if line[-1] == "\n"
        ]
        number, seq = acknowledged[-1].split()
        with closing(PostgresStore.open(address)) as store:
            found = store.run(f"k{turn}-{number}")
            assert found is not None
            assert found.seq >= int(seq)
            check_whole(store)


def test_one_run_is_written_by_one_of_many_at_a_time(address: ServerAddress) -> None:
    """Each thread takes the run over and writes on; nobody writes behind the back of another."""
    with closing(PostgresStore.open(address)) as store:
        store.commit([inserting(run("r1"))])
    start, written, problems = threading.Barrier(4), list[str](), list[BaseException]()

    def work(name: str) -> None:
        with closing(PostgresStore.open(address)) as own:
            start.wait()
            try:
                for _ in range(15):
                    found = own.run("r1")
                    assert found is not None
                    mine = replace(found, token=found.token + 1, owner=name)
                    try:
                        own.commit([continuing(mine, expected_token=found.token)])
                        own.commit([continuing(replace(mine, seq=mine.seq + 1))])
                    except StoreConflict:
                        continue
                    written.append(name)
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                problems.append(error)

    threads = [threading.Thread(target=work, args=(f"e{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with closing(PostgresStore.open(address)) as store:
        found = store.run("r1")
        assert found is not None
        assert written
        assert [event.seq for event in store.events("r1")] == list(range(1, found.seq + 1))
        assert found.seq - 1 >= 2 * len(written)
        assert found.token <= found.seq - 1


def test_two_that_store_the_same_files_crosswise_do_not_end_each_other(address: ServerAddress) -> None:
    specs = [SpecRow(f"d{n}", "etl", {}, NOW) for n in range(40)]
    start, problems = threading.Barrier(2), list[BaseException]()

    def work(name: str, order: list[SpecRow]) -> None:
        with closing(PostgresStore.open(address)) as own:
            start.wait()
            try:
                own.commit([inserting(run(f"{name}{n}"), spec=spec) for n, spec in enumerate(order)])
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                problems.append(error)

    threads = [threading.Thread(target=work, args=pair) for pair in (("a", specs), ("b", specs[::-1]))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert problems == []
    with closing(PostgresStore.open(address)) as store:
        assert len(store.runs(RunFilter(), limit=100).items) == 80


def test_rows_that_somebody_keeps_locked_are_not_waited_for_without_end(address: ServerAddress) -> None:
    with closing(PostgresStore.open(address)) as store, closing(connect_writer(address)) as other:
        store.commit([inserting(run("r1"))])
        other.autocommit = False
        other.execute(store._naming.statement(f"{statements.SELECT_RUN} FOR UPDATE"), ("r1",))
        assert store._writer is not None
        store._writer.execute("SET lock_timeout = '50ms'")
        store._writer.commit()
        with pytest.raises(StoreUnavailable, match="somebody else keeps rows locked") as caught:
            store.commit([continuing(run("r1"))])
        assert caught.value.transient
        other.rollback()
        store.commit([continuing(run("r1"))])
        assert len(store.events("r1")) == 2


def test_a_reading_connection_cannot_write(address: ServerAddress) -> None:
    with closing(PostgresStore.open(address)) as store, store._readers.borrow() as reader:
        with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
            reader.execute(store._naming.statement("DELETE FROM runs"), ())
        store.commit([inserting(run("r1"))])
