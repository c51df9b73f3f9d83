"""Several processes share one store: they take turns, read meanwhile, and die without leaving halves."""

from __future__ import annotations

import os
import signal
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.errors import StoreUnavailable
from engine.store.locks import FileLock
from engine.store.sqlite import SqliteStore

from .samples import inserting, run
from .sharing import check_whole, start_writer, write_runs


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "flow.db"
    SqliteStore.open(path).close()
    return path


def test_four_processes_make_and_write_one_store_at_once(tmp_path: Path) -> None:
    path = tmp_path / "new" / "flow.db"
    writers = [start_writer(path, f"p{n}", 15) for n in range(4)]
    for writer in writers:
        _, _ = writer.communicate()
    assert [writer.returncode for writer in writers] == [0, 0, 0, 0]
    with closing(SqliteStore.open(path)) as store:
        assert check_whole(store) == 60
        assert store._writer.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_killed_writer_leaves_whole_commits_and_all_that_were_acknowledged(path: Path) -> None:
    for turn in range(50):
        # A fork is enough and quick: the child opens the store itself and never leaves this branch.
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            try:
                os.dup2(writer, 1)
                write_runs(path, f"k{turn}", 1000)
            finally:
                os._exit(1)
        os.close(writer)
        with os.fdopen(reader, "rb") as acknowledged:
            last = [acknowledged.readline() for _ in range(1 + turn % 7)][-1]
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            last = ([last, *acknowledged.read().splitlines(keepends=True)])[-1]
        number, seq = last.split()
        with closing(SqliteStore.open(path)) as store:
            found = store.run(f"k{turn}-{number.decode()}")
            assert found is not None
            assert found.seq >= int(seq)
            if turn % 10 == 9:
                check_whole(store)
                assert store._writer.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_others_read_what_is_committed_while_a_transaction_is_open(path: Path) -> None:
    with closing(SqliteStore.open(path)) as writer, closing(SqliteStore.open(path)) as other:
        writer.commit([inserting(run("r1"))])
        writer._writer.execute("BEGIN IMMEDIATE")
        writer._writer.execute("UPDATE runs SET state = 'failed'")
        for store in (writer, other):
            found = store.run("r1")
            assert found is not None
            assert found.state == "running"
        with closing(SqliteStore.open(path)) as third:  # nor does opening and closing wait for it
            assert third.latest() == "r1"
        writer._writer.execute("ROLLBACK")


def test_a_reading_connection_cannot_write(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store, store._readers.borrow() as connection:
        assert connection is not store._writer
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM runs")


def test_a_writer_waits_for_its_turn(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        lock = FileLock(path.with_name("flow.db.lock"))
        done = threading.Event()

        def write() -> None:
            store.commit([inserting(run("r1"))])
            done.set()

        thread = threading.Thread(target=write)
        with lock.held(patience_s=1):
            thread.start()
            assert store.run("r1") is None
            assert not done.is_set()
        thread.join()
        lock.close()
        assert store.run("r1") is not None


def test_a_lock_that_is_kept_too_long_names_who_keeps_it(tmp_path: Path) -> None:
    first, second = FileLock(tmp_path / "lock"), FileLock(tmp_path / "lock")
    named = pytest.raises(StoreUnavailable, match=rf"process {os.getpid()} .*lock")
    with first.held(patience_s=0), named, second.held(patience_s=0.002):
        pass
    with second.held(patience_s=0):
        pass
    first.close()
    second.close()


def test_a_lock_whose_file_was_removed_is_not_held_twice(tmp_path: Path) -> None:
    first = FileLock(tmp_path / "lock")
    (tmp_path / "lock").unlink()
    second = FileLock(tmp_path / "lock")
    with second.held(patience_s=0), pytest.raises(StoreUnavailable), first.held(patience_s=0.002):
        pass
    first.close()
    second.close()


def test_the_death_of_its_holder_frees_the_lock(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            with FileLock(tmp_path / "lock").held(patience_s=0):
                os.write(writer, b"held")
                signal.pause()
        finally:
            os._exit(1)
    assert os.read(reader, 4) == b"held"
    lock = FileLock(tmp_path / "lock")
    with pytest.raises(StoreUnavailable, match=f"process {child} "), lock.held(patience_s=0):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with lock.held(patience_s=0):
        pass
    lock.close()
    os.close(reader)
    os.close(writer)


@pytest.fixture(autouse=True)
def descriptors_are_given_back() -> Iterator[None]:
    descriptors = Path("/proc/self/fd")
    before = len(list(descriptors.iterdir()))
    yield
    assert len(list(descriptors.iterdir())) <= before
