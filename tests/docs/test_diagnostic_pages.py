"""A page for each code, made of what `flowctl explain` prints."""

from __future__ import annotations

import importlib.util
from types import ModuleType

from specs.codes import CODES
from tests.docs.pages import DOCS, ROOT


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("docs_diagnostics", ROOT / "docs" / "diagnostics.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_there_is_a_current_page_for_each_code() -> None:
    on_disk = {
        path.name: path.read_text(encoding="utf-8") for path in (DOCS / "reference" / "diagnostics").glob("*.md")
    }
    assert set(on_disk) == {f"{code}.md" for code in CODES}
    assert on_disk == script().pages(), "run .venv/bin/python docs/diagnostics.py"


def test_a_page_expects_at_most_one_error() -> None:
    for path in (DOCS / "reference" / "diagnostics").glob("*.md"):
        assert path.read_text(encoding="utf-8").count(" expect=") <= 1, path.name
