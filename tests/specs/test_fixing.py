"""Fixing a flow: everything that can be fixed is, nothing gets worse, and once is enough."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import pytest

from specs.check import Checked, check_text
from specs.codes import CODES
from specs.diagnostics import Edit, Place, Source, has_errors
from specs.fixing import Check, Fixing, apply_edits, fix_flow, new_error
from specs.source import read_document
from tests.specs.projects import MemoryFiles

GOLDEN = Path(__file__).parent / "golden"
EXAMPLES = Path(__file__).parents[2] / "examples"
CASES = sorted([*GOLDEN.glob("[!_]*.yaml"), *EXAMPLES.glob("[!f]*.yaml"), *EXAMPLES.glob("flows/*.yaml")])


def checking(name: str, data: bytes, folder: Path) -> Check:
    """A check of a file of a folder, all codes asked for that a golden file of that name is about."""
    opt_in = frozenset(code for code, info in CODES.items() if info.opt_in and name.startswith(code))

    def check(texts: Mapping[str, str]) -> Checked:
        changed = texts[name].encode() if name in texts else data
        files = MemoryFiles({**folder_texts(folder), **texts})
        return check_text(changed, name, files, opt_in=opt_in)

    return check


@cache
def folder_texts(folder: Path) -> dict[str, str]:
    names = [path for path in folder.rglob("*.yaml") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes().decode(errors="replace") for path in names}


def fixed(text: str, **others: str) -> Fixing:
    files = {f"{name}.yaml": content for name, content in others.items()}

    def check(texts: Mapping[str, str]) -> Checked:
        return check_text(texts.get("a.yaml", text).encode(), "a.yaml", MemoryFiles({**files, **texts}))

    return fix_flow(check)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.stem)
def test_a_fixed_file_reads_has_nothing_left_to_fix_and_stays_as_it_is(case: Path) -> None:
    data = case.read_bytes()
    name = case.relative_to(GOLDEN if GOLDEN in case.parents else EXAMPLES).as_posix()
    check = checking(name, data, GOLDEN if GOLDEN in case.parents else EXAMPLES)
    first = fix_flow(check)
    assert first.is_finished
    assert new_error(check({}), first.checked) is None
    if first.texts:
        assert read_document(first.texts.get(name, data.decode()).encode(), name).document is not None
    left = [one for one in first.checked.diagnostics if one.fix is not None]
    dropped = {(one.finding.code, one.finding.message) for one in first.dropped}
    assert {(one.code, one.message) for one in left} <= dropped
    again = fix_flow(lambda texts: check({**first.texts, **texts}))
    assert again.texts == {}


def test_a_fix_that_reveals_another_finding_is_followed_by_its_fix() -> None:
    found = fixed("version: 1\ntasks:\n  load:\n    depends_on: [fecth]\n    run: x\n  fetch: {run: x}\n")
    assert found.texts == {"a.yaml": "version: 1\ntasks:\n  load:\n    after: [fetch]\n    run: x\n  fetch: {run: x}\n"}
    assert [one.code for one in found.applied] == ["FLOW129", "FLOW201"]
    assert not found.checked.diagnostics


def test_a_fix_that_would_add_an_error_is_dropped_and_said() -> None:
    text = "version: 1\ntasks:\n  load: {after: [fecth], run: x}\n  fetch: {after: [load], run: x}\n"
    found = fixed(text)
    assert found.texts == {}
    assert [(one.finding.code, one.code) for one in found.dropped] == [("FLOW201", "FLOW210")]


def test_of_fixes_made_together_only_the_bad_one_is_dropped() -> None:
    text = (
        "version: 1\nenv: {DEBUG: yes}\ntasks:\n  load: {after: [fecth], run: x}\n"
        "  fetch: {after: [load], run: x}\n  more: {after: [lod], run: x}\n"
    )
    found = fixed(text)
    assert found.texts == {"a.yaml": text.replace("DEBUG: yes", 'DEBUG: "yes"').replace("[lod]", "[load]")}
    assert [one.finding.code for one in found.dropped] == ["FLOW201"]


def test_a_library_is_fixed_with_the_flow_that_includes_it() -> None:
    library = "version: 1\nenv: {DEBUG: yes}\n"
    found = fixed("version: 1\ninclude: [lib.yaml]\ntasks:\n  a: {run: x}\n", lib=library)
    assert found.texts == {"lib.yaml": 'version: 1\nenv: {DEBUG: "yes"}\n'}
    assert found.before == {"lib.yaml": library}


def test_a_file_with_more_findings_than_are_shown_is_fixed_whole() -> None:
    values = "\n".join(f"  V{number}: yes" for number in range(50))
    found = fixed(f"version: 1\nenv:\n{values}\ntasks:\n  a: {{run: x}}\n")
    assert found.texts["a.yaml"].count('"yes"') == 50
    assert found.is_finished


def test_too_many_rounds_are_said() -> None:
    def check(texts: Mapping[str, str]) -> Checked:
        text = texts.get(
            "a.yaml", "version: 1\ntasks:\n  load:\n    depends_on: [fecth]\n    run: x\n  fetch: {run: x}\n"
        )
        return check_text(text.encode(), "a.yaml", None)

    assert not fix_flow(check, rounds=1).is_finished
    assert fix_flow(check, rounds=2).is_finished


def test_ids_are_renamed_at_all_their_uses_in_a_large_flow() -> None:
    uses = "".join(f"  t{number}: {{after: [a-b, c-d], run: x}}\n" for number in range(2000))
    found = fixed(f"version: 1\ntasks:\n  a-b: {{run: x}}\n  c-d: {{run: x}}\n{uses}")
    assert found.texts["a.yaml"].count("a_b") == found.texts["a.yaml"].count("c_d") == 2001
    assert not found.checked.diagnostics


def test_line_breaks_in_edits_become_those_of_the_text() -> None:
    source = Source("a", "a\r\nb\r\n")
    assert apply_edits(source.text, [Edit(Place(source, 3, 4), "x\ny")]) == "a\r\nx\r\ny\r\n"


def test_a_file_that_cannot_be_read_is_left_alone() -> None:
    found = fixed("version: 1\ntasks: [\n")
    assert (found.texts, found.applied, found.is_finished) == ({}, (), True)
    assert has_errors(found.checked.diagnostics)
