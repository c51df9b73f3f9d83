"""`flowctl validate --fix` from outside."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

Program = Any
BAD = "version: 1\ntasks:\n  load:\n    after: fecth\n    run: 'true'\n  fetch: {run: 'true'}\n"
GOOD = BAD.replace("fecth", "[fetch]")


def test_fixes_are_written_said_and_what_is_left_is_checked(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    done = program("validate", "--fix", "a.yaml")
    assert (tmp_path / "a.yaml").read_text() == GOOD
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == (
        "a.yaml:4:12: fixed FLOW112: make it a list\n"
        "a.yaml:4:13: fixed FLOW201: write `fetch`\n"
        "fixed 2 findings in a.yaml\nno findings in 1 file\n"
    )
    assert program("validate", "--fix", "a.yaml").stderr == "no findings in 1 file\n"


def test_mode_line_ends_and_byte_order_mark_are_kept(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + BAD.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    program("validate", "--fix", "a.yaml")
    assert file.read_bytes() == b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.yaml"]


def test_a_named_link_stays_a_link_and_its_target_is_fixed(program: Program, tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text(BAD)
    (tmp_path / "a.yaml").symlink_to("real.yaml")
    program("validate", "--fix", "a.yaml")
    assert (tmp_path / "a.yaml").is_symlink()
    assert (tmp_path / "real.yaml").read_text() == GOOD


def test_diff_writes_nothing_and_is_a_patch(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(BAD)
    done = program("validate", "--fix", "--diff", "a.yaml")
    assert done.returncode == 1
    assert (tmp_path / "a.yaml").read_text() == BAD
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.stdout, text=True, check=True)
    assert (tmp_path / "a.yaml").read_text() == GOOD
    assert program("validate", "--fix", "--diff", "a.yaml").returncode == 0


def test_diff_alone_and_fixing_stdin_are_refused(program: Program) -> None:
    assert program("validate", "--diff").returncode == 2
    done = program("validate", "--fix", "-", input=BAD)
    assert done.returncode == 2
    assert "stdin" in done.stderr


def test_a_file_that_cannot_be_written_is_said_and_left(program: Program, tmp_path: Path) -> None:
    folder = tmp_path / "flows"
    folder.mkdir()
    (folder / "a.yaml").write_text(BAD)
    folder.chmod(0o500)
    try:
        done = program("validate", "--fix", "flows/a.yaml")
    finally:
        folder.chmod(0o700)
    if os.geteuid() != 0:  # root writes where it likes
        assert done.returncode == 1
        assert "cannot write `flows/a.yaml`" in done.stderr
        assert (folder / "a.yaml").read_text() == BAD


def test_a_fix_left_out_is_explained(program: Program, tmp_path: Path) -> None:
    circle = "version: 1\ntasks:\n  load: {after: [fecth], run: x}\n  fetch: {after: [load], run: x}\n"
    (tmp_path / "a.yaml").write_text(circle)
    done = program("validate", "--fix", "a.yaml")
    assert done.returncode == 1
    assert "a.yaml:3:18: left FLOW201 as it is: the fix would lead to FLOW210\n" in done.stderr
    assert (tmp_path / "a.yaml").read_text() == circle


def test_a_silence_that_is_needed_stays(program: Program, tmp_path: Path) -> None:
    text = "version: 1\ntasks:\n  a:\n    # flow: ignore[FLOW702]\n    run: echo $UNQUOTED `date`\n    env: {UNQUOTED: x}\n"
    (tmp_path / "a.yaml").write_text(text)
    checked = program("validate", "a.yaml").stdout
    program("validate", "--fix", "a.yaml")
    is_unused = "silence" in checked
    assert ((tmp_path / "a.yaml").read_text() == text) is not is_unused
    (tmp_path / "a.yaml").write_text(text)
    program("validate", "--fix", "--no-scripts", "a.yaml")
    assert (tmp_path / "a.yaml").read_text() == text


def test_errors_that_only_tools_and_the_clock_tell_are_left_over_too(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flowctl.yaml").write_text("checks: {severity: {FLOW506: error}}\n")
    (tmp_path / "script.yaml").write_text("version: 1\ntasks:\n  a: {run: 'if true; then'}\n")
    (tmp_path / "past.yaml").write_text(
        "version: 1\ntriggers:\n  once: {at: 2001-01-01T00:00:00Z}\ntasks:\n  a: {run: 'true'}\n"
    )
    for name in ("script.yaml", "past.yaml"):
        assert program("validate", "--fix", "--diff", name).returncode == 1
    assert program("validate", "--fix", "--diff", "--no-scripts", "script.yaml").returncode == 0
