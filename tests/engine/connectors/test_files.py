"""`file.*`, through a real host process."""

from __future__ import annotations

import os
from typing import Any

import pytest

from engine.attempts import ConnectorWork
from engine.outcomes import Ending, Failure, Outcome
from tests.engine.runners.bench import Bench
from tests.engine.runners.canaries import CANARIES


def use(bench: Bench, action: str, **arguments: Any) -> Outcome:
    return bench.run(ConnectorWork("file", action, {}, arguments, bench.folder))


def failure_of(outcome: Outcome) -> Failure:
    assert outcome.ending is Ending.FAILED
    assert outcome.failure is not None
    return outcome.failure


def test_what_is_written_is_read_byte_by_byte(bench: Bench) -> None:
    text = "\n".join(CANARIES)
    written = use(bench, "write", path="new/folder/a.txt", content=text)
    assert written.output == {"path": str(bench.run_dir / "new/folder/a.txt"), "size": len(text.encode())}
    assert use(bench, "read", path="new/folder/a.txt").output["content"] == text
    use(bench, "write", path="new/folder/a.txt", content="more", append=True)
    assert use(bench, "read", path=str(bench.run_dir / "new/folder/a.txt")).output["content"] == text + "more"


def test_files_are_copied_moved_listed_and_deleted(bench: Bench) -> None:
    use(bench, "write", path="a.txt", content="1")
    assert use(bench, "copy", path="a.txt", to="sub/b.txt").output == {"path": str(bench.run_dir / "sub/b.txt")}
    assert use(bench, "move", path="a.txt", to="sub/c.txt").output == {"path": str(bench.run_dir / "sub/c.txt")}
    listed = use(bench, "list", path="sub", pattern="*.txt").output
    assert listed == {"files": [str(bench.run_dir / "sub/b.txt"), str(bench.run_dir / "sub/c.txt")]}
    assert use(bench, "delete", path="sub/b.txt").output == {"deleted": True}
    assert use(bench, "exists", path="sub/b.txt").output == {"exists": False, "kind": "", "size": 0}
    assert use(bench, "exists", path="sub/c.txt").output == {"exists": True, "kind": "file", "size": 1}
    assert use(bench, "exists", path="sub").output == {"exists": True, "kind": "folder", "size": 0}
    assert use(bench, "delete", path="sub/b.txt", missing_ok=True).output == {"deleted": False}


@pytest.mark.parametrize("path", ["../outside", "a/../../outside", "link/inside", "..", ""])
def test_a_relative_path_does_not_leave_the_run_directory(bench: Bench, path: str) -> None:
    (bench.run_dir / "link").symlink_to("/tmp")
    failure = failure_of(use(bench, "write", path=path, content="x"))
    assert failure.name == "BadArgument"


def test_a_link_can_be_deleted_itself(bench: Bench) -> None:
    target = bench.run_dir.parent / "precious"
    target.write_text("keep")
    (bench.run_dir / "link").symlink_to(target)
    assert use(bench, "delete", path="link").output == {"deleted": True}
    assert target.read_text() == "keep"


@pytest.mark.parametrize(
    ("action", "arguments", "name"),
    [
        ("read", {"path": "missing"}, "FileNotFoundError"),
        ("read", {"path": "pipe"}, "BadArgument"),
        ("read", {"path": "binary"}, "BadArgument"),
        ("read", {"path": "folder"}, "IsADirectoryError"),
        ("read", {"path": 1}, "BadArgument"),
        ("read", {"path": "a\0b"}, "BadArgument"),
        ("read", {"path": "a", "mode": "r"}, "BadArgument"),
        ("delete", {"path": "folder"}, "BadArgument"),
        ("delete", {"path": "missing"}, "FileNotFoundError"),
        ("copy", {"path": "missing", "to": "x"}, "FileNotFoundError"),
        ("list", {"path": "missing"}, "FileNotFoundError"),
        ("list", {"path": "folder", "pattern": "../*"}, "BadArgument"),
        ("touch", {"path": "a"}, "BadArgument"),
    ],
)
def test_what_cannot_be_done_is_told(bench: Bench, action: str, arguments: dict[str, Any], name: str) -> None:
    os.mkfifo(bench.run_dir / "pipe")
    (bench.run_dir / "binary").write_bytes(b"\xff\xfe")
    (bench.run_dir / "folder").mkdir()
    failure = failure_of(use(bench, action, **arguments))
    assert (failure.kind, failure.name) == ("error", name)
