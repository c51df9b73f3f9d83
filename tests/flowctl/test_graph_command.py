"""`flowctl graph` from outside."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.flowctl.commands import HELLO, MIXED, write

Program = Any
needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="the program dot is not installed")


@pytest.fixture
def flows(tmp_path: Path) -> None:
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)


@pytest.mark.usefixtures("flows")
class TestGraph:
    @pytest.mark.parametrize(
        ("flags", "start"),
        [
            ([], "mixed: 5 tasks in"),
            (["--format", "text"], "mixed: 5 tasks in"),
            (["--format", "dot"], "digraph"),
            (["--format", "mermaid"], "flowchart"),
            (["--format", "json"], '{"schema_version":1,"flow":"mixed"'),
            (["--json"], '{"schema_version":1,"flow":"mixed"'),
        ],
    )
    def test_each_format_goes_to_stdout(self, program: Program, flags: list[str], start: str) -> None:
        done = program("graph", "mixed", *flags)
        assert done.returncode == 0
        assert start in done.stdout[:300]

    def test_a_file_gets_the_same_as_stdout(self, program: Program, tmp_path: Path) -> None:
        done = program("graph", "mixed", "--format", "dot", "-O", "g.dot")
        assert (done.returncode, done.stdout) == (0, "")
        assert (tmp_path / "g.dot").read_text() == program("graph", "mixed", "--format", "dot").stdout

    def test_a_file_that_cannot_be_written_is_wrong_usage(self, program: Program) -> None:
        done = program("graph", "mixed", "-O", "no/such/folder/g.txt")
        assert done.returncode == 2
        assert "cannot write `no/such/folder/g.txt`" in done.stderr

    def test_a_run_is_drawn_by_the_states_of_its_tasks(self, program: Program) -> None:
        program("run", "mixed", "-q")
        shape = json.loads(program("graph", "--run", "latest", "--json").stdout)
        states = {node["id"]: node["state"] for node in shape["nodes"]}
        assert states["first"]["state"] == "succeeded"
        assert states["work"]["state"] == "failed"
        assert states["work"]["counts"] == {"total": 3, "succeeded": 2, "failed": 1}
        assert states["last"]["state"] == "blocked"
        assert states["unwanted"]["state"] == "skipped"
        assert [node["id"] for node in shape["nodes"]].count("work") == 1

    def test_a_run_is_drawn_as_it_was_though_the_file_has_changed(self, program: Program, tmp_path: Path) -> None:
        program("run", "hello", "-q")
        write(tmp_path, "hello", "version: 1\ntasks:\n  other: {run: 'true'}\n")
        assert "greet" in program("graph", "--run", "latest").stdout

    def test_expanded_sub_flows_have_the_states_of_their_runs(self, program: Program) -> None:
        program("run", "mixed", "-q")
        shape = json.loads(program("graph", "--run", "latest", "--expand", "--json").stdout)
        states = {node["id"]: node["state"] for node in shape["nodes"]}
        assert states["child/greet"]["state"] == "succeeded"
        plain = json.loads(program("graph", "mixed", "--json").stdout)
        assert "child/greet" not in {node["id"] for node in plain["nodes"]}

    @needs_dot
    def test_pictures_are_files_of_their_kind(self, program: Program, tmp_path: Path) -> None:
        assert program("graph", "mixed", "--format", "svg").stdout.startswith("<svg")
        assert program("graph", "mixed", "--format", "png", "-O", "g.png").returncode == 0
        assert (tmp_path / "g.png").read_bytes().startswith(b"\x89PNG")

    def test_without_the_program_dot_a_picture_exits_with_1_and_a_hint(self, program: Program) -> None:
        done = program("graph", "mixed", "--format", "svg", env={"PATH": "/nowhere"})
        assert (done.returncode, done.stdout) == (1, "")
        assert "which is not installed" in done.stderr
        assert "graphviz" in done.stderr

    def test_a_png_is_not_poured_into_a_terminal(self, program: Program) -> None:
        import os

        master, slave = os.openpty()
        done = program("graph", "mixed", "--format", "png", stdout=os.ttyname(slave))
        os.close(slave)
        os.close(master)
        assert done.returncode == 2
        assert "-O graph.png" in done.stderr

    @pytest.mark.parametrize(
        ("arguments", "code"),
        [
            (["graph"], 2),
            (["graph", "mixed", "--run", "latest"], 2),
            (["graph", "mixed", "--json", "--format", "dot"], 2),
            (["graph", "--run", "latest"], 4),
            (["graph", "nowhere"], 2),
        ],
    )
    def test_what_makes_no_sense_is_refused(self, program: Program, arguments: list[str], code: int) -> None:
        done = program(*arguments)
        assert (done.returncode, done.stdout) == (code, "")
        assert "Traceback" not in done.stderr
        assert "help: " in done.stderr or '"hint": "give one of them"' in done.stderr
