"""The documentation says what the code says: tables are current, no key and no dependency is left out."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from docs.generate import filled, pages
from engine.states import TaskState
from flowctl.setting_keys import KEYS
from specs.error_names import NEVER_RETRIED, RETRIED
from specs.inheritance import MEANING
from specs.model import FlowSpec
from specs.model.task import ACTIONS
from tests.docs.pages import DOCS, ROOT

LANGUAGE = (DOCS / "reference" / "language.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.stem)
def test_the_tables_of_a_page_are_those_of_the_code(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert filled(text) == text, "run .venv/bin/python docs/generate.py"


def models(root: type[BaseModel]) -> Iterator[type[BaseModel]]:
    """Every model that a flow is made of."""
    seen: set[type[BaseModel]] = set()
    waiting = [root]
    while waiting:
        model = waiting.pop()
        if model in seen:
            continue
        seen.add(model)
        yield model
        for field in model.model_fields.values():
            waiting += parts(field.annotation)


def parts(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for inner in get_args(annotation) for found in parts(inner)]


def keys() -> list[str]:
    names = {field.alias or name for model in models(FlowSpec) for name, field in model.model_fields.items()}
    return sorted(names | {"include", "defaults", "templates", "extends"} | set(ACTIONS) | set(MEANING))


@pytest.mark.parametrize("key", keys())
def test_every_key_of_the_language_is_in_its_reference(key: str) -> None:
    code = re.findall(r"`([^`\n]+)`", LANGUAGE)
    assert any(re.search(rf"(?<![a-z_]){key}(?![a-z_])", text) for text in code), key


@pytest.mark.parametrize("name", [*RETRIED, *NEVER_RETRIED])
def test_every_name_of_an_error_is_in_the_reference(name: str) -> None:
    assert f"`{name}`" in LANGUAGE


def test_every_state_of_a_task_is_explained() -> None:
    page = (DOCS / "reference" / "states.md").read_text(encoding="utf-8")
    explained = re.findall(r"`([a-z]+)`", "\n".join(re.findall(r"^\| (`.+?) \|", page, re.MULTILINE)))
    assert sorted(explained) == sorted(TaskState)


def test_every_setting_is_explained() -> None:
    page = (DOCS / "reference" / "settings.md").read_text(encoding="utf-8")
    explained = [name for line in re.findall(r"^- (.+?):", page, re.MULTILINE) for name in re.findall("`(.+?)`", line)]
    assert explained == list(KEYS)


def test_the_first_decision_gives_a_reason_for_each_dependency() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = [re.split(r"[<>=!~ \[]", line)[0] for line in project["dependencies"]]
    page = (DOCS / "decisions" / "0001-libraries.md").read_text(encoding="utf-8")
    reasons = page[: page.index("<!-- begin dependencies")]
    assert re.findall(r"^\| `([a-z0-9.-]+)` \|", reasons, re.MULTILINE) == declared


def test_decisions_are_numbered_without_a_gap() -> None:
    numbers = [int(page.name[:4]) for page in sorted((DOCS / "decisions").glob("*.md"))]
    assert numbers == list(range(1, len(numbers) + 1))
