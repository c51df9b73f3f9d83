"""The program as a process of its own, started the quick way.

Importing costs most of a start, so a server that has imported the program forks a child for each call: same arguments,
environment, folder and streams as a fresh process. What a fresh interpreter does is tested in `test_start_up.py` and with
the `subprocess` calls of `test_program.py`.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest


@dataclass(frozen=True)
class Done:
    """How a call ended."""

    returncode: int
    stdout: str
    stderr: str


Program: TypeAlias = Callable[..., Done]

SERVER = """
import json, os, sys
import engine.connectors.catalogue, flowctl.cli.group, flowctl.cli.validate, flowctl.cli.failures, specs.check
import specs.rules, typer.completion
from flowctl.cli.main import main
specs.rules.all_rules()
for line in sys.stdin:
    call = json.loads(line)
    child = os.fork()
    if child == 0:
        code = 99
        try:
            os.chdir(call["cwd"])
            os.environ.clear()
            os.environ.update(call["env"])
            for number, name in enumerate(call["streams"]):
                handle = os.open(name, os.O_RDONLY if number == 0 else os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
                os.dup2(handle, number)
            sys.stdin, sys.stdout, sys.stderr = (open(n, m, encoding="utf-8") for n, m in enumerate("rww"))
            code = main(call["arguments"])
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="session")
def server() -> Iterator[subprocess.Popen[str]]:
    """The process that has everything imported."""
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture
def program(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, server: subprocess.Popen[str]) -> Program:
    """Call the program in `tmp_path`: `env` adds variables, `input` is its stdin, `stdout` a file instead of a record."""
    aside = tmp_path_factory.mktemp("streams")
    plain = {key: os.environ[key] for key in ("PATH", "HOME", "LANG") if key in os.environ}

    def run(*arguments: str, env: dict[str, str] | None = None, input: str = "", stdout: str = "") -> Done:  # noqa: A002
        streams = [aside / "in", Path(stdout or aside / "out"), aside / "err"]
        streams[0].write_text(input)
        call: dict[str, Any] = {
            "arguments": arguments,
            "cwd": str(tmp_path),
            "env": {**plain, "FLOWCTL_HOME": str(aside / "home"), **(env or {})},
            "streams": [str(stream) for stream in streams],
        }
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write(json.dumps(call) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        out = "" if stdout else streams[1].read_text()
        return Done(code, out, streams[2].read_text())

    return run
