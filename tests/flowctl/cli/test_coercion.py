"""Values that are taken without pydantic are those typer would make, and typer still says what is wrong with others."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowctl.cli.coercion import take_plain_values
from flowctl.cli.group import root_group
from flowctl.cli.table import COMMANDS
from tests.flowctl.commands import environment

GROUP = root_group()
ALONE = [command.name for command in COMMANDS if " " not in command.name]
TEXTS = st.one_of(
    st.sampled_from(
        [
            "",
            "-",
            "a",
            "0",
            "1",
            "-1",
            "007",
            "99999999999",
            " 3",
            "٣",
            "true",
            "json",
            "JSON",
            "auto",
            "svg",
            "1e3",
            "/dev/null",
            "/",
            "x\0y",
        ]
    ),
    st.text(max_size=5),
)


def made(coerce: Any, value: Any, parameter: Any, context: Any) -> tuple[str, Any]:
    """What comes of a value: the value made of it and its type, or the message."""
    try:
        found = coerce(value, param=parameter, ctx=context)
    except Exception as error:  # noqa: BLE001 - whatever either way raises is compared
        return type(error).__name__, str(error)
    return type(found).__name__, found


@pytest.mark.parametrize("name", ALONE)
@settings(deadline=None, max_examples=30)  # the first draw of a command imports it, and typer builds validators
@given(data=st.data())
def test_a_value_becomes_what_typer_makes_of_it(name: str, data: st.DataObject) -> None:
    command = GROUP.get_command(None, name)
    context = command.context_class(command, info_name=name)
    parameter = data.draw(st.sampled_from(command.params))
    vars(parameter).pop("get_runtime_param", None)
    by_typer = parameter.get_runtime_param().coerce
    take_plain_values(parameter)
    is_many = parameter.multiple or parameter.nargs == -1
    value = data.draw(st.none() | (st.lists(TEXTS, max_size=3).map(tuple) if is_many else TEXTS | st.integers(-3, 3)))
    found = made(parameter.get_runtime_param().coerce, value, parameter, context)
    assert found == made(by_typer, value, parameter, context)


def test_a_command_that_typer_parses_loads_no_pydantic(tmp_path: Path) -> None:
    probe = "import sys; from flowctl.cli.main import main; code = main(); print('pydantic' in sys.modules, code)"
    command = [sys.executable, "-c", probe, "-q", "runs", "--limit", "5", "--json", "--color", "never", "-C", "."]
    done = subprocess.run(command, cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "False 0", done.stderr
