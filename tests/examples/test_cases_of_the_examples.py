"""The test files of the examples hold, for every flow that can be simulated."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowctl.settings import load_settings
from flowctl.testing.loading import Suite, load_suite
from flowctl.testing.running import run_case
from flowctl.workspace import Workspace
from specs.diagnostics import Severity

EXAMPLES = Path(__file__).parents[2] / "examples"
FILES = sorted(EXAMPLES.rglob("*.test.yaml"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_every_case_of_an_example_holds(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(EXAMPLES)
    environ = {"FLOWCTL_HOME": str(tmp_path)}
    workspace = Workspace(load_settings(folder=EXAMPLES, environ=environ, flags={}, config=None), environ)
    suite = load_suite(path.relative_to(EXAMPLES), workspace)
    assert isinstance(suite, Suite), [found for found in suite.findings if found.severity is Severity.ERROR]
    results = [run_case(suite, name, catalogue=workspace.catalogue) for name in suite.spec.cases]
    assert [(result.name, result.problem) for result in results if result.problem] == []
    assert [(result.name, one.message) for result in results for one in result.differences] == []


def test_the_examples_that_can_be_simulated_have_cases() -> None:
    assert {path.name for path in FILES} >= {"delivery.test.yaml", "etl.test.yaml", "media.test.yaml"}
