"""The pages of the reference that are about the commands: `commands.md` and `json.md` say what is so."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.events import EVENT_TYPES, TYPE_NAMES
from engine.outcomes import Failure
from flowctl.cli.group import root_group, shared_parameters
from flowctl.cli.table import COMMANDS
from tests.docs.pages import DOCS
from tests.flowctl.commands import HELLO, MIXED, json_lines, write

Program = Any

EVERYTHING = MIXED.replace("  first: {run: echo one}", "  first: {run: echo one, undo: {run: echo undone}}").replace(
    "tasks:\n",
    "triggers:\n  nightly: {cron: '0 3 * * *'}\ntasks:\n",
    1,
)


def sections(name: str) -> dict[str, str]:
    """The text below each heading of the second level."""
    _, *parts = re.split(r"^## (.+)\n", (DOCS / "reference" / name).read_text(), flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def fields(section: str) -> dict[str, str]:
    """The first column of the first table, to what the second says; of `event` not the table of types."""
    table = section.split("\n\n")[0]
    return dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", table.strip(), flags=re.MULTILINE))


@pytest.fixture
def printed(program: Program, tmp_path: Path) -> dict[str, list[dict[str, Any]]]:
    """Objects that the program has printed, by the section that is about them."""
    write(tmp_path, "hello", HELLO)
    write(tmp_path, "everything", EVERYTHING)
    *events, summary = json_lines(program("run", "everything", "--json").stdout)
    forecast = json.loads(program("plan", "everything", "--json").stdout)
    graph = json.loads(program("graph", "--run", "latest", "--json").stdout)
    tasks = [*summary["tasks"].values(), *summary["hooks"].values(), *summary["undo"].values()]
    items = [item for task in tasks for item in task.get("items", ())]
    exported = tmp_path / "run.jsonl"
    program("export", "latest", "-O", str(exported))
    write(tmp_path, "bad", "version: 1\ntasks:\n  a: {run: 'true', after: [b]}\n")
    return {
        "Summary": [summary],
        "Run": [summary["run"]],
        "Task": tasks,
        "Item": items,
        "List of runs": json_lines(program("runs", "--json").stdout),
        "Event": [{key: value for key, value in event.items() if key in COMMON} for event in events],
        "Log line": json_lines(program("logs", "latest", "--json").stdout),
        "Forecast": [forecast],
        "Forecast parameter": forecast["parameters"],
        "Forecast start": forecast["starts"],
        "Forecast task": forecast["tasks"],
        "Graph": [graph],
        "Graph node": graph["nodes"],
        "Finding": json_lines(program("validate", "--json", "flows/bad.yaml").stdout),
        "Init": json_lines(program("init", "--json").stdout),
        "Replay": json_lines(program("replay", "latest", "--json").stdout),
        "Import": json_lines(program("import", "--json", str(exported)).stdout),
        "Collection": json_lines(program("gc", "--older-than", "30d", "--json").stdout),
        **{
            name: json_lines(program("db", *words, "--json").stdout)
            for name, words in {
                "Store check": ["check"],
                "Store version": ["version"],
                "Migration": ["migrate"],
                "Backup": ["backup"],
                "Vacuum": ["vacuum"],
                "Drop": ["drop", "--yes"],
            }.items()
        },
        "Problem": json_lines(program("show", "0000", "--json").stderr),
    }


COMMON = {"schema_version", "type", "run", "seq", "at", "task", "item"}


def test_every_field_is_documented_and_every_documented_field_is_printed(
    printed: dict[str, list[dict[str, Any]]],
) -> None:
    pages = sections("json.md")
    assert set(pages) == {*printed, "Failure"}
    for name, objects in printed.items():
        documented = fields(pages[name])
        assert objects, name
        seen = {key for one in objects for key in one}
        assert seen == set(documented), name
        always = {field for field, meaning in documented.items() if not meaning.startswith("optional")}
        for one in objects:
            assert always <= set(one), name


def test_failures_and_events_are_documented_as_they_are_stored() -> None:
    pages = sections("json.md")
    assert list(fields(pages["Failure"])) == list(Failure.__struct_fields__)
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*?)\s*\|$", pages["Event"].strip().split("\n\n")[-1], flags=re.MULTILINE))
    assert set(rows) == set(TYPE_NAMES.values())
    for kind in EVENT_TYPES:
        own = [name for name in kind.__struct_fields__ if name not in ("at", "task", "item")]
        assert re.findall(r"`(\w+)`", rows[TYPE_NAMES[kind]]) == own


def options(parameters: list[Any]) -> Iterator[str]:
    for parameter in parameters:
        if parameter.param_type_name == "option":
            yield from parameter.opts


def test_every_command_and_option_is_documented_and_no_other() -> None:
    pages = sections("commands.md")
    assert list(pages) == ["Options of every command", *(command.name for command in COMMANDS)]
    group, shared = root_group(), list(options(shared_parameters()))
    listed = {
        name: set(re.findall(r"(?<=[`\s])(--?[a-zA-Z][a-z-]*)", _first_cells(text))) for name, text in pages.items()
    }
    assert listed.pop("Options of every command") == {*shared, "-h", "--help"}
    for name, found in listed.items():
        own = set(options(group.get_command(None, name).params)) - set(shared)
        assert found == own, name


def _first_cells(text: str) -> str:
    return "\n".join(line.split("|")[1] for line in text.splitlines() if line.startswith("|"))
