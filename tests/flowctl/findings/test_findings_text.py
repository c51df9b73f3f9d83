"""Findings as people see them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowctl.findings.excerpt import excerpt
from flowctl.findings.text import Look, concise, full, summary
from flowctl.terminal.width import display_width
from specs.diagnostics import Diagnostic, Label, Place, Severity, Source


def place(text: str, part: str, *, name: str = "flow.yaml") -> Place:
    """The place of `part`, which stands in `text` once."""
    start = text.index(part)
    return Place(Source(name, text), start, start + len(part))


def finding(text: str, part: str, **others: object) -> Diagnostic:
    return Diagnostic("FLOW201", place(text, part), "`load` waits for `fecth`", **others)  # type: ignore[arg-type]


FLOW = "version: 1\ntasks:\n  load:\n    after: [fecth]\n"


def test_a_finding_has_a_headline_the_line_with_a_mark_and_the_way_out() -> None:
    assert full(finding(FLOW, "fecth", help="did you mean `fetch`?"), Look()) == (
        "error[FLOW201]: `load` waits for `fecth`\n"
        " --> flow.yaml:4:13\n"
        "  |\n"
        "4 |     after: [fecth]\n"
        "  |             ^^^^^\n"
        "  = help: did you mean `fetch`?"
    )


def test_the_gutter_is_as_wide_as_the_line_number() -> None:
    text = "#\n" * 89 + '    with: {id: "${{ x }}"}\n'
    shown = full(Diagnostic("FLOW331", place(text, "x"), "message", severity=Severity.WARNING), Look())
    assert shown == (
        "warning[FLOW331]: message\n"
        "  --> flow.yaml:90:21\n"
        "   |\n"
        '90 |     with: {id: "${{ x }}"}\n'
        "   |                     ^"
    )


def test_a_second_place_has_its_own_mark_and_text() -> None:
    text = "build: 1\nother: 2\nbuild: 3\n"
    second = Place(Source("flow.yaml", text), text.rindex("build"), text.rindex("build") + 5)
    found = Diagnostic("FLOW103", second, "key `build` occurs twice", labels=(Label(place(text, "build: 1"), "first"),))
    assert full(found, Look()).splitlines()[1:] == [
        " --> flow.yaml:3:1",
        "  |",
        "3 | build: 3",
        "  | ^^^^^",
        "  |",
        "1 | build: 1",
        "  | -------- first",
    ]


def test_a_second_place_in_another_file_says_which() -> None:
    label = Label(place("pools: {}", "pools", name="lib.yaml"), "declared here")
    assert " ::: lib.yaml:1:1" in full(finding(FLOW, "fecth", labels=(label,)), Look()).splitlines()


def test_a_concise_finding_is_one_line_an_editor_can_follow() -> None:
    assert concise(finding(FLOW, "fecth", help="x"), Look()) == (
        "flow.yaml:4:13: error[FLOW201]: `load` waits for `fecth`"
    )


def test_a_mark_stands_under_wide_characters() -> None:
    text = "名前: 世界 x\n"
    shown = excerpt(place(text, "世界"), columns=80)
    assert (shown.indent, shown.length) == (6, 4)


def test_a_tab_before_the_place_is_counted_as_shown() -> None:
    shown = excerpt(place("a:\tb\n", "b"), columns=80)
    assert shown.text[shown.indent : shown.indent + shown.length] == "b"


def test_control_characters_of_a_file_are_made_visible() -> None:
    shown = full(Diagnostic("FLOW109", place("a: \x1b[2Jb\n", "\x1b"), "a \x1b character"), Look())
    assert "\x1b" not in shown
    assert "\\x1b[2Jb" in shown


def test_a_place_over_many_lines_is_marked_on_its_first() -> None:
    shown = excerpt(place("a:\n  b: 1\n  c: 2\n", "b: 1\n  c: 2"), columns=80)
    assert (shown.text, shown.indent, shown.length) == ("  b: 1", 2, 4)


def test_an_empty_file_has_no_excerpt() -> None:
    found = Diagnostic("FLOW102", Place(Source("flow.yaml", ""), 0, 0), "the file is empty")
    assert full(found, Look()) == "error[FLOW102]: the file is empty\n --> flow.yaml:1:1"


def test_the_end_of_a_file_can_be_pointed_at() -> None:
    text = "a: [1,"
    shown = full(Diagnostic("FLOW101", Place(Source("f.yaml", text), len(text), len(text)), "YAML: x"), Look())
    assert shown.endswith("1 | a: [1,\n  |       ^")


def test_a_very_long_line_is_cut_around_the_place() -> None:
    text = "a: " + "x" * 10_000 + "HERE" + "y" * 10_000
    shown = excerpt(place(text, "HERE"), columns=60)
    assert display_width(shown.text) <= 62
    assert shown.text[shown.indent : shown.indent + shown.length] == "HERE"
    assert shown.text.startswith("…")
    assert shown.text.endswith("…")


def test_without_unicode_nothing_but_ascii_is_added() -> None:
    text = "x" * 500 + "HERE"
    found = Diagnostic("FLOW210", place(text, "HERE"), "cycle: a → b → a")
    shown = full(found, Look(unicode=False, columns=60))
    assert shown.isascii()
    assert "cycle: a -> b -> a" in shown


def test_colours_are_added_and_change_nothing_else() -> None:
    import re

    found = finding(FLOW, "fecth", help="did you mean `fetch`?")
    coloured = full(found, Look(colour=True))
    assert "\x1b[1;31merror[FLOW201]" in coloured
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == full(found, Look())


def test_a_message_cannot_break_the_form_of_a_concise_line() -> None:
    found = Diagnostic("FLOW110", place(FLOW, "load"), "unknown key `a\nb`")
    assert "\n" not in concise(found, Look())


def test_the_summary_counts_each_severity() -> None:
    found = [
        finding(FLOW, "fecth", severity=severity) for severity in (Severity.ERROR, Severity.ERROR, Severity.WARNING)
    ]
    assert summary(found, files=3) == "2 errors, 1 warning in 3 files"
    assert summary([], files=1) == "no findings in 1 file"


@given(
    text=st.text(st.characters(exclude_characters="\n\r", exclude_categories=["Cs"]), min_size=1, max_size=300),
    data=st.data(),
    columns=st.integers(0, 200),
)
def test_the_mark_never_leaves_the_line_shown(text: str, data: st.DataObject, columns: int) -> None:
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    shown = excerpt(Place(Source("f", text), start, end), columns=columns)
    assert shown.length >= 1
    assert shown.indent <= display_width(shown.text) + 8 * (len(text) - len(text.rstrip()) + 1)
    assert "\n" not in shown.text
