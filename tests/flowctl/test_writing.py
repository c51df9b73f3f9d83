"""Replacing the text of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowctl.writing import NotWritten, replace_text


def test_a_text_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbfold\r\n")
    file.chmod(0o604)
    replace_text(file, old="old\r\n", new="new\r\n")
    assert file.read_bytes() == b"\xef\xbb\xbfnew\r\n"
    assert file.stat().st_mode & 0o777 == 0o604
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yaml"]


def test_what_somebody_else_has_written_meanwhile_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("theirs")
    with pytest.raises(NotWritten, match="changed by somebody else"):
        replace_text(file, old="old", new="new")
    assert file.read_text() == "theirs"


def test_a_file_that_is_gone_or_is_none_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(NotWritten, match="no such file"):
        replace_text(tmp_path / "gone.yaml", old="", new="x")
    with pytest.raises(NotWritten, match="folder"):
        replace_text(tmp_path, old="", new="x")
    assert list(tmp_path.iterdir()) == []
