"""The JSON Schema: well formed, described, and of one mind with the model wherever the form of a file decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from specs.check import check_text
from specs.descriptions import DESCRIPTIONS, LIBRARY_DESCRIPTIONS
from specs.diagnostics import Severity
from specs.fields import keys_at
from specs.model import FlowSpec
from specs.model.parts import Part
from specs.schema import language_schema
from specs.source import read_document
from tests.specs.projects import FolderFiles

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
FILES = sorted(
    list(GOLDEN.glob("*.yaml")) + [path for path in (ROOT / "examples").rglob("*.yaml") if path.name != "flowctl.yaml"]
)
VALIDATOR = Draft202012Validator(language_schema())

OF_FORM = frozenset(
    {
        "FLOW129",
        "FLOW220",
        "FLOW110",
        "FLOW111",
        "FLOW112",
        "FLOW113",
        "FLOW117",
        "FLOW118",
        "FLOW119",
        "FLOW124",
        "FLOW121",
    }
)
"""Codes of the model itself. Others of group 1 say what holds among keys, which a schema leaves to the check."""


def plain(value: Any) -> Any:
    """The value as JSON has it: keys are texts, numbers as written are numbers."""
    if isinstance(value, dict):
        return {str(key).lower() if isinstance(key, bool) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def is_accepted(path: Path) -> bool | None:
    reading = read_document(path.read_bytes(), path.name)
    if reading.document is None:
        return None
    return bool(VALIDATOR.is_valid(plain(reading.document.data)))


def is_flow(path: Path) -> bool:
    return "tasks" in (read_document(path.read_bytes(), path.name).document or _Nothing()).data


class _Nothing:
    data: dict[str, Any] = {}  # noqa: RUF012 - never written to


def errors_of_form(path: Path) -> set[str]:
    """The codes of errors of the model in the file itself."""
    found = check_text(path.read_bytes(), path.name, FolderFiles(path.parent)).diagnostics
    own = [one for one in found if one.place.source.name == path.name and one.severity is Severity.ERROR]
    return {one.code for one in own if one.code in OF_FORM}


def test_the_schema_is_one() -> None:
    Draft202012Validator.check_schema(language_schema())
    assert language_schema() == language_schema()


BEYOND_FORM = {
    "FLOW119-numbers": "numbers that JSON does not have",
    "FLOW119-range": "two keys that contradict each other",
}


@pytest.mark.parametrize(
    "path", [path for path in FILES if is_flow(path) and path.stem not in BEYOND_FORM], ids=lambda path: path.stem
)
def test_the_schema_and_the_model_accept_the_same_files(path: Path) -> None:
    assert is_accepted(path) == (not errors_of_form(path)), errors_of_form(path) or [
        error.message[:100]
        for error in VALIDATOR.iter_errors(plain(read_document(path.read_bytes(), "x").document.data))  # type: ignore[union-attr]
    ]


def test_every_key_of_the_language_is_described() -> None:
    models = [Part]
    for model in models:
        models += model.__subclasses__()
    language = [model for model in models[1:] if model.__module__.startswith("specs.")]
    assert len(language) > 20
    for model in language:
        assert set(DESCRIPTIONS[model]) == {field.alias or name for name, field in model.model_fields.items()}
    assert set(language_schema()["properties"]) == {*DESCRIPTIONS[FlowSpec], *LIBRARY_DESCRIPTIONS}


def test_every_key_of_a_task_is_offered_with_its_line() -> None:
    task = language_schema()["$defs"]["TaskSpec"]["properties"]
    assert list(task) == list(keys_at(("tasks", "any")))
    assert all(value["description"] for value in task.values())


def test_words_are_enumerated() -> None:
    schema = language_schema()
    assert "critical" in str(schema["properties"]["priority"])
    assert schema["additionalProperties"] is False
    assert VALIDATOR.is_valid({"version": 1, "x-mine": [1], "tasks": {"a": {"run": "make"}}})
    assert not VALIDATOR.is_valid({"version": 1, "mine": [1], "tasks": {"a": {"run": "make"}}})
    assert not VALIDATOR.is_valid({"version": 1, "tasks": {"a": {"run": "make", "priority": "urgent"}}})
