"""The example flows: valid as they stand, with connectors whose signatures are known and with those known by name only."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import ModuleType

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from engine.connectors.protocol import CallContext
from specs.check import Checked, check_file, check_text
from specs.context import ActionSpec, Catalogue
from specs.source import read_document
from tests.specs.projects import FolderFiles

EXAMPLES = Path(__file__).parents[2] / "examples"
FLOWS = ("etl", "ci", "media", "runbook", "delivery")


def load_stand_ins() -> ModuleType:
    spec = importlib.util.spec_from_file_location("stand_ins", EXAMPLES / "stand_ins.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def project_types() -> dict[str, str]:
    reading = read_document((EXAMPLES / "flowctl.yaml").read_bytes(), "flowctl.yaml")
    assert reading.document is not None
    types: dict[str, str] = reading.document.data["connectors"]
    return types


class StandInSignatures:
    """A catalogue of the stand-ins with the signatures of their classes."""

    def __init__(self) -> None:
        module = load_stand_ins()
        self._actions = {
            name: getattr(module, path.partition(":")[2]).actions for name, path in project_types().items()
        }

    def types(self) -> tuple[str, ...]:
        return tuple(self._actions)

    def actions(self, type_name: str) -> Mapping[str, ActionSpec] | None:
        return self._actions.get(type_name)

    def unconfigured(self) -> tuple[str, ...]:
        return tuple(self._actions)


def check(name: str, catalogue: Catalogue) -> Checked:
    return check_file(f"{name}.yaml", FolderFiles(EXAMPLES), catalogue=catalogue)


def errors(checked: Checked) -> Iterator[str]:
    waiting = [checked]
    while waiting:
        one = waiting.pop()
        yield from (
            f"{one.name}: {found.code} {found.message}" for found in one.diagnostics if found.severity == "error"
        )
        waiting += one.children.values()


@pytest.mark.parametrize("name", FLOWS)
def test_an_example_has_no_errors_with_the_signatures_of_its_connectors(name: str) -> None:
    assert list(errors(check(name, StandInSignatures()))) == []


@pytest.mark.parametrize("name", FLOWS)
def test_an_example_has_no_errors_where_connectors_are_known_by_name(name: str) -> None:
    assert list(errors(check(name, InstalledCatalogue(project_types(), lambda: ())))) == []


def test_the_signatures_are_looked_at() -> None:
    text = (EXAMPLES / "runbook.yaml").read_text(encoding="utf-8").replace("ttl: 30", "ttl: long")
    checked = check_text(text.encode(), "runbook.yaml", FolderFiles(EXAMPLES), catalogue=StandInSignatures())
    assert [found.partition(" ")[2][:8] for found in errors(checked)] == ["FLOW224 "]


def test_a_stand_in_writes_down_what_it_was_asked_to_do(tmp_path: Path) -> None:
    lines: list[str] = []
    connector = load_stand_ins().Slack({})
    asyncio.run(connector.call("post", {"channel": "#a", "text": "b"}, CallContext(run_dir=tmp_path, log=lines.append)))
    written = json.loads((tmp_path / "outbox.jsonl").read_text(encoding="utf-8"))
    assert written == {"use": "slack.post", "with": {"channel": "#a", "text": "b"}}
    assert lines == ["slack.post: written to outbox.jsonl"]
