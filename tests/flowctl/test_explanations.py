"""Every code is explained, its wrong example has the finding and its right one does not; the pages say the same."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.checking import CheckOptions, check_files
from flowctl.explanations import MAIN, Explanation, explanation, explanations
from flowctl.files import discover
from flowctl.scripts import ScriptChecks
from specs.codes import CODES
from specs.diagnostics import Diagnostic, Severity
from specs.policy import AS_WRITTEN
from specs.source import DEFAULT_LIMITS

PATH = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
NOT_SHOWN = {
    "FLOW109": "a page cannot hold the bytes",
    "FLOW130": "version 1 of the language has no deprecated keys",
    "FLOW131": "there is no file to show",
    "FLOW190": "what the engine does not honour changes with the engine",
    "FLOW225": "only a server knows its workers",
    "FLOW901": "a defect cannot be asked for",
}
SHOWN = [one for one in explanations() if one.wrong is not None]


def findings(folder: Path, files: Mapping[str, str], code: str) -> list[Diagnostic]:
    """What is found in a project of these files, the code asked for if it is off by itself."""
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    (folder / "flowctl.yaml").write_text("", encoding="utf-8")
    options = CheckOptions(
        catalogue=InstalledCatalogue({}),
        limits=DEFAULT_LIMITS,
        policy=AS_WRITTEN.changed(enable={code}),
        now=datetime(2026, 1, 1, tzinfo=UTC),
        more_rules=ScriptChecks({"PATH": PATH}).rules,
    )
    return [one for _, found in check_files(discover([folder], folder=folder), options) for one in found]


def check(one: Explanation, flow: str | None, folder: Path) -> list[Diagnostic]:
    assert flow is not None
    return findings(folder, {**one.files, MAIN: flow}, one.info.code)


def test_every_code_is_explained() -> None:
    assert [one.info.code for one in explanations()] == list(CODES)
    assert all(one.text and one.text.rstrip().endswith((".", "`")) for one in explanations())


def test_every_code_has_examples_but_those_that_cannot_be_shown() -> None:
    assert {one.info.code for one in explanations() if one.wrong is None} == set(NOT_SHOWN)
    assert all((one.wrong is None) == (one.right is None) for one in explanations())


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: one.info.code)
def test_the_wrong_example_has_the_finding(one: Explanation, tmp_path: Path) -> None:
    if one.needs is not None and shutil.which(one.needs, path=PATH) is None:
        pytest.skip(f"{one.needs} is not installed")
    found = check(one, one.wrong, tmp_path)
    assert one.info.code in {each.code for each in found}, [f"{each.code}: {each.message}" for each in found]
    others = {each.code for each in found if each.severity is Severity.ERROR} - {one.info.code}
    assert len(others) <= (one.info.severity is not Severity.ERROR), others


@pytest.mark.parametrize("one", SHOWN, ids=lambda one: one.info.code)
def test_the_right_example_does_not_have_it_nor_any_error(one: Explanation, tmp_path: Path) -> None:
    found = check(one, one.right, tmp_path)
    bad = [each for each in found if each.code == one.info.code or each.severity is Severity.ERROR]
    assert [f"{each.code}: {each.message}" for each in bad] == []


def test_there_is_no_explanation_of_what_is_no_code() -> None:
    assert explanation("FLOW999") is None
    assert explanation("") is None
