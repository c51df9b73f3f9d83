"""The journal of a spawner: what is in it, when it is rewritten, what a full disk does."""

from __future__ import annotations

import json
import resource
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spawner.journal import MOST_BYTES, Journal, quoted

HEAD = b'{"spawner": 1}\n'
FACTS = b'"how": "exit", "value": 0'


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "folder" / "journal.jsonl"


@pytest.fixture
def journal(path: Path) -> Journal:
    return Journal(str(path).encode(), HEAD)


@given(text=st.text())
def test_any_text_is_quoted(text: str) -> None:
    assert json.loads(quoted(text.encode("utf-8", "replace"))) == text.encode("utf-8", "replace").decode()


def test_it_begins_with_who_writes_it_and_only_its_owner_reads_it(journal: Journal, path: Path) -> None:
    journal.flush()
    assert not path.exists()
    journal.started(b"a", 5, 7, 1)
    journal.flush()
    assert lines(path) == [{"spawner": 1}, {"started": "a", "pid": 5, "at": 7, "tmp": 1}]
    assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)


def test_only_what_runs_and_what_is_not_settled_is_kept(journal: Journal, path: Path) -> None:
    for marker in (b"a", b"b", b"c"):
        journal.started(marker, 5, 7, 1)
    journal.ended(b"a", FACTS)
    journal.ended(b"b", FACTS)
    journal.settled(b"a")
    journal.flush()
    journal.compact()
    kept = [{"spawner": 1}, {"started": "c", "pid": 5, "at": 7, "tmp": 1}, {"ended": "b", "how": "exit", "value": 0}]
    assert lines(path) == kept
    journal.settled(b"b")
    journal.ended(b"c", FACTS)
    journal.flush()
    journal.settled(b"c")
    journal.compact()
    assert list(path.parent.iterdir()) == []


def test_after_its_removal_it_begins_anew(journal: Journal, path: Path) -> None:
    journal.begin()
    journal.compact()
    assert not path.exists()
    journal.started(b"b", 6, 8, 1)
    journal.flush()
    assert lines(path) == [{"spawner": 1}, {"started": "b", "pid": 6, "at": 8, "tmp": 1}]


def test_it_does_not_grow_without_bound(journal: Journal, path: Path) -> None:
    most = 0
    for number in range(100_000):
        marker = b"%d" % number
        journal.started(marker, number, 7, 1)
        journal.ended(marker, FACTS)
        journal.settled(marker)
        if number % 100 == 0:
            journal.flush()
            most = max(most, path.stat().st_size if path.exists() else 0)
    assert 1_000_000 < most < MOST_BYTES + 1_000_000
    assert path.stat().st_size < most if path.exists() else True


@pytest.fixture
def full_disk() -> Iterator[int]:
    """Files of this process can have this many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, before[1]))
    yield 40
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


def test_what_a_full_disk_does_not_take_is_written_later(journal: Journal, path: Path, full_disk: int) -> None:
    journal.started(b"a", 5, 7, 1)
    journal.ended(b"a", FACTS)
    journal.flush()
    assert journal.problem == "file too large"
    assert path.stat().st_size == full_disk
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    journal.started(b"b", 6, 8, 1)
    journal.flush()
    assert journal.problem == ""
    assert [next(iter(line)) for line in lines(path)] == ["spawner", "started", "ended", "started"]
