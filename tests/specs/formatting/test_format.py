"""The one form of a text: same values, same comments, and formatting again changes nothing."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.formatting import format_flow
from specs.formatting.order import FLOW_KEYS, TASK_KEYS
from specs.model import FlowSpec, TaskSpec
from specs.schema_errors import USED_UP
from specs.source import read_document

ROOT = Path(__file__).parents[3]
GOLDEN = sorted((ROOT / "tests" / "specs" / "golden").glob("*.yaml"))
EXAMPLES = sorted((ROOT / "examples").rglob("*.yaml"))


def formatted(text: str) -> str:
    found = format_flow(text.encode(), "a.yaml")
    assert found.text is not None, found.diagnostics
    again = format_flow(found.text.encode(), "a.yaml")
    assert again.text == found.text
    return found.text


def values(text: str) -> Any:
    document = read_document(text.encode(), "a.yaml").document
    assert document is not None
    return document.data


def task(text: str) -> str:
    """The body of the one task of a flow, formatted."""
    body = "".join(f"    {line}\n" if line else "\n" for line in text.splitlines())
    result = formatted(f"version: 1\ntasks:\n  a:\n{body}")
    return "".join(line[4:] + "\n" for line in result.splitlines()[3:])


# --- what exists ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", [*GOLDEN, *EXAMPLES], ids=lambda case: case.stem)
def test_a_file_of_ours_keeps_its_values_and_comments_and_has_one_form(case: Path) -> None:
    found = format_flow(case.read_bytes(), case.name)
    if found.text is None:
        assert any(one.severity == "error" for one in found.diagnostics)
        return
    before, after = values(found.old), values(found.text)
    assert {k: v for k, v in before.items() if k != "tasks"} == {k: v for k, v in after.items() if k != "tasks"}
    assert renamed(before.get("tasks")) == renamed(after.get("tasks"))
    if case in EXAMPLES:  # no `#` of theirs stands in a text
        assert sorted(re.findall(r"(?:^|\s)(#.*)", found.old, re.M)) == sorted(
            re.findall(r"(?:^|\s)(#.*)", found.text, re.M)
        )
    assert formatted(found.text) == found.text


def renamed(tasks: Any) -> Any:
    if not isinstance(tasks, dict):
        return tasks
    names = {"after_complete": "after"}
    return {
        name: {names.get(key, key): value for key, value in one.items()} if isinstance(one, dict) else one
        for name, one in tasks.items()
    }


def test_every_key_of_the_language_has_its_place_in_the_order() -> None:
    assert {*FLOW_KEYS} == {*FlowSpec.model_fields, *USED_UP, "x-"}
    fields = {field.alias or name for name, field in TaskSpec.model_fields.items()}
    assert {*TASK_KEYS} == fields
    assert len(TASK_KEYS) == len(set(TASK_KEYS))
    assert len(FLOW_KEYS) == len(set(FLOW_KEYS))


# --- the form ---------------------------------------------------------------------------------------------------------


def test_keys_come_in_the_order_of_the_language_with_their_comments() -> None:
    text = (
        "# about the file\n\n"
        "tasks:\n  # the first\n  a:\n    run: x  # what it does\n    # waits\n    after_complete: [b]\n  b: {run: z}\n"
        "# of this version\nversion: 1\nx-mine: 1\nname: f\n# the end\n"
    )
    assert formatted(text) == (
        "# about the file\n\n"
        "# of this version\nversion: 1\nname: f\nx-mine: 1\n"
        "tasks:\n  # the first\n  a:\n    # waits\n    after: [b]\n    run: x  # what it does\n\n  b: {run: z}\n# the end\n"
    )


def test_the_long_name_stays_beside_the_short_one() -> None:
    assert "after_complete: [c]" in task("after: [b]\nafter_complete: [c]\nrun: x\n")


def test_an_alias_never_comes_before_its_anchor() -> None:
    text = "version: 1\ntasks:\n  a:\n    run: x\n    env: &e {A: b}\n    with: *e\n  b:\n    undo: {run: &s x}\n    run: *s\n"
    assert formatted(text).index("&s") < formatted(text).index("*s")
    top = "version: 1\ntasks:\n  a: {run: x, timeout: &t 5s}\ntimeout: *t\n"
    assert formatted(top) == top


@pytest.mark.parametrize(
    ("written", "form"),
    [
        ("'x'", "x"),
        ('"x y"', "x y"),
        ("'yes'", '"yes"'),
        ("yes", '"yes"'),
        ("12:30", '"12:30"'),
        ("2026-01-02", '"2026-01-02"'),
        ('"3"', '"3"'),
        ("1.10", "1.10"),
        ("0755", "0755"),
        ("'true'", '"true"'),
        ("${{ params.a }}", '"${{ params.a }}"'),
        ("'${{ params.a }}'", '"${{ params.a }}"'),
        ("'${{ \"a\" }}'", "'${{ \"a\" }}'"),
        ('${{ x | default("it\'s") }}', "'${{ x | default(\"it''s\") }}'"),
        ('"a\\tb"', '"a\\tb"'),
        ("'a: b'", '"a: b"'),
        ("'#a'", '"#a"'),
        ("'- a'", '"- a"'),
        ("''", '""'),
        ("~", "~"),
        ("'*a'", '"*a"'),
        ("'{a}'", '"{a}"'),
        ("'%a'", '"%a"'),
        ("'a\u00a0b'", '"a\\u00a0b"'),
    ],
)
def test_quotes_stand_only_where_they_are_needed(written: str, form: str) -> None:
    if form.startswith('"a\\u00a0'):
        form = '"a\u00a0b"'
    assert task(f"set:\n  v: {written}\n") == f"set:\n  v: {form}\n"


def test_inside_brackets_text_with_their_signs_keeps_its_quotes() -> None:
    assert task('exec: ["a,b", "c:d", "e", \'[f\']\n') == 'exec: ["a,b", "c:d", e, "[f"]\n'


def test_what_stands_in_brackets_and_is_too_long_goes_over_several_lines() -> None:
    long = "x" * 60
    assert task(f"with: {{a: {long}, b: {long}}}\nuse: y.z\n") == f"use: y.z\nwith:\n  a: {long}\n  b: {long}\n"
    assert task(f"exec: [{long}, {{a: [{long}]}}]\n") == f"exec:\n  - {long}\n  - {{a: [{long}]}}\n"


def test_brackets_of_exactly_one_line_stay() -> None:
    text = f"    exec: [{'x' * 87}]"
    assert len(text) == 99
    assert task(text.strip() + "\n") == text.strip() + "\n"
    assert "- x" in task(f"exec: [{'x' * 89}]\n")


def test_a_silence_keeps_its_line_whole() -> None:
    line = f"exec: [{'x' * 60}, {'y' * 60}]  # flow: ignore[FLOW230]\n"
    assert task(line) == line


def test_indentation_is_two_columns_and_lists_are_indented() -> None:
    assert task("branch:\n-    if:   true\n     then:\n     - b\n-   else: [c]\n") == (
        "branch:\n  - if: true\n    then:\n      - b\n  - else: [c]\n"
    )


def test_literal_blocks_are_only_moved() -> None:
    assert task("run: |\n        one\n          two\n\n        three\nenv: {A: b}\n") == (
        "env: {A: b}\nrun: |\n  one\n    two\n\n  three\n"
    )
    assert task("run: |4-\n      x\n    y\n") == "run: |2-\n    x\n  y\n"


def test_lines_kept_at_the_end_of_a_block_stay_as_many() -> None:
    text = "version: 1\ntasks:\n  a:\n    run: |+\n      x\n\n\n  b:\n    run: >+\n      y\n\n"
    assert values(formatted(text)) == values(text)


def test_comments_stay_where_they_are() -> None:
    text = (
        "# top\nversion: 1  # one\n\n# params below\nparams:  # all\n  # first\n  a: {type: int}  # a\n  # last\n"
        "tasks:\n  t:\n    exec:  # argv\n      # program\n      - x  # x\n      # its end\n\n"
        "  # another\n  u:\n    run: |  # script\n      # not a comment\n  # of no task\n# the end\n"
    )
    assert formatted(text) == text


def test_comments_inside_brackets_open_them() -> None:
    assert task("exec: [a, # one\n  # two\n  b\n  # three\n  ]\n") == "exec:\n  - a  # one\n  # two\n  - b\n  # three\n"


def test_an_empty_line_stands_between_tasks_and_elsewhere_at_most_one() -> None:
    text = "version: 1\n\n\n\nname: f\ntasks:\n\n  a: {run: x}\n  # b\n  b: {run: x}\n\n\n  c: {run: x}\n\n\n"
    assert formatted(text) == (
        "version: 1\n\nname: f\ntasks:\n  a: {run: x}\n\n  # b\n  b: {run: x}\n\n  c: {run: x}\n"
    )


def test_line_breaks_and_a_byte_order_mark_are_kept() -> None:
    found = format_flow(b"\xef\xbb\xbfversion:   1\r\ntasks:\r\n  a:\r\n    run: |\r\n      x\r\n", "a.yaml")
    assert found.text == "version: 1\r\ntasks:\r\n  a:\r\n    run: |\r\n      x\r\n"


def test_text_over_several_lines_stays_as_it_is_broken() -> None:
    assert task('description: one\n     two\n\n     three # c\nfail: "a\\\n   b\n   c"\n') == (
        'description: one\n  two\n\n  three  # c\nfail: "a\\\n  b\n  c"\n'
    )


def test_a_document_mark_goes_and_its_comment_stays() -> None:
    assert formatted("--- # c\nversion: 1\ntasks: {a: {run: x}}\n...\n") == ("# c\nversion: 1\ntasks:\n  a: {run: x}\n")


def test_json_is_laid_out_as_a_flow() -> None:
    text = json.dumps({"version": 1, "tasks": {"a": {"run": "x", "env": {"A": "1"}}}})
    assert formatted(text) == 'version: 1\ntasks:\n  a: {env: {A: "1"}, run: x}\n'


@pytest.mark.parametrize("text", ["a: [\n", "a: 1\na: 2\n", "- a\n", "a: !x b\n", "", "a: *b\n", "\x00"])
def test_what_cannot_be_read_is_refused_with_the_findings(text: str) -> None:
    found = format_flow(text.encode(), "a.yaml")
    assert found.text is None
    assert not found.is_changed
    assert found.diagnostics


# --- any document -----------------------------------------------------------------------------------------------------

WORDS = st.sampled_from(
    ["a", "b c", "yes", "12:30", "1_0", "x: y", "#h", "- i", "it's", 'say "q"', "a\\b", "${{ x }}", "", " lead", "é", "{", "]",
     "a,b", "*s", "&s", "!t", "%p", "@q", "`r", "0x1", "~", "null", "a #b", "<<", "=", "?", "k:", "...", "---", "> x", "|"]
)  # fmt: skip
TEXTS = st.one_of(WORDS, st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z")), max_size=6))
LINES = st.lists(st.sampled_from(["x", "  deep", "", "# no", "\ttab", "y: z"]), min_size=1, max_size=4).map("\n".join)
PLAIN = st.sampled_from(["1", "1.10", "true", "null", "~", "0o7", "word", "two words", "-1", "2026-01-02", "on", ""])
KEYS = st.one_of(st.sampled_from([*TASK_KEYS, *FLOW_KEYS, "k1", "k2"]), WORDS)
COMMENTS = st.sampled_from(["", "", "", "  # c1", " # c: 2", " # [x", " # 'q"])
GAPS = st.sampled_from(["", "", "", "\n", "\n\n", "{pad}# own\n", "# flush\n", "{pad}   # deep\n\n"])


@st.composite
def scalar(draw: st.DrawFn, pad: str, *, flow: bool) -> str:
    kind = draw(st.integers(0, 2 if flow else 5))
    if kind == 0:
        return draw(PLAIN) or ("null" if flow else "")
    text = draw(TEXTS)
    if kind == 1:
        return json.dumps(text, ensure_ascii=draw(st.booleans()))
    if kind == 2:
        return "'" + text.replace("'", "''") + "'"
    if kind == 5:
        return f'"one\n{pad}  two\n\n{pad}    three"'
    lines = draw(LINES).split("\n")
    head = draw(st.sampled_from("|>")) + "2" + draw(st.sampled_from(["", "-", "+"]))
    body = "".join(f"\n{pad}  {line}" if line else "\n" for line in lines)
    return head + draw(st.sampled_from(["", "  # head"])) + body


@st.composite
def flow_value(draw: st.DrawFn, pad: str, depth: int) -> str:
    if depth == 0 or draw(st.booleans()):
        return draw(scalar(pad, flow=True))
    gap = draw(st.sampled_from(["", "", " ", f"\n{pad}  ", f" # in\n{pad}    ", f"\n{pad}  # own\n{pad}  "]))
    items = draw(st.lists(flow_value(pad, depth - 1), max_size=4))
    if draw(st.booleans()):
        return f"[{gap}" + f",{gap} ".join(items) + f"{gap}]"
    keys = draw(st.lists(TEXTS, min_size=len(items), max_size=len(items), unique=True))
    pairs = [f"{json.dumps(key)}: {item}" for key, item in zip(keys, items, strict=True)]
    return f"{{{gap}" + f",{gap} ".join(pairs) + f"{gap}}}"


@st.composite
def block(draw: st.DrawFn, indent: int, depth: int, *, as_map: bool) -> str:
    pad = " " * indent
    count = draw(st.integers(1, 4))
    keys = draw(st.lists(KEYS, min_size=count, max_size=count, unique=True))
    pieces = []
    for key in keys:
        head = f"{pad}{json.dumps(key)}:" if as_map else f"{pad}-"
        gap = draw(GAPS).replace("{pad}", pad)
        kind = draw(st.integers(0, 3 if depth else 1))
        if kind == 0:
            value = draw(scalar(pad, flow=False))
            body = f"{head} {value}" + ("" if value[:1] in ("|", ">") else draw(COMMENTS))
        elif kind == 1:
            body = f"{head} {draw(flow_value(pad, 2))}{draw(COMMENTS)}"
        else:
            inner = draw(block(indent + draw(st.sampled_from([2, 3, 4])), depth - 1, as_map=kind == 2))
            body = f"{head}{draw(COMMENTS)}\n{inner}"
        pieces.append(gap + body)
    return "\n".join(pieces)


@settings(max_examples=150, deadline=None)
@given(text=block(0, 3, as_map=True), end=st.sampled_from(["", "\n", "\n\n", "\n# end", "\n# end\n\n"]))
def test_any_document_keeps_values_and_comments_and_has_one_form(text: str, end: str) -> None:
    text += end
    found = format_flow(text.encode(), "a.yaml")  # raises if values or comments differ
    if found.text is None:
        return
    assert found.text.endswith("\n")
    assert format_flow(found.text.encode(), "a.yaml").text == found.text
    assert comments_in(found.text) == comments_in(text)


def comments_in(text: str) -> int:
    """How often a comment of the strategies above stands in a text: their words occur nowhere else."""
    return len(re.findall(r"# (?:c1|c: 2|\[x|'q|own|deep|in|head|end)|# flush", text))


@settings(max_examples=60, deadline=None)
@given(text=st.text(alphabet="ab:-[]{}#&*|>'\"\n \t?,!%", max_size=60))
def test_no_text_ends_in_a_traceback(text: str) -> None:
    format_flow(text.encode(), "a.yaml")
    format_flow(f"a:\n  {text}".encode(), "a.yaml")
