"""A damaged store is named and left as it is, whatever is asked: no verb writes in its place, each tells the way out."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, write
from tests.flowctl.operating import ask, here, ran, run_ids, store_of
from tests.flowctl.test_gc_command import copy_runs

__all__ = ["here"]

Here = Callable[..., Any]
PAGE = 4096

VERBS: tuple[list[str], ...] = (
    ["run", "hello", "-q"],
    ["runs"],
    ["show", "latest"],
    ["logs", "latest"],
    ["events", "latest"],
    ["graph", "--run", "latest"],
    ["replay", "--all"],
    ["export", "latest"],
    ["import", "run.jsonl"],
    ["gc", "--older-than", "1ms"],
    ["db", "check"],
    ["db", "version"],
    ["db", "migrate"],
    ["db", "backup"],
    ["db", "vacuum"],
    ["db", "drop", "--yes"],
)


@pytest.fixture
def store(here: Here, tmp_path: Path) -> Path:
    """A store of many runs with a backup beside it, closed by everybody."""
    write(tmp_path, "hello", HELLO)
    run_id = ran(here, "hello")
    here("export", run_id, "-O", str(tmp_path / "run.jsonl"))
    path = store_of(tmp_path)
    copy_runs(path, run_id, 100)
    assert here("db", "backup").returncode == 0
    return path


def zero_length(store: Path) -> None:
    store.write_bytes(b"")


def no_database(store: Path) -> None:
    store.write_bytes(b"this is no database\n" * 1000)


def header_overwritten(store: Path) -> None:
    overwrite(store, 0, os.urandom(100))


def cut_in_the_header(store: Path) -> None:
    os.truncate(store, 50)


def cut_after_a_page(store: Path) -> None:
    os.truncate(store, PAGE)


def cut_in_the_middle(store: Path) -> None:
    os.truncate(store, store.stat().st_size // 2)


def schema_page_flipped(store: Path) -> None:
    flip(store, 1, start=100)


def table_page_flipped(store: Path) -> None:
    flip(store, ask(store, "SELECT rootpage FROM sqlite_master WHERE name = 'runs'")[0])
    for suffix in ("-wal", "-shm"):  # empty, from looking
        store.with_name(store.name + suffix).unlink(missing_ok=True)


def folder(store: Path) -> None:
    store.unlink()
    store.mkdir()


def other_program(store: Path) -> None:
    with closing(sqlite3.connect(store, isolation_level=None)) as connection:
        connection.execute("PRAGMA application_id = 7")


def gone_with_its_log_left(store: Path) -> None:
    store.rename(store.with_name("moved"))
    store.with_name(f"{store.name}-wal").write_bytes(b"the last changes")


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


def flip(path: Path, page: int, *, start: int = 0) -> None:
    """Turn every bit of a page around."""
    offset = (page - 1) * PAGE + start
    with path.open("rb") as file:
        file.seek(offset)
        data = file.read(PAGE - start)
    overwrite(path, offset, bytes(byte ^ 0xFF for byte in data))


UNUSABLE = (
    zero_length,
    no_database,
    header_overwritten,
    cut_in_the_header,
    cut_after_a_page,
    schema_page_flipped,
    folder,
    other_program,
    gone_with_its_log_left,
)


def everything(store: Path) -> dict[str, bytes | None]:
    """What is in the store's folder, byte for byte, but for the lock."""
    return {
        path.name: path.read_bytes() if path.is_file() else None
        for path in store.parent.iterdir()
        if not path.name.endswith((".lock", "-shm"))
    }


@pytest.mark.parametrize("damage", UNUSABLE, ids=lambda damage: damage.__name__)
def test_every_verb_names_the_store_and_leaves_it(here: Here, store: Path, damage: Callable[[Path], None]) -> None:
    damage(store)
    before = everything(store)
    for verb in VERBS:
        done = here(*verb)
        said = done.stdout + done.stderr
        assert done.returncode == 1, (verb, said)
        assert str(store) in said, verb
        assert "Traceback" not in said
        assert "internal error" not in said, verb
        assert done.stdout == "" or verb == ["db", "check"], verb
        assert everything(store) == before, verb
    if damage not in (folder, other_program):
        assert "flowctl.db.backup-" in here("runs").stderr


@pytest.mark.parametrize("damage", [cut_in_the_middle, table_page_flipped], ids=lambda damage: damage.__name__)
def test_what_only_a_look_at_all_pages_finds_is_found_by_a_check(
    here: Here, store: Path, damage: Callable[[Path], None]
) -> None:
    """Such a store can be opened, and some of it read; nothing that is damaged is called whole, copied or made smaller."""
    damage(store)
    before = everything(store)
    for verb in (["db", "check"], ["db", "backup"], ["replay", "--all"]):
        done = here(*verb)
        said = done.stdout + done.stderr
        assert done.returncode == 1, (verb, said)
        assert "damaged" in said
        assert str(store) in said
        assert "internal error" not in said
        assert everything(store) == before, verb
    check = here("db", "check")
    assert "the newest backup is `" in check.stderr


def test_a_backup_brings_the_store_back(here: Here, store: Path) -> None:
    before = run_ids(store)
    header_overwritten(store)
    hint = here("runs").stderr
    backup = next(store.parent.glob("*.backup-*Z"))
    assert f"`{backup}`" in hint
    store.unlink()
    store.write_bytes(backup.read_bytes())
    assert run_ids(store) == before
    assert here("db", "check").returncode == 1  # the copies have other times than their logs
    assert here("run", "hello", "-q").returncode == 0


def test_a_store_that_has_lost_its_log_is_whole_or_refused(here: Here, store: Path, tmp_path: Path) -> None:
    """What a copy without `-wal` lacks nobody can tell from the file; what it has must hold, and nothing is made anew."""
    with closing(sqlite3.connect(store, isolation_level=None)) as holding:  # keeps the log from being copied
        holding.execute("BEGIN")
        holding.execute("SELECT count(*) FROM runs").fetchone()
        lost = ran(here, "hello")
        log = store.with_name(f"{store.name}-wal")
        assert log.stat().st_size
        data = store.read_bytes()
    for suffix in ("-wal", "-shm"):
        store.with_name(store.name + suffix).unlink(missing_ok=True)
    store.write_bytes(data)
    done = here("show", lost)
    assert (done.returncode, done.stdout) == (4, "")
    check = here("db", "check", "--json")
    assert ask(store, "PRAGMA integrity_check") == ["ok"]
    assert len(run_ids(store)) == 101
    assert check.returncode == 1  # the copied runs
    (files,) = store.parent.glob("flowctl.runs")
    assert (files / lost).is_dir()
