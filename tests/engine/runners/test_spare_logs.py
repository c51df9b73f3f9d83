"""Empty logs that are given to other attempts."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.runners.spare_logs import SpareLogs


@pytest.fixture
def spare(tmp_path: Path) -> Path:
    log = tmp_path / "spare.log"
    log.touch()
    return log


def test_a_spare_log_becomes_the_log_of_another(spare: Path) -> None:
    logs = SpareLogs()
    logs.give(str(spare))
    logs.take(str(spare.with_name("other.log")))
    assert [path.name for path in spare.parent.iterdir()] == ["other.log"]
    logs.take(str(spare.with_name("third.log")))
    assert [path.name for path in spare.parent.iterdir()] == ["other.log"]


def test_a_log_that_is_there_keeps_what_it_holds(spare: Path) -> None:
    other = spare.with_name("other.log")
    other.write_text("written")
    logs = SpareLogs()
    logs.give(str(spare))
    logs.take(str(other))
    assert (other.read_text(), spare.exists()) == ("written", True)


def test_a_spare_log_stays_in_its_folder(spare: Path, tmp_path: Path) -> None:
    logs = SpareLogs()
    logs.give(str(spare))
    (tmp_path / "run").mkdir()
    logs.take(str(tmp_path / "run" / "one.log"))
    assert (list((tmp_path / "run").iterdir()), spare.exists()) == ([], True)


def test_a_spare_log_that_somebody_removed_is_no_matter(spare: Path) -> None:
    logs = SpareLogs()
    logs.give(str(spare))
    spare.unlink()
    logs.take(str(spare.with_name("other.log")))
    assert list(spare.parent.iterdir()) == []


def test_what_is_left_is_removed(spare: Path) -> None:
    logs = SpareLogs()
    logs.give(str(spare))
    logs.close()
    assert list(spare.parent.iterdir()) == []
