"""What is opened, what is made, and what is refused and left as it is."""

from __future__ import annotations

import os
import resource
import signal
import sqlite3
import stat
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.errors import StoreConflict, StoreDamaged, StoreError, StoreTooNew, StoreUnavailable
from engine.store import creation, ddl, places
from engine.store.rows import RunFilter
from engine.store.sqlite import SqliteStore

from .samples import continuing, event, inserting, run, task

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A closed store of a hundred runs."""
    path = tmp_path / "flow.db"
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run(f"r{n}", seq=5)) for n in range(100)])
    return path


def change(path: Path, statement: str) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(statement)


def overwrite(path: Path, offset: int, data: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(data)


# --- making ---------------------------------------------------------------------------------------------------------


def test_a_store_is_made_with_its_folders_for_its_user_alone(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "flow.db"
    with closing(SqliteStore.open(path)) as store:
        assert store.latest() is None
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in path.parent.iterdir()}
    assert modes["flow.db"] == modes["flow.db.lock"] == 0o600
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in path.parents[:2]] == [0o700, 0o700]


def test_a_closed_store_is_one_file_and_a_lock(path: Path) -> None:
    assert sorted(each.name for each in path.parent.iterdir()) == ["flow.db", "flow.db.lock"]


def test_a_store_is_found_again(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        assert store.run("r7") == run("r7", seq=5)


def test_a_store_is_marked_as_ours_and_syncs_every_commit(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        pragmas = ("application_id", "user_version", "journal_mode", "synchronous", "wal_autocheckpoint")
        values = [store._writer.execute(f"PRAGMA {pragma}").fetchone()[0] for pragma in pragmas]
    assert values == [creation.APPLICATION_ID, ddl.VERSION, "wal", 2, 0]


def test_a_missing_store_is_not_made_when_that_is_not_wanted(tmp_path: Path) -> None:
    with pytest.raises(StoreUnavailable, match="there is no store"):
        SqliteStore.open(tmp_path / "a" / "flow.db", create=False)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_maker_left_does_no_harm(tmp_path: Path) -> None:
    (tmp_path / "flow.db.new").write_bytes(b"half")
    (tmp_path / "flow.db.new-wal").write_bytes(b"half")
    with closing(SqliteStore.open(tmp_path / "flow.db")) as store:
        store.commit([inserting(run("r1"))])
    assert sorted(each.name for each in tmp_path.iterdir()) == ["flow.db", "flow.db.lock"]


def test_names_need_no_escaping(tmp_path: Path) -> None:
    for name in ("a b?c#d%41&mode=ro.db", "é\n'\".db", os.fsdecode(b"\xff.db")):
        with closing(SqliteStore.open(tmp_path / name)) as store:
            store.commit([inserting(run("r1"))])
            assert store.run("r1") is not None
        assert (tmp_path / name).stat().st_size > 0


def test_a_link_leads_to_the_same_store_and_the_same_lock(path: Path, tmp_path: Path) -> None:
    link = tmp_path / "links" / "other.db"
    link.parent.mkdir()
    link.symlink_to(path)
    with closing(SqliteStore.open(link)) as store, closing(SqliteStore.open(path)) as other:
        store.commit([inserting(run("new"))])
        assert other.run("new") == run("new")
    assert [each.name for each in link.parent.iterdir()] == ["other.db"]


# --- refusing -------------------------------------------------------------------------------------------------------


def refuses(path: Path, kind: type[StoreError], match: str) -> None:
    """Opening raises, in one line that names the file, and changes nothing."""
    before = path.read_bytes() if path.is_file() else None
    for create in (True, False):
        with pytest.raises(kind, match=match) as caught:
            SqliteStore.open(path, create=create, now=NOW)
        assert path.name in str(caught.value)
        assert "\n" not in str(caught.value)
        assert before is None or path.read_bytes() == before


@pytest.mark.parametrize(
    "content", [b"x", b"just some text\n" * 100, b"\0" * 8192, b"SQLite format 3\0", b"\x1f\x8b" + os.urandom(5000)]
)
def test_a_file_that_is_no_database_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "flow.db"
    path.write_bytes(content)
    refuses(path, StoreDamaged, "not a store|damaged|another program")


def test_an_empty_file_is_refused_and_the_log_beside_it_kept(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    path.touch()
    refuses(path, StoreDamaged, "is empty")
    log = tmp_path / "flow.db-wal"
    log.write_bytes(b"precious")
    refuses(path, StoreDamaged, "is empty")
    assert log.read_bytes() == b"precious"


def test_a_log_without_its_store_is_not_taken_into_a_new_one(tmp_path: Path) -> None:
    log = tmp_path / "flow.db-wal"
    log.write_bytes(b"precious")
    refuses(tmp_path / "flow.db", StoreDamaged, "is gone")
    assert [each.name for each in tmp_path.iterdir()] == ["flow.db-wal"]


@pytest.mark.parametrize("share", [0.001, 0.3, 0.9])
def test_a_truncated_store_is_refused(path: Path, share: float) -> None:
    os.truncate(path, int(path.stat().st_size * share))
    refuses(path, StoreDamaged, "damaged|not a store")


@pytest.mark.parametrize("offset", [0, 15, 16, 100, 103])
def test_a_store_with_a_broken_header_is_refused(path: Path, offset: int) -> None:
    overwrite(path, offset, b"\xee")
    refuses(path, StoreDamaged, "damaged|not a store")


def test_a_store_that_asks_for_a_later_sqlite_is_read_but_not_written(path: Path) -> None:
    overwrite(path, 18, b"\xee")
    with closing(SqliteStore.open(path)) as store:
        assert store.run("r1") is not None
        with pytest.raises(StoreUnavailable, match="may not be written"):
            store.commit([inserting(run("new"))])


def test_a_store_with_a_broken_page_says_so_when_it_is_read(path: Path) -> None:
    for page in range(1, path.stat().st_size // 4096):
        overwrite(path, page * 4096, b"\xee" * 200)
    with closing(SqliteStore.open(path)) as store:
        for read in (lambda: store.runs(RunFilter(), limit=9), lambda: store.events("r1"), lambda: store.run("r1")):
            with pytest.raises(StoreDamaged, match=r"flow\.db"):
                read()
        with pytest.raises(StoreDamaged):
            store.commit([inserting(run("new"))])


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET data = '{'",
        "UPDATE events SET data = '[]'",
        "UPDATE events SET data = CAST(x'ff' AS TEXT)",
        "UPDATE events SET at = 9000000000000000000",
        "UPDATE events SET at = 'now'",
        "UPDATE events SET data = x'00'",
    ],
)
def test_a_row_no_store_wrote_is_damage(path: Path, statement: str) -> None:
    change(path, statement)
    with closing(SqliteStore.open(path)) as store, pytest.raises(StoreDamaged, match=r"flow\.db"):
        store.events("r1")


def test_a_database_of_another_program_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "flow.db"
    change(path, "CREATE TABLE runs (id TEXT)")
    refuses(path, StoreDamaged, "another program")
    change(path, "PRAGMA application_id = 1")
    refuses(path, StoreDamaged, "another program")


def test_a_store_without_one_of_its_tables_is_refused(path: Path) -> None:
    change(path, "DROP TABLE attempts")
    refuses(path, StoreDamaged, "tables are missing")


def test_a_store_of_a_later_flowctl_is_refused(path: Path) -> None:
    change(path, f"PRAGMA user_version = {ddl.VERSION + 1}")
    refuses(path, StoreTooNew, f"version {ddl.VERSION + 1}")


def test_a_store_with_a_version_nobody_wrote_is_refused(path: Path) -> None:
    change(path, "PRAGMA user_version = -3")
    refuses(path, StoreDamaged, "version -3")


def test_what_is_no_regular_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()
    refuses(tmp_path / "folder.db", StoreDamaged, "is a folder")
    os.mkfifo(tmp_path / "pipe.db")
    refuses(tmp_path / "pipe.db", StoreDamaged, "not a regular file")


def test_paths_that_lead_nowhere_are_unavailable(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    loop = tmp_path / "loop.db"
    loop.symlink_to(loop)
    refuses(loop, StoreUnavailable, "not a path")
    for path in (tmp_path / "file" / "flow.db", tmp_path / ("n" * 300), Path("/proc/flowctl/flow.db"), Path("a\0b.db")):
        with pytest.raises(StoreUnavailable):
            SqliteStore.open(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs another user to be")
def test_a_store_of_somebody_else_is_unavailable(path: Path) -> None:
    code = (
        "import os, sys; from pathlib import Path; from engine.errors import StoreUnavailable;"
        "from engine.store.sqlite import SqliteStore; os.setgid(65534); os.setuid(65534)\n"
        "try: SqliteStore.open(Path(sys.argv[1]))\n"
        "except StoreUnavailable as error: print(error)"
    )
    for folder_mode in (0o755, 0o700):
        path.parent.chmod(folder_mode)
        for folder in path.parents[1:4]:
            folder.chmod(folder.stat().st_mode | 0o011)
        ended = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=False)
        assert "permission denied" in ended.stdout.lower(), ended.stderr


def test_a_store_on_a_network_file_system_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mounts = tmp_path / "mounts"
    mounts.write_text(f"/dev/a / ext4 rw 0 0\nserver:/x {tmp_path} nfs4 rw 0 0\n")
    monkeypatch.setattr(places, "_MOUNTS", mounts)
    with pytest.raises(StoreError, match=r"network file system \(nfs4\)"):
        SqliteStore.open(tmp_path / "flow.db")
    assert [each.name for each in tmp_path.iterdir()] == ["mounts"]


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/flow.db", "ext4"),
        ("/mnt/share/x/flow.db", "cifs"),
        ("/mnt/sharer/flow.db", "ext4"),
        ("/mnt/my disk/flow.db", "fuse.sshfs"),
        ("/over/flow.db", "xfs"),
    ],
)
def test_the_deepest_and_latest_mount_tells_the_file_system(path: str, kind: str) -> None:
    mounts = [
        "/dev/a / ext4 rw 0 0",
        "//s/x /mnt/share cifs rw 0 0",
        r"u@h: /mnt/my\040disk fuse.sshfs rw 0 0",
        "a:/b /over nfs rw 0 0",
        "/dev/b /over xfs rw 0 0",
        "",
    ]
    assert places.filesystem_of(Path(path), mounts) == kind


# --- a failing disk -------------------------------------------------------------------------------------------------


def test_a_full_disk_is_reported_and_heals(path: Path) -> None:
    with closing(SqliteStore.open(path)) as store:
        pages = store._writer.execute("PRAGMA page_count").fetchone()[0]
        store._writer.execute(f"PRAGMA max_page_count = {pages + 1}")
        large = inserting(run("large"), events=(event("large", 1, {"x": "y" * 100_000}),))
        with pytest.raises(StoreUnavailable, match="disk is full"):
            store.commit([inserting(run("small")), large])
        assert (store.run("small"), store.run("large")) == (None, None)
        store._writer.execute("PRAGMA max_page_count = 1000000")
        store.commit([large])
        assert store.run("large") is not None


def test_after_an_error_of_the_disk_nothing_is_acknowledged(path: Path) -> None:
    # A limit on the size of files makes the log's next write fail with an I/O error.
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run("before"))])
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        old = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        try:
            resource.setrlimit(resource.RLIMIT_FSIZE, (path.with_name("flow.db-wal").stat().st_size, hard))
            with pytest.raises(StoreUnavailable, match="disk"):
                store.commit([inserting(run("during"), tasks=tuple(task("during", f"t{n}") for n in range(999)))])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
            signal.signal(signal.SIGXFSZ, old)
        assert store.run("before") is not None
        assert store.run("during") is None
        with pytest.raises(StoreUnavailable, match="takes no more writes"):
            store.commit([inserting(run("after"))])
    with closing(SqliteStore.open(path)) as store:
        store.commit([inserting(run("after"))])
        assert store.run("before") is not None


def test_the_log_is_copied_into_the_file_now_and_then(path: Path) -> None:
    log = path.with_name("flow.db-wal")
    with closing(SqliteStore.open(path)) as store:
        row = run("long", seq=0)
        store.commit([inserting(row)])
        sizes = []
        for n in range(30):
            batch = continuing(row, events=500)
            store.commit([batch])
            row = batch.run
            sizes.append((n, log.stat().st_size))
        assert sizes[-1][1] == sizes[9][1]  # it begins again at its start instead of growing
        assert store._writer.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_room_made_in_the_log_is_never_read_as_a_commit(path: Path, tmp_path: Path) -> None:
    copy = tmp_path / "crashed"
    copy.mkdir()
    with closing(SqliteStore.open(path)) as store:
        row = run("long", seq=0)
        store.commit([inserting(row)])
        for _ in range(5):
            batch = continuing(row)
            store.commit([batch])
            row = batch.run
        # What a power cut would leave; another process copies, because closing the file here would drop its locks.
        subprocess.run(["cp", path, f"{path}-wal", copy], check=True)
    assert (copy / "flow.db-wal").read_bytes().endswith(bytes(100_000))
    with closing(SqliteStore.open(copy / "flow.db")) as store:
        assert store.run("long") == row
        assert len(store.events("long")) == 5
        assert store._writer.execute("PRAGMA integrity_check").fetchone()[0] == "ok"


def test_a_conflict_found_by_the_key_alone_is_a_conflict(path: Path) -> None:
    change(path, "UPDATE runs SET seq = 4 WHERE id = 'r1'")
    with closing(SqliteStore.open(path)) as store, pytest.raises(StoreConflict):
        store.commit([continuing(run("r1", seq=4))])
