"""The folder of the cache: bounded, and what is used last stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from flowctl.plan_cache.folder import LARGEST, CacheFolder


def test_what_was_written_is_read(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path / "a" / "b")
    assert folder.read("x") is None
    folder.write("x", b"one")
    folder.write("y", b"")
    assert (folder.read("x"), folder.read("y")) == (b"one", b"")
    folder.write("x", b"two")
    assert folder.read("x") == b"two"
    folder.remove("x")
    folder.remove("x")
    assert folder.read("x") is None


def aged(folder: CacheFolder, name: str, age: int) -> None:
    os.utime(folder.path / f"{name}.plan", (1_000_000_000 - age, 1_000_000_000 - age))


@pytest.mark.parametrize("bounds", [{"most_files": 3}, {"most_bytes": 3500}])
def test_the_least_recently_used_make_room(tmp_path: Path, bounds: dict[str, int]) -> None:
    kept = CacheFolder(tmp_path, **bounds)
    for number, name in enumerate("abc"):
        kept.write(name, b"x" * 1000)
        aged(kept, name, 100 - number)
    assert kept.read("a") is not None  # the oldest, and used just now
    kept.write("d", b"x" * 1000)
    assert [name for name in "abcd" if kept.read(name) is not None] == ["a", "c", "d"]


def test_what_is_too_large_is_not_kept(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path)
    folder.write("x", bytes(LARGEST + 1))
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_half_written_goes_in_time(tmp_path: Path) -> None:
    folder = CacheFolder(tmp_path)
    (tmp_path / ".old.1.1").write_bytes(b"half")
    (tmp_path / ".new.1.1").write_bytes(b"half")
    os.utime(tmp_path / ".old.1.1", (1_000_000_000, 1_000_000_000))
    folder.write("x", b"one")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".new.1.1", "x.plan"]
