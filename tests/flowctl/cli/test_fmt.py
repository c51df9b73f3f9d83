"""`flowctl fmt` from outside."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

Program = Any
LOOSE = "tasks:\n  b: {after_complete: [a], run: 'x'}\n  # first\n  a:\n     run: x\nversion:   1\n"
FORM = "version: 1\ntasks:\n  b: {after: [a], run: x}\n\n  # first\n  a:\n    run: x\n"
BROKEN = "version: 1\ntasks: [\n"


def test_files_of_the_project_are_formatted(program: Program, tmp_path: Path) -> None:
    program("init")
    (tmp_path / "flows" / "b.yaml").write_text(LOOSE)
    done = program("fmt")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "formatted flows/b.yaml\nformatted 1 file, 1 file in form already\n"
    assert (tmp_path / "flows" / "b.yaml").read_text() == FORM
    assert program("fmt").stderr == "2 files in form already\n"


def test_libraries_of_a_folder_are_formatted_and_other_yaml_is_not(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flows").mkdir()
    for name, text in (("a", FORM), ("lib", "pools: {p: {slots:   1}}\nversion: 1\n"), ("other", "services:   {}\n")):
        (tmp_path / "flows" / f"{name}.yaml").write_text(text)
    assert program("fmt", "flows").returncode == 0
    assert (tmp_path / "flows" / "lib.yaml").read_text() == "version: 1\npools: {p: {slots: 1}}\n"
    assert (tmp_path / "flows" / "other.yaml").read_text() == "services:   {}\n"


def test_check_writes_nothing_and_fails_if_something_would_change(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LOOSE)
    done = program("fmt", "--check", "a.yaml")
    assert (done.returncode, done.stderr) == (1, "would format a.yaml\nwould format 1 file\n")
    assert (tmp_path / "a.yaml").read_text() == LOOSE
    (tmp_path / "a.yaml").write_text(FORM)
    assert program("fmt", "--check", "a.yaml").returncode == 0


def test_diff_is_a_patch(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LOOSE)
    done = program("fmt", "--diff", "a.yaml")
    assert done.returncode == 0
    assert program("fmt", "--diff", "--check", "a.yaml").returncode == 1
    subprocess.run(["git", "apply", "-"], cwd=tmp_path, input=done.stdout, text=True, check=True)
    assert (tmp_path / "a.yaml").read_text() == FORM


def test_stdin_goes_to_stdout(program: Program) -> None:
    done = program("fmt", "-", input=LOOSE)
    assert (done.returncode, done.stdout, done.stderr) == (0, FORM, "")
    assert program("fmt", "--check", "-", input=LOOSE).returncode == 1
    assert program("fmt", "--check", "-", input=FORM).returncode == 0
    assert program("fmt", "-", "a.yaml", input=FORM).returncode == 2


def test_what_is_no_yaml_is_refused_and_left_alone_while_the_rest_is_formatted(
    program: Program, tmp_path: Path
) -> None:
    (tmp_path / "bad.yaml").write_text(BROKEN)
    (tmp_path / "good.yaml").write_text(LOOSE)
    done = program("fmt", "bad.yaml", "good.yaml")
    assert done.returncode == 2
    assert "error[FLOW101]" in done.stderr
    assert done.stderr.endswith("formatted good.yaml\nformatted 1 file, 1 file refused\n")
    assert (tmp_path / "bad.yaml").read_text() == BROKEN
    assert (tmp_path / "good.yaml").read_text() == FORM
    assert program("fmt", "-", input=BROKEN).stdout == ""
    assert program("fmt", "no.yaml").returncode == 2


def test_json_names_the_files(program: Program, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text(BROKEN)
    (tmp_path / "good.yaml").write_text(LOOSE)
    shape = json.loads(program("fmt", "--check", "--json", "bad.yaml", "good.yaml").stdout)
    assert shape == {"schema_version": 1, "changed": ["good.yaml"], "refused": ["bad.yaml"], "files": 2}


def test_a_flow_with_errors_that_is_yaml_is_formatted(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("tasks: {a: {rum: x}}\n")
    assert program("fmt", "a.yaml").returncode == 0
    assert (tmp_path / "a.yaml").read_text() == "tasks:\n  a: {rum: x}\n"


def test_mode_line_ends_and_byte_order_mark_are_kept(program: Program, tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_bytes(b"\xef\xbb\xbf" + LOOSE.replace("\n", "\r\n").encode())
    file.chmod(0o640)
    assert program("fmt", "a.yaml").returncode == 0
    assert file.read_bytes() == b"\xef\xbb\xbf" + FORM.replace("\n", "\r\n").encode()
    assert file.stat().st_mode & 0o777 == 0o640


def test_formatting_loads_no_expressions_and_nothing_slow(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(LOOSE)
    probe = (
        "import sys\nfrom flowctl.cli.main import main\ncode = main(['fmt', 'a.yaml'])\n"
        "print(code, *sorted({name.partition('.')[0] for name in sys.modules}))\n"
    )
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path / "home")}
    done = subprocess.run(
        [sys.executable, "-c", probe], cwd=tmp_path, env=env, capture_output=True, text=True, check=True
    )
    code, *modules = done.stdout.split()
    assert code == "0"
    assert not {"jinja2", "networkx", "rich", "sqlmodel", "httpx", "asyncio", "pygls"} & set(modules)
