"""Plain calls take the words of a command line as typer does, or leave them to it."""

from __future__ import annotations

import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowctl.cli.group import root_group, shared_parameters
from flowctl.cli.plain_calls import PLAIN, SHARED, PlainOption, plain_call, read_plain
from tests.flowctl.commands import environment

GROUP = root_group()
VALUES = [
    "a.yaml",
    "x=1",
    "b",
    "auto",
    "json",
    "text",
    "github",
    "",
    "-",
    "0",
    "ü",
    "/dev/null",
    "--",
    "-x",
    "=",
    "high",
]


def parameters(command: str) -> list[Any]:
    found = GROUP.get_command(None, command)
    return [one for one in found.params if one.param_type_name == "option"]


def options(declared: list[Any]) -> dict[str, Any]:
    return {written: one for one in declared for written in (*one.opts, *one.secondary_opts)}


def as_declared(option: PlainOption) -> tuple[str, bool, bool, bool]:
    return option.name, option.read is None and not option.counts, option.many, option.counts


@pytest.mark.parametrize("command", PLAIN)
def test_the_tables_are_the_options_of_the_commands(command: str) -> None:
    declared = options(parameters(command))
    tables = {**PLAIN[command].options, **SHARED}
    assert {written: as_declared(one) for written, one in tables.items()} == {
        written: (one.name, bool(one.is_flag), one.multiple, one.count) for written, one in declared.items()
    }
    assert SHARED.keys() == options(shared_parameters()).keys()
    (argument,) = [one for one in GROUP.get_command(None, command).params if one.param_type_name == "argument"]
    assert (PLAIN[command].argument, PLAIN[command].many) == (argument.name, argument.nargs == -1)


def by_typer(command: str, words: list[str]) -> dict[str, Any]:
    """What a command is called with for these words; raises what typer does."""
    context = GROUP.get_command(None, command).make_context(command, list(words))
    return {name: as_said(value) for name, value in context.params.items()}


def as_said(value: Any) -> Any:
    """Values compared as a command takes them: nothing given is nothing, a choice is its text."""
    if isinstance(value, list | tuple):
        return [as_said(one) for one in value] or None
    return value.value if isinstance(value, Enum) else value or None


@pytest.mark.parametrize("command", PLAIN)
@given(data=st.data())
def test_a_plain_call_has_the_values_that_typer_finds(command: str, data: st.DataObject) -> None:
    known = [*PLAIN[command].options, *SHARED]
    written = st.one_of(
        st.sampled_from(known),
        st.sampled_from(VALUES),
        st.builds("{}={}".format, st.sampled_from(known), st.sampled_from(VALUES)),
    )
    words = data.draw(st.lists(written, max_size=6))
    try:
        values = read_plain(PLAIN[command], words)
    except Exception:  # noqa: BLE001 - whatever is not plain is typer's
        return
    typed = by_typer(command, words)
    assert {name: as_said(values.get(name)) for name in typed} == typed
    assert values.keys() <= typed.keys()


@pytest.mark.parametrize(
    "words",
    [
        ["run", "--help"],
        ["run", "-h"],
        ["run", "a", "b"],
        ["run", "-qv", "a"],
        ["run", "-pX=1", "a"],
        ["run", "--par", "x=1"],
        ["run", "a", "--param"],
        ["run", "a", "--json=yes"],
        ["run", "a", "--color", "blue"],
        ["run", "-f", "a", "-f", "b"],
        ["run", "--", "a"],
        ["-q", "run", "a"],
        ["show", "a"],
        [],
    ],
)
def test_other_calls_are_left_to_typer(words: list[str]) -> None:
    assert plain_call(words) is None


@pytest.mark.parametrize(
    "words", [["validate", "a.yaml"], ["run", "-q", "a.yaml"], ["run", "-p", "x=1", "a.yaml", "--json"]]
)
def test_a_plain_call_loads_no_typer(tmp_path: Path, words: list[str]) -> None:
    text = "version: 1\nparams: {x: {default: a}}\ntasks: {a: {run: 'echo $X', env: {X: '${{ params.x }}'}}}\n"
    (tmp_path / "a.yaml").write_text(text)
    probe = "import sys; from flowctl.cli.main import main; code = main(); print('typer' in sys.modules, code)"
    command = [sys.executable, "-c", probe, *words]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr


def test_both_ways_do_the_same(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("version: 1\ntasks: {a: {run: 'true'}, b: {after: [a], join: any, run: 'true'}}\n")
    said = []
    for words in (["validate", "a.yaml", "-v"], ["-v", "validate", "a.yaml"]):
        command = [sys.executable, "-m", "flowctl", *words]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False
        )
        said.append((done.returncode, done.stdout, done.stderr))
    assert said[0] == said[1]
    assert "FLOW214" in said[0][1]
