"""`flowctl logs` from outside, and the reading of logs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowctl.attempt_logs import GrowingLog
from tests.flowctl.commands import HELLO, MIXED, home, json_lines, start, write

Program = Any


@pytest.fixture
def run_id(program: Program, tmp_path: Path) -> str:
    """A run of `mixed`."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    found: str = json.loads(program("run", "mixed", "--json").stdout.splitlines()[-1])["run"]["id"]
    return found


def test_without_a_task_every_line_says_whose_it_is(program: Program, run_id: str) -> None:
    lines = program("logs", run_id).stdout.splitlines()
    assert set(lines) == {"first | one", "work[0] | a 1", "work[1] | b 2", "work[2] | c 1", "hooks.failure.tell | told"}
    assert lines[0] == "first | one"
    assert lines[-1] == "hooks.failure.tell | told"


def test_one_task_is_printed_as_it_was_written(program: Program, run_id: str) -> None:
    assert program("logs", run_id, "first").stdout == "one\n"
    assert program("logs", run_id, "hooks.failure.tell").stdout == "told\n"


@pytest.mark.parametrize("arguments", [["work.1"], ["work[1]"], ["work", "--item", "1"]])
def test_an_item_is_named_in_three_ways(program: Program, run_id: str, arguments: list[str]) -> None:
    assert program("logs", run_id, *arguments).stdout == "b 2\n"
    assert program("logs", run_id, *arguments, "--attempt", "1").stdout == "b 1\n"


def test_a_fan_out_is_printed_item_by_item(program: Program, run_id: str) -> None:
    assert set(program("logs", run_id, "work").stdout.splitlines()) == {
        "work[0] | a 1",
        "work[1] | b 2",
        "work[2] | c 1",
    }
    assert program("logs", run_id, "work", "--attempt", "2").stdout == "work[1] | b 2\n"


def test_json_is_an_object_for_each_line(program: Program, run_id: str) -> None:
    [shape] = json_lines(program("logs", run_id, "work.1", "--json").stdout)
    assert shape == {
        "schema_version": 1,
        "type": "log",
        "run": run_id,
        "task": "work",
        "item": 1,
        "round": 1,
        "attempt": 2,
        "text": "b 2",
        "ends": True,
    }


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["wrok"], 4, "did you mean `work`?"),
        (["work.7"], 4, "`work` has no item 7"),
        (["work", "--item", "7"], 4, "it has the items 0 to 2"),
        (["first.0"], 4, "`first` has no items"),
        (["first", "--attempt", "2"], 4, "`first` has no attempt 2"),
        (["--item", "1"], 2, "`--item` needs a task"),
        (["first", "--tail", "-1"], 2, ""),
    ],
)
def test_what_is_not_there_is_told(program: Program, run_id: str, arguments: list[str], code: int, said: str) -> None:
    done = program("logs", run_id, *arguments)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_task_without_a_log_says_why(program: Program, run_id: str) -> None:
    done = program("logs", run_id, "unwanted")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "`unwanted` is skipped and has written no log\n")
    assert "is a sub-flow; see `flowctl logs " in program("logs", run_id, "child").stderr


HOSTILE = r"printf '\033[31mred\033[0m\033[2J \033]0;title\007\r\377 x\n'"


def test_bytes_are_raw_in_a_pipe_and_safe_on_a_terminal(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "hostile", "version: 1\ntasks:\n  a:\n    run: |\n      " + HOSTILE + "\n")
    program("run", "hostile", "-q")
    program("logs", "latest", "a", stdout=str(tmp_path / "raw"))
    assert (tmp_path / "raw").read_bytes() == b"\x1b[31mred\x1b[0m\x1b[2J \x1b]0;title\x07\r\xff x\n"
    master, slave = os.openpty()
    program("logs", "latest", "a", stdout=os.ttyname(slave))
    shown = os.read(master, 1000)
    os.close(slave)
    os.close(master)
    assert shown == "\x1b[31mred\x1b[0m \ufffd x\r\n".encode()  # the terminal itself turns \n into \r\n


def test_a_line_that_never_ends_is_written_in_parts_and_whole(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "long", "version: 1\ntasks:\n  a: {run: \"head -c 300000 /dev/zero | tr '\\\\0' x\"}\n")
    program("run", "long", "-q")
    assert program("logs", "latest", "a").stdout == "x" * 300_000
    assert program("logs", "latest").stdout == "a | " + "x" * 300_000 + "\n"
    parts = json_lines(program("logs", "latest", "--json").stdout)
    assert "".join(part["text"] for part in parts) == "x" * 300_000
    assert [part["ends"] for part in parts] == [False] * (len(parts) - 1) + [True]


def test_the_tail_is_of_each_log(program: Program, tmp_path: Path) -> None:
    write(tmp_path, "count", "version: 1\ntasks:\n  a: {run: seq 100000}\n  b: {run: seq 3}\n")
    program("run", "count", "-q")
    assert program("logs", "latest", "a", "--tail", "2").stdout == "99999\n100000\n"
    assert program("logs", "latest", "a", "--tail", "0").stdout == ""
    assert sorted(program("logs", "latest", "--tail", "1").stdout.splitlines()) == ["a | 100000", "b | 3"]


@given(st.binary(max_size=200).map(lambda data: data.replace(b"x", b"\n")), st.integers(0, 20))
def test_the_tail_is_the_last_lines(tmp_path_factory: pytest.TempPathFactory, data: bytes, lines: int) -> None:
    log = tmp_path_factory.getbasetemp() / "tail-log"
    log.write_bytes(data)
    parts = data.split(b"\n")
    whole = [part + b"\n" for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    assert b"".join(GrowingLog(log, tail=lines).read()) == b"".join(whole[len(whole) - min(lines, len(whole)) :])


def test_following_shows_what_is_written_while_it_is_written(program: Program, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    write(
        tmp_path,
        "held",
        f"version: 1\ntasks:\n  a: {{run: 'echo before; cat {pipe}; printf end'}}\n"
        "  b: {after: [a], retry: {attempts: 2, delay: 1ms}, run: 'echo $FLOW_ATTEMPT; [ $FLOW_ATTEMPT = 2 ]'}\n",
    )
    with start(tmp_path, "run", "held", "--json") as driving:
        assert driving.stdout is not None
        run_id = json.loads(driving.stdout.readline())["run"]
        with start(tmp_path, "logs", run_id, "-f") as following, start(tmp_path, "logs", run_id, "a", "-f") as one:
            assert following.stdout is not None
            assert following.stdout.readline() == "a | before\n"
            pipe.write_text("between\n")
            assert following.stdout.read() == "a | between\na | end\nb | 1\nb | 2\n"
            assert one.communicate()[0] == "before\nbetween\nend"
            assert (following.wait(), one.returncode) == (0, 0)
        driving.communicate()
    assert set(program("logs", run_id, "-f", env=home(tmp_path)).stdout.splitlines()) == {
        "a | before",
        "a | between",
        "a | end",
        "b | 2",
    }
