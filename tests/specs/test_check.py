"""The driver: sub-flows, suppression, limits of output, and what happens when a check itself fails."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import specs.check
import specs.rules
from specs.check import Checked, check_file, check_text, flow_name
from specs.context import FlowContext
from specs.diagnostics import Diagnostic
from specs.rules import FAMILIES, OPT_IN_FAMILIES, all_rules
from tests.specs.projects import MemoryFiles

LEAF = "version: 1\nparams: {n: {type: int, default: 1}}\ntasks:\n  a: {run: make}\n"


def calling(*flows: str) -> str:
    tasks = "".join(f"  t{number}: {{flow: {flow}}}\n" for number, flow in enumerate(flows))
    return f"version: 1\ntasks:\n{tasks}"


def check(files: dict[str, str], path: str = "flow.yaml") -> Checked:
    return check_file(path, MemoryFiles(files))


def codes(checked: Checked) -> list[str]:
    return [found.code for found in checked.diagnostics]


def test_a_sound_flow_has_a_model_and_no_findings() -> None:
    checked = check_text(LEAF.encode(), "leaf.yaml", None)
    assert checked.ok
    assert checked.flow is not None
    assert checked.context is not None
    assert checked.diagnostics == ()
    assert checked.files == {"leaf.yaml": LEAF}


def test_a_file_that_cannot_be_read_is_a_finding() -> None:
    checked = check({}, "nope.yaml")
    assert codes(checked) == ["FLOW131"]
    assert not checked.ok


# --- names --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("flows/nightly_etl.yaml", "nightly_etl"),
        ("a/b-c.yml", "b-c"),
        ("My Flow.yaml", "my-flow"),
        ("<stdin>", "stdin"),
        ("é.yaml", "flow"),
    ],
)
def test_a_flow_is_named_after_its_file(path: str, name: str) -> None:
    assert flow_name(check_text(LEAF.encode(), path, None)) == name


def test_a_name_in_the_file_wins() -> None:
    assert flow_name(check_text(f"name: other\n{LEAF}".encode(), "leaf.yaml", None)) == "other"


# --- sub-flows ----------------------------------------------------------------------------------------------------


def test_sub_flows_are_checked_and_shared() -> None:
    files = {"flow.yaml": calling("one.yaml", "two.yaml"), "one.yaml": calling("leaf.yaml"), "leaf.yaml": LEAF}
    files["two.yaml"] = calling("leaf.yaml")
    checked = check(files)
    assert checked.ok, checked.diagnostics
    assert set(checked.children) == {"one.yaml", "two.yaml"}
    assert checked.children["one.yaml"].children["leaf.yaml"] is checked.children["two.yaml"].children["leaf.yaml"]
    assert checked.files == files


def test_a_file_is_read_once() -> None:
    files = MemoryFiles(
        {"flow.yaml": calling("leaf.yaml", "a/b.yaml"), "a/b.yaml": calling("leaf.yaml"), "leaf.yaml": LEAF}
    )
    files.contents = {**files.contents, "a/leaf.yaml": LEAF}
    check_file("flow.yaml", files)
    assert sorted(files.read_paths) == ["a/b.yaml", "a/leaf.yaml", "flow.yaml", "leaf.yaml"]


@pytest.mark.parametrize("place", ["a/leaf.yaml", "a/leaf.yml", "flows/leaf.yaml", "flows/leaf.yml"])
def test_a_bare_name_is_looked_for_beside_the_file_and_in_the_flows_of_the_project(place: str) -> None:
    checked = check({"a/flow.yaml": calling("leaf"), place: LEAF}, "a/flow.yaml")
    assert checked.ok, checked.diagnostics
    assert checked.children["leaf"].name == place


def test_a_missing_sub_flow_is_told_with_the_nearest_name() -> None:
    checked = check({"flow.yaml": calling("lief.yaml"), "leaf.yaml": LEAF})
    (found,) = checked.diagnostics
    assert found.code == "FLOW250"
    assert "did you mean `leaf.yaml`" in f"{found.message} {found.help}"


def test_errors_of_a_sub_flow_are_one_error_of_the_caller() -> None:
    broken = "version: 1\ntasks:\n  a: {run: make, priority: urgent, join: x, timeout: 3}\n"
    checked = check({"flow.yaml": calling("sub.yaml"), "sub.yaml": broken})
    (found,) = checked.diagnostics
    assert (found.code, found.place.source.name) == ("FLOW250", "flow.yaml")
    assert "flowctl validate sub.yaml" in f"{found.message} {found.help}"
    assert len([one for one in checked.children["sub.yaml"].diagnostics if one.severity == "error"]) == 3


def test_findings_of_a_sub_flow_that_are_no_errors_stay_there() -> None:
    checked = check({"flow.yaml": calling("sub.yaml"), "sub.yaml": f"labels:\n{LEAF}"})
    assert checked.ok
    assert codes(checked) == []
    assert codes(checked.children["sub.yaml"]) == ["FLOW123"]


@pytest.mark.parametrize("start", ["a.yaml", "b.yaml", "c.yaml", "outside.yaml"])
def test_flows_in_a_circle_are_never_ok(start: str) -> None:
    files = {"a.yaml": calling("b.yaml"), "b.yaml": calling("c.yaml"), "c.yaml": calling("a.yaml")}
    files["outside.yaml"] = calling("a.yaml")
    checked = check(files, start)
    assert not checked.ok
    assert codes(checked) == (["FLOW250"] if start == "outside.yaml" else ["FLOW254"])


def test_a_flow_that_calls_itself_under_another_spelling_is_a_circle() -> None:
    assert codes(check_file("./a.yaml", MemoryFiles({"./a.yaml": calling("a.yaml")}))) == ["FLOW254"]


def test_a_long_chain_of_flows_is_no_recursion() -> None:
    files = {f"f{n}.yaml": calling(f"f{n + 1}.yaml") for n in range(1200)}
    checked = check({**files, "f1200.yaml": LEAF}, "f0.yaml")
    assert not checked.ok


# --- suppression and series ---------------------------------------------------------------------------------------


def test_a_comment_on_the_line_or_above_it_answers_a_warning() -> None:
    answered = "labels:  # flow: ignore[FLOW123]\n# flow: ignore[FLOW123]\noutputs:\n"
    text = f"version: 1\n{answered}env:\ntasks:\n  a: {{run: make}}\n"
    (found,) = check_text(text.encode(), "flow.yaml", None).diagnostics
    assert (found.code, found.place.source.position(found.place.start)[0]) == ("FLOW123", 5)


def test_errors_cannot_be_answered() -> None:
    text = "version: 1\ntasks:\n  a: {run: make, timout: 5m}  # flow: ignore[FLOW110]\n"
    assert "FLOW110" in codes(check_text(text.encode(), "flow.yaml", None))


def test_a_long_series_is_cut_and_counted() -> None:
    tasks = "".join(f"  t{n}: {{run: make, timout: 5m}}\n" for n in range(50))
    found = [
        one
        for one in check_text(f"version: 1\ntasks:\n{tasks}".encode(), "f", None).diagnostics
        if one.code == "FLOW110"
    ]
    assert len(found) == 21
    assert found[-1].message == "30 more findings of FLOW110 in this file"


def test_findings_come_in_source_order() -> None:
    text = "version: 1\ntasks:\n  a: {run: make, timout: 5m, priority: urgent}\n  b: {}\ncolour: red\n"
    starts = [one.place.start for one in check_text(text.encode(), "flow.yaml", None).diagnostics]
    assert starts == sorted(starts)


# --- checks -------------------------------------------------------------------------------------------------------


def test_skipped_checks_are_counted_when_the_structure_is_broken() -> None:
    found = check_text(b"version: 1\ntasks: {}\n", "flow.yaml", None).diagnostics
    (skipped,) = [one for one in found if one.code == "FLOW902"]
    assert skipped.message == f"{len(all_rules())} checks skipped because of the errors above"
    assert skipped.severity == "info"


def test_a_check_that_fails_is_told_and_the_rest_still_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(context: FlowContext) -> Iterator[Diagnostic]:
        raise KeyError("oops")

    def sound(context: FlowContext) -> Iterator[Diagnostic]:
        yield context.finding("FLOW606", ("tasks",), "no description")

    monkeypatch.setattr(specs.check, "all_rules", lambda *, opt_in: (broken, sound))
    checked = check_text(LEAF.encode(), "flow.yaml", None, opt_in=frozenset({"FLOW606"}))
    assert codes(checked) == ["FLOW901", "FLOW606"]
    assert checked.diagnostics[0].message == "internal: check `broken` failed with KeyError"


def test_every_family_of_rules_is_run() -> None:
    folder = Path(specs.rules.__file__).parent
    families = {
        path.stem for path in folder.glob("*.py") if "\nRULES: tuple[Rule, ...]" in path.read_text(encoding="utf-8")
    }
    assert families == {*FAMILIES, *OPT_IN_FAMILIES}
    assert set(all_rules()) < set(all_rules(opt_in=True))


def test_rules_of_the_caller_are_run_with_those_of_the_language() -> None:
    def own(context: FlowContext) -> Iterator[Diagnostic]:
        yield context.finding("FLOW702", ("tasks",), "said by a tool")

    found = check_text(LEAF.encode(), "flow.yaml", None, more_rules=(own,)).diagnostics
    assert [one.message for one in found] == ["said by a tool"]


def test_style_is_not_told_unless_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def style(context: FlowContext) -> Iterator[Diagnostic]:
        yield context.finding("FLOW606", ("tasks",), "no description")

    monkeypatch.setattr(specs.check, "all_rules", lambda *, opt_in: (style,))
    assert codes(check_text(LEAF.encode(), "flow.yaml", None)) == []
    assert codes(check_text(LEAF.encode(), "flow.yaml", None, opt_in=frozenset({"FLOW606"}))) == ["FLOW606"]
