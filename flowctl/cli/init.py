"""`flowctl init`: a project with settings and one flow that validates, passes its test and runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of
from flowctl.problems import UsageProblem
from flowctl.reading import reason_of, shown_path

SETTINGS = """\
# Settings of this project. Every key may be left out; this file also marks the root of the project.
#
# slots: 64              # attempts made at a time
# env_files: [.env]      # variables read before a run
# store: .flowctl.db     # history of runs; by default one store for all projects of a user
"""

HELLO = """\
version: 1
name: hello
description: Greet somebody, then say how long the greeting was.

params:
  name: {type: string, default: world, max_length: 100}

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
    set:
      length: "${{ tasks.greet.output.text | length }}"

outputs:
  length: "${{ tasks.measure.output.length }}"
"""

HELLO_TEST = """\
version: 1
description: Run with `flowctl test`; nothing is started, tasks end as stubs say.

cases:
  somebody is greeted:
    params: {name: Ada}
    stubs:
      greet: {outputs: {text: "Hello, Ada!"}}
    expect:
      tasks:
        greet: {status: succeeded, inputs: {env: {NAME: Ada}}}
      outputs: {length: 11}

  without a greeting there is nothing to measure:
    stubs:
      greet: {fail: "exit:1"}
    expect:
      status: failed
      tasks: {measure: blocked}
"""

FILES = {"flowctl.yaml": SETTINGS, "flows/hello.yaml": HELLO, "flows/hello.test.yaml": HELLO_TEST}


def init_command(
    ctx: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The project's folder.", show_default=False)] = Path(),
) -> int:
    """Start a project: flowctl.yaml, a first flow and its test. Nothing that exists is overwritten."""
    frame = frame_of(ctx)
    written: list[str] = []
    kept: list[str] = []
    for name, text in FILES.items():
        path = folder / name
        (written if _write_new(path, text) else kept).append(shown_path(path))
    if frame.json:
        frame.put(json.dumps({"schema_version": 1, "created": written, "kept": kept}))
        return Exit.SUCCESS
    for name in written:
        frame.put(f"created {name}")
    for name in kept:
        frame.say(f"kept {name}: it exists already")
    where = "" if folder == Path() else f"-C {folder} "
    frame.say(f"next: flowctl {where}validate")
    return Exit.SUCCESS


def _write_new(path: Path, text: str) -> bool:
    """Write a file that does not exist yet; `False` if something has that name."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError as error:
        if path.parent.is_dir():
            return False
        raise UsageProblem(f"cannot create `{path}`: `{path.parent}` is not a folder") from error
    except OSError as error:
        raise UsageProblem(f"cannot create `{path}`: {reason_of(error)}") from error
    return True
