"""Runs kept in PostgreSQL, by the program as processes: the same commands, several at once, killed, and without a server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.store.address import ServerAddress
from tests.flowctl.commands import HELLO, MIXED, json_lines, start, write
from tests.servers import PrivateServer, own_schema, private_server, some_server

WAITING = """\
version: 1
name: waiting
tasks:
  before: {run: echo before >> LEDGER}
  held:
    after: [before]
    run: |
      echo held >> LEDGER
      echo ready > READY
      until [ -e GO ]; do sleep 0.01; done
  after: {after: [held], run: echo after >> LEDGER}
"""


@pytest.fixture(scope="module")
def own_server() -> Iterator[PrivateServer]:
    with private_server() as server:
        yield server


@pytest.fixture
def address() -> Iterator[ServerAddress]:
    with some_server() as url, own_schema(url) as address:
        yield address


@pytest.fixture
def private(own_server: PrivateServer) -> Iterator[ServerAddress]:
    with own_schema(own_server.url) as address:
        yield address


def settings(address: ServerAddress, **more: str) -> dict[str, str]:
    return {"FLOWCTL_DB_URL": address.url, "FLOWCTL_DB_SCHEMA": address.schema or "", **more}


def flowctl(folder: Path, address: ServerAddress, *arguments: str, **more: str) -> tuple[int, str, str]:
    """The program's exit code and what it said."""
    process = start(folder, *arguments, env=settings(address, **more))
    out, err = process.communicate(timeout=120)
    return process.returncode, out, err


def begin_waiting(folder: Path, address: ServerAddress, **more: str) -> subprocess.Popen[str]:
    """A run whose second task has started and waits for the file `GO`."""
    write(folder, "waiting", WAITING.replace("LEDGER", f"{folder}/ledger").replace("READY", f"{folder}/ready"))
    flow = folder / "flows" / "waiting.yaml"
    flow.write_text(flow.read_text().replace("GO ]", f"{folder}/go ]"))
    ready = folder / "ready"
    if not ready.exists():
        os.mkfifo(ready)
    process = start(folder, "run", "waiting", env=settings(address, **more))
    assert ready.read_text() == "ready\n"
    return process


def test_every_command_works_on_a_database(tmp_path: Path, address: ServerAddress) -> None:
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "mixed", MIXED)
    assert flowctl(tmp_path, address, "runs")[:2] == (0, "")
    assert flowctl(tmp_path, address, "show", "latest")[0] == 4
    code, out, err = flowctl(tmp_path, address, "run", "hello", "--json")
    assert code == 0, err
    run_id = json_lines(out)[-1]["run"]["id"]
    assert flowctl(tmp_path, address, "run", "mixed", "-q")[0] == 1
    listed = json.loads(flowctl(tmp_path, address, "runs", "--json")[1])["items"]
    assert [(run["flow"], run["state"]) for run in listed] == [("mixed", "failed"), ("hello", "succeeded")]
    code, out, _ = flowctl(tmp_path, address, "show", run_id[-8:], "--json")
    assert (code, json.loads(out)["run"]["outputs"]) == (0, {"length": 13})
    assert "Hello, world!" in flowctl(tmp_path, address, "logs", run_id)[1]
    assert json_lines(flowctl(tmp_path, address, "events", run_id, "--json")[1])[0]["type"] == "run_submitted"
    assert flowctl(tmp_path, address, "graph", "--run", run_id, "--format", "mermaid")[0] == 0
    assert not (tmp_path / "home" / "data" / "flowctl.db").exists()


def test_processes_share_a_database(tmp_path: Path, address: ServerAddress) -> None:
    write(tmp_path, "hello", HELLO)
    processes = [start(tmp_path, "run", "hello", "-q", env=settings(address)) for _ in range(4)]
    for process in processes:
        out, err = process.communicate(timeout=120)
        assert (process.returncode, out, err) == (0, "length:=13\n", "")
    listed = json.loads(flowctl(tmp_path, address, "runs", "--json")[1])["items"]
    assert [run["state"] for run in listed] == ["succeeded"] * 4


def test_a_run_whose_engine_was_killed_is_resumed(tmp_path: Path, address: ServerAddress) -> None:
    process = begin_waiting(tmp_path, address)
    process.kill()
    process.communicate(timeout=60)
    (tmp_path / "go").touch()
    code, _, err = flowctl(tmp_path, address, "resume")
    assert code == 0, err
    ledger = (tmp_path / "ledger").read_text().split()
    assert (ledger[0], ledger[-1], ledger.count("before"), ledger.count("after")) == ("before", "after", 1, 1)
    listed = json.loads(flowctl(tmp_path, address, "runs", "--json")[1])["items"]
    assert [run["state"] for run in listed] == ["succeeded"]


def test_a_run_survives_a_crash_of_the_server(
    tmp_path: Path, own_server: PrivateServer, private: ServerAddress
) -> None:
    process = begin_waiting(tmp_path, private)
    assert process.stderr is not None
    own_server.stop()
    (tmp_path / "go").touch()
    lines = []
    for line in process.stderr:  # the task has ended, and its end cannot be written
        lines.append(line)
        if "waiting for it" in line:
            break
    own_server.start()
    lines += process.stderr.read().splitlines(keepends=True)
    assert process.wait(timeout=60) == 0, lines
    assert any("the store is back" in line for line in lines)
    assert (tmp_path / "ledger").read_text().split() == ["before", "held", "after"]
    code, out, _ = flowctl(tmp_path, private, "show", "latest", "--json")
    assert code == 0
    assert {task["state"] for task in json.loads(out)["tasks"].values()} == {"succeeded"}


def test_patience_has_an_end(tmp_path: Path, own_server: PrivateServer, private: ServerAddress) -> None:
    process = begin_waiting(tmp_path, private, FLOWCTL_DB_PATIENCE="200ms")
    own_server.stop()
    try:
        (tmp_path / "go").touch()
        _, err = process.communicate(timeout=120)
    finally:
        own_server.start()
    assert process.returncode == 1
    assert "waiting for it" in err
    assert "error: cannot use the store" in err.splitlines()[-2]
    assert "Traceback" not in err


def test_a_second_signal_ends_the_waiting(tmp_path: Path, own_server: PrivateServer, private: ServerAddress) -> None:
    process = begin_waiting(tmp_path, private)
    assert process.stderr is not None
    own_server.stop()
    try:
        (tmp_path / "go").touch()
        while "waiting for it" not in process.stderr.readline():
            pass
        for number in (signal.SIGINT, signal.SIGTERM):  # two of one kind might come as one
            process.send_signal(number)
        err = process.stderr.read()
        assert process.wait(timeout=60) == 1
    finally:
        own_server.start()
    assert "error: cannot use the store" in err


def test_a_run_is_cancelled_by_another_process(tmp_path: Path, address: ServerAddress) -> None:
    process = begin_waiting(tmp_path, address)
    code, _, err = flowctl(tmp_path, address, "cancel", "latest", "--reason", "enough")
    assert code == 0, err
    process.communicate(timeout=60)
    assert process.returncode == 1
    listed = json.loads(flowctl(tmp_path, address, "runs", "--json")[1])["items"]
    assert [run["state"] for run in listed] == ["cancelled"]


MANY = """\
version: 1
name: many
tasks:
  each:
    fan_out: {items: ITEMS, max_parallel: 6}
    env: {N: "${{ item }}"}
    run: |
      echo "$N" >> LEDGER
      echo "$N" > TOLD
"""


@pytest.mark.slow
def test_a_server_that_crashes_again_and_again_costs_no_task(
    tmp_path: Path, own_server: PrivateServer, private: ServerAddress
) -> None:
    told = tmp_path / "told"
    os.mkfifo(told)
    write(
        tmp_path,
        "many",
        MANY.replace("ITEMS", str(list(range(90))))
        .replace("LEDGER", str(tmp_path / "ledger"))
        .replace("TOLD", str(told)),
    )
    process = start(tmp_path, "run", "many", "-q", env=settings(private))
    # Opened for writing, too, so that there is no end between two tasks.
    with os.fdopen(os.open(told, os.O_RDWR), closefd=True) as lines:
        for number in range(90):
            lines.readline()
            if number % 12 == 7:
                own_server.stop()
                own_server.start()
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, out + err
    assert sorted(map(int, (tmp_path / "ledger").read_text().split())) == list(range(90))
    assert flowctl(tmp_path, private, "replay", "latest")[0] == 0
