"""Names in flows: every one is found, and a task can be renamed without changing what the flow is."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from engine.connectors.catalogue import InstalledCatalogue
from flowctl.files import ProjectFiles
from flowctl.lsp.hover import hover
from flowctl.lsp.occurrences import CannotRename, Symbol, at, occurrences, of_symbol, rename
from flowctl.overlay import OverlaidFiles
from specs.check import Checked, check_file
from specs.fixing import apply_edits

ROOT = Path(__file__).parents[3]
GOLDEN = ROOT / "tests" / "specs" / "golden"
EXAMPLES = [path for path in sorted((ROOT / "examples").rglob("*.yaml")) if not path.name.endswith(".test.yaml")]
FLOWS = [path for path in [*EXAMPLES, *sorted(GOLDEN.glob("[!_]*.yaml"))] if path.name != "flowctl.yaml"]


def checked(path: Path, changed: Mapping[Path, str] | None = None) -> Checked:
    files = OverlaidFiles(ProjectFiles((path,)), changed or {})
    return check_file(path.as_posix(), files, catalogue=InstalledCatalogue({}))


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_the_places_of_any_flow_hold_the_names(path: Path) -> None:
    context = checked(path).context
    if context is None:
        return
    found = occurrences(context)
    for one in found:
        written = one.place.source.text[one.place.start : one.place.end]
        assert one.symbol.name in written or written.startswith("*"), one
        if one.place.source.name == context.name:
            assert at(found, one.place.start, context.name) is not None
            hover(one.place.source.text, one.place.start, context, found)
    for symbol in {one.symbol for one in found if one.is_definition}:
        assert sum(one.is_definition for one in of_symbol(found, symbol)) == 1


@pytest.mark.parametrize("path", FLOWS, ids=lambda path: path.stem)
def test_renaming_a_task_changes_no_finding_but_its_name(path: Path) -> None:
    before = checked(path)
    if before.context is None:
        return
    new = "renamed_by_the_test"
    for name in list(before.context.flow.tasks)[:4]:
        try:
            edits = rename(before.context, Symbol("task", name), new)
        except CannotRename:
            assert "*" in before.source.text
            continue
        after = checked(path, {path: apply_edits(before.source.text, edits)})
        assert after.context is not None
        assert [*after.context.flow.tasks] == [new if one == name else one for one in before.context.flow.tasks]
        assert [one.code for one in after.diagnostics] == [one.code for one in before.diagnostics], name


def test_only_a_free_id_is_a_new_name() -> None:
    context = checked(ROOT / "examples" / "etl.yaml").context
    assert context is not None
    for new in ("load", "Load", "a-b", "", "a" * 64):
        with pytest.raises(CannotRename):
            rename(context, Symbol("task", "extract"), new)
    with pytest.raises(CannotRename, match="only a task"):
        rename(context, Symbol("param", "day"), "date")
