"""Reading files that may be anything."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from flowctl.reading import Unreadable, read_regular, read_stream


def read(path: Path, *, most: int = 100, follow: bool = True) -> bytes:
    return read_regular(path, most=most, follow=follow)


def test_a_regular_file_is_read_to_its_end(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 100)
    assert read(tmp_path / "a") == b"x" * 100


def test_one_byte_too_many_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 101)
    with pytest.raises(Unreadable, match="larger than 100 bytes"):
        read(tmp_path / "a")


def test_a_huge_sparse_file_is_refused_without_reading_it(tmp_path: Path) -> None:
    with open(tmp_path / "a", "wb") as file:
        file.truncate(5 << 30)
    with pytest.raises(Unreadable, match="larger"):
        read(tmp_path / "a")


def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.yaml")
    with pytest.raises(Unreadable, match="it is a pipe"):
        read(tmp_path / "a.yaml")


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.yaml")
        with pytest.raises(Unreadable, match="socket"):
            read(Path("s.yaml"))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/dev/zero", "it is a device"),
        ("/", "it is a folder"),
        ("/no/such/file", "there is no such file"),
        ("/dev/null/x", "part of the path is not a folder"),
        ("/tmp/\0", "not a file name"),
        ("/tmp/" + "x" * 5000, "too long"),
    ],
)
def test_what_is_not_a_file_has_a_plain_reason(path: str, reason: str) -> None:
    with pytest.raises(Unreadable, match=reason):
        read(Path(path))


def test_a_link_is_followed_only_when_asked(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "link").symlink_to("a")
    (tmp_path / "loop").symlink_to("loop")
    assert read(tmp_path / "link") == b"x"
    for name in ("link", "loop"):
        with pytest.raises(Unreadable, match="symbolic link"):
            read(tmp_path / name, follow=False)
    with pytest.raises(Unreadable, match="loop"):
        read(tmp_path / "loop")


def test_a_stream_is_bounded_too(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"x" * 50)
    with open(tmp_path / "a", "rb") as file:
        assert read_stream(file.fileno(), most=50) == b"x" * 50
    with open(tmp_path / "a", "rb") as file, pytest.raises(Unreadable, match="larger"):
        read_stream(file.fileno(), most=49)
