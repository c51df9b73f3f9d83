"""What the tests of the commands share: flows, the program as a process, waiting without sleeping."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

HELLO = """\
version: 1
name: hello
params:
  name: {type: string, default: world}
tasks:
  greet:
    env: {NAME: "${{ params.name }}"}
    run: |
      echo "Hello, $NAME!"
      echo "text=Hello, $NAME!" >> "$FLOW_OUTPUT"
    outputs:
      text: {type: string}
  measure:
    after: [greet]
    set: {length: "${{ tasks.greet.output.text | length }}"}
outputs:
  length: "${{ tasks.measure.output.length }}"
"""

MIXED = """\
version: 1
name: mixed
params:
  badge: {type: string, sensitive: true, default: blue-badger-7}
tasks:
  first: {run: echo one}
  work:
    after: [first]
    fan_out: {items: [a, b, c], key: item}
    env: {NAME: "${{ item }}", BADGE: "${{ params.badge }}"}
    retry: {attempts: 2, delay: 1ms}
    run: |
      echo "$NAME $FLOW_ATTEMPT"
      [ "$NAME" != b ] || exit 3
      echo "n=$NAME" >> "$FLOW_OUTPUT"
      echo "key=$BADGE" >> "$FLOW_OUTPUT"
    outputs:
      n: {type: string}
      key: {type: string, sensitive: true}
  last: {after: [work], run: echo never}
  unwanted: {if: false and true, run: echo never}
  child: {flow: hello, with: {name: Ada}}
hooks:
  failure:
    tell: {run: echo told}
"""


def write(folder: Path, name: str, text: str) -> Path:
    """A flow in the folder's `flows`."""
    path = folder / "flows" / f"{name}.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def json_lines(text: str) -> list[dict[str, Any]]:
    """NDJSON as objects."""
    return [json.loads(line) for line in text.splitlines()]


def start(folder: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    """The program as a process of its own, with pipes, its home in `folder`."""
    return subprocess.Popen(
        [sys.executable, "-m", "flowctl", *arguments],
        cwd=folder,
        env=environment(folder, env),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def environment(folder: Path, env: dict[str, str] | None = None) -> dict[str, str]:
    """The environment of the program when its home is in `folder`."""
    root = str(Path(__file__).parents[2])
    return {"PATH": os.environ["PATH"], "PYTHONPATH": root, **home(folder), **(env or {})}


def home(folder: Path) -> dict[str, str]:
    """The variable that keeps everything of the program in `folder`."""
    return {"FLOWCTL_HOME": str(folder / "home")}


def is_alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def columns_of(lines: Sequence[str]) -> list[list[str]]:
    """The words of each line of a table."""
    return [line.split() for line in lines]
