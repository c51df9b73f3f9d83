"""`flowctl validate` from outside."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

Program = Any
GOOD = "version: 1\ntasks:\n  a: {run: 'true'}\n"
BAD = "version: 1\ntasks:\n  load:\n    after: [fecth]\n    run: 'true'\n  fetch: {run: 'true'}\n"
WARNED = "version: 1\nenv: {DEBUG: yes}\ntasks:\n  a: {run: 'true'}\n"


def write(path: Path, text: str = GOOD) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_what_init_makes_is_valid_and_found_by_default(program: Program) -> None:
    program("init")
    done = program("validate", "--deny-warnings")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no findings in 1 file\n")


def test_an_error_is_shown_with_its_place_and_exits_with_1(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", BAD)
    done = program("validate", "bad.yaml")
    assert done.returncode == 1
    assert done.stderr == "1 error in 1 file\n"
    assert "error[FLOW201]: " in done.stdout
    assert " --> bad.yaml:4:13\n  |\n4 |     after: [fecth]\n  |             ^^^^^\n" in done.stdout
    assert "  = help: did you mean `fetch`?\n" in done.stdout


def test_a_concise_finding_is_one_line(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", BAD)
    for flags in (["--concise"], ["--format", "concise"]):
        lines = program("validate", *flags, "bad.yaml").stdout.splitlines()
        assert len(lines) == 1
        assert lines[0].startswith("bad.yaml:4:13: error[FLOW201]: ")


@pytest.mark.parametrize("flags", [["--json"], ["-o", "json"], ["--format", "json"]])
def test_json_is_one_object_a_line(program: Program, tmp_path: Path, flags: list[str]) -> None:
    write(tmp_path / "bad.yaml", BAD)
    done = program("validate", *flags, "bad.yaml")
    assert done.returncode == 1
    [shape] = map(json.loads, done.stdout.splitlines())
    assert (shape["code"], shape["severity"], shape["file"]) == ("FLOW201", "error", "bad.yaml")
    assert shape["range"]["start"] == {"line": 4, "column": 13, "offset": BAD.index("fecth")}


def test_flags_that_ask_for_different_formats_are_refused(program: Program) -> None:
    assert program("validate", "--json", "--concise").returncode == 2


def test_a_warning_fails_only_when_denied(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "w.yaml", WARNED)
    done = program("validate", "w.yaml")
    assert (done.returncode, done.stderr) == (0, "1 warning in 1 file\n")
    assert "warning[FLOW122]" in done.stdout
    assert program("validate", "--deny-warnings", "w.yaml").returncode == 1


def test_stdin_is_a_file_of_the_current_folder(program: Program, tmp_path: Path) -> None:
    assert program("validate", "-", input=GOOD).returncode == 0
    done = program("validate", "-", input=BAD)
    assert done.returncode == 1
    assert " --> <stdin>:4:13\n" in done.stdout
    write(tmp_path / "lib.yaml", "version: 1\ntemplates: {t: {timeout: 5s}}\n")
    using = "version: 1\ninclude: [lib.yaml]\ntasks:\n  a: {extends: t, run: 'true'}\n"
    assert program("validate", "-", input=using).stdout == ""


def test_stdin_takes_no_company(program: Program) -> None:
    done = program("validate", "-", "a.yaml", input=GOOD)
    assert done.returncode == 2
    assert "cannot be given with other paths" in done.stderr


def test_a_file_that_cannot_be_read_is_told_and_the_others_are_checked(program: Program, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    write(tmp_path / "bad.yaml", BAD)
    (tmp_path / "loop.yaml").symlink_to("loop.yaml")
    done = program("validate", "--concise", "pipe.yaml", "missing.yaml", "/dev/zero", "loop.yaml", "bad.yaml")
    assert done.returncode == 2
    text = done.stdout
    assert "pipe.yaml:1:1: error[FLOW131]: `pipe.yaml` cannot be read: it is a pipe" in text
    assert "missing.yaml:1:1: error[FLOW131]: `missing.yaml` cannot be read: there is no such file" in text
    assert "`/dev/zero` cannot be read: it is a device" in text
    assert "`loop.yaml` cannot be read: it is a symbolic link, or a loop of them" in text
    assert "bad.yaml:4:13: error[FLOW201]" in text


def test_a_folder_is_searched_whatever_its_name(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "x.yaml" / "a.yaml")
    done = program("validate", "x.yaml")
    assert (done.returncode, done.stderr) == (0, "no findings in 1 file\n")


def test_finding_nothing_to_check_is_not_success(program: Program, tmp_path: Path) -> None:
    done = program("validate")
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == "error: no flow was found here"
    write(tmp_path / "d" / "compose.yaml", "services: {}\n")
    done = program("validate", "-v", "d")
    assert done.returncode == 2
    assert "skipped d/compose.yaml" in done.stderr


def test_an_empty_path_is_not_taken_for_the_current_folder(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml")
    done = program("validate", "")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: a path is empty")


def test_a_current_folder_that_is_gone_is_told(tmp_path: Path) -> None:
    shell = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -P -m flowctl validate"
    done = subprocess.run(["bash", "-c", shell], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "error: cannot work in `.`: no such file or directory" in done.stderr


def test_a_link_found_in_a_folder_is_not_followed(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "outside.yaml", "secret content: [\n")
    write(tmp_path / "p" / "flowctl.yaml", "")
    (tmp_path / "p" / "flows").mkdir()
    (tmp_path / "p" / "flows" / "x.yaml").symlink_to(tmp_path / "outside.yaml")
    done = program("-C", "p", "validate")
    assert done.returncode == 2
    assert "secret content" not in done.stdout
    assert "cannot be read: it is a symbolic link" in done.stdout


def test_the_limits_of_the_settings_hold(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", GOOD)
    env = {"FLOWCTL_LIMITS_FILE": "10B"}
    assert "it is larger than 10 bytes" in program("validate", "a.yaml", env=env).stdout
    assert program("validate", "-", input=GOOD, env=env).returncode == 2


def test_quiet_leaves_the_data_and_drops_the_talk(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", BAD)
    done = program("validate", "-q", "bad.yaml")
    assert "FLOW201" in done.stdout
    assert done.stderr == ""


def test_colours_come_when_asked_for_and_change_no_letter(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", BAD)
    plain = program("validate", "bad.yaml").stdout
    assert "\x1b" not in plain
    for coloured in (
        program("validate", "--color", "always", "bad.yaml").stdout,
        program("validate", "bad.yaml", env={"FORCE_COLOR": "1"}).stdout,
        program("validate", "bad.yaml", env={"FLOWCTL_COLOR": "always", "NO_COLOR": "1"}).stdout,
    ):
        assert "\x1b[1;31merror[FLOW201]" in coloured
        assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain
    both = program("validate", "bad.yaml", env={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b" not in both.stdout


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe\x00",
        b"\x00" * 10,
        b"[" * 5000,
        b"a: &a [*a]",
        b"- 1",
        b"\xef\xbb\xbf" + GOOD.encode(),
        b"a\rb: c",
    ],
)
def test_no_bytes_lead_to_a_traceback(program: Program, tmp_path: Path, data: bytes) -> None:
    (tmp_path / "x.yaml").write_bytes(data)
    done = program("validate", "x.yaml")
    assert done.returncode in (0, 1)
    assert "Traceback" not in done.stderr
    assert "internal" not in done.stderr


def test_a_name_that_is_no_text_can_be_printed(program: Program, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.yaml")
    (tmp_path / name).write_text(BAD)
    done = program("validate", "--concise", name)
    assert done.returncode == 1
    assert done.stdout.startswith("caf\\udce9.yaml:4:13: ")


def test_an_ascii_terminal_gets_ascii(tmp_path: Path) -> None:
    write(tmp_path / "bad.yaml", BAD.replace("fecth", "f" + "é" * 30))
    env = {**os.environ, "PYTHONIOENCODING": "ascii"}
    command = [sys.executable, "-m", "flowctl", "validate", "bad.yaml"]
    done = subprocess.run(command, env=env, cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1
    assert done.stdout.isascii()
