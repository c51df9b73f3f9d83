"""The structure check: one cause, one finding, at the place that causes it; and no input that ends in an exception."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from specs.check import Checked, check_text
from specs.codes import CODES
from specs.diagnostics import Diagnostic, Severity
from specs.fields import bounds_at, choices_at, keys_at
from specs.foreign import flow_text
from specs.model.task import ACTIONS, EDGE_KEYS
from specs.source import read_document
from tests.specs.projects import MemoryFiles, applied


def check(text: str) -> Checked:
    return check_text(text.encode(), "flow.yaml", None)


def errors(text: str) -> list[Diagnostic]:
    return [found for found in check(text).diagnostics if found.severity is Severity.ERROR]


def task_errors(keys: str) -> list[tuple[str, str]]:
    """Code and marked text of the errors of a task with these keys."""
    found = errors(f"version: 1\ntasks:\n  t: {{{keys}}}\n")
    return [(one.code, one.place.source.text[one.place.start : one.place.end]) for one in found]


# --- alternatives collapse ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keys", "code", "marked"),
    [
        ("run: x, timeout: 5", "FLOW118", "5"),
        ("run: x, timeout: soon", "FLOW118", "soon"),
        ("run: x, timeout: {a: 1}", "FLOW118", "{a: 1}"),
        ("run: x, join: sum", "FLOW113", "sum"),
        ("run: x, join: 1.5", "FLOW112", "1.5"),
        ("run: x, join: 0", "FLOW119", "0"),
        ("run: x, pool: {db: 0}", "FLOW119", "0"),
        ("run: x, pool: {DB: 1}", "FLOW117", "DB"),
        ("run: x, pool: 3", "FLOW112", "3"),
        ("run: x, dead_letter: 3", "FLOW112", "3"),
        ("run: x, worker: [A]", "FLOW117", "A"),
        ("run: x, if: 3", "FLOW112", "3"),
        ("run: x, fan_out: {items: 3}", "FLOW112", "3"),
        ("run: x, fan_out: {matrix: {a: 3}}", "FLOW112", "3"),
        ("run: x, retry: {backoff: fast}", "FLOW112", "fast"),
        ("run: x, retry: {delays: []}", "FLOW119", "[]"),
        ("run: x, after: [{task: a, timeout: 5}]", "FLOW118", "5"),
        ("run: x, after: [A]", "FLOW117", "A"),
        ("run: x, after: [3]", "FLOW112", "3"),
        ("switch: {value: x, cases: {1: a}}", "FLOW112", "a"),
        ("run: x, env: {3: x}", "FLOW112", "3"),
        ("run: x, outputs: {Rows: {type: int}}", "FLOW117", "Rows"),
    ],
)
def test_a_wrong_value_is_one_finding_at_the_value(keys: str, code: str, marked: str) -> None:
    assert task_errors(keys) == [(code, marked)]


@pytest.mark.parametrize(
    ("value", "shown"), [("[1m]", "a list"), ("{a: 1}", "a map"), ("true", "`true`"), ("5", "`5`"), ("1.50", "`1.50`")]
)
def test_what_is_no_duration_is_shown_as_it_is_written(value: str, shown: str) -> None:
    (found,) = errors(f"version: 1\ntasks:\n  a: {{run: x, timeout: {value}}}\n")
    assert found.message == f"{shown} is not a duration"


def test_templates_under_a_misspelt_key_are_one_mistake() -> None:
    text = "version: 1\ntemplats: {quick: {timeout: 1m}}\ntasks:\n  a: {extends: quick, run: x}\n"
    assert [one.code for one in errors(text)] == ["FLOW110"]


def test_a_bad_id_is_told_at_its_key_and_not_at_its_uses() -> None:
    found = errors("version: 1\ntasks:\n  my-task: {run: x}\n  b: {run: x, after: [my-task], after_end: [my-task]}\n")
    assert [(one.code, one.place.start) for one in found] == [("FLOW117", 20)]


def test_renaming_an_id_renames_every_use() -> None:
    text = """\
version: 1
tasks:
  my-task: {run: x, outputs: {n: {type: int}}}
  a: {run: x, after: [my-task]}
  b: {run: x, after_end: [{task: "my-task", timeout: 5m}], env: {N: "${{ tasks.my-task.output.n }}"}}
  c: {branch: [{if: 1 > 2, then: [my-task]}, {else: [my-task]}]}
  d: {switch: {value: 1, cases: {1: [my-task]}, default: [my-task]}}
  e: {run: "echo my-task", after: [my-task-two]}
  my-task-two: {run: x}
"""
    (found, _) = [one for one in errors(text) if one.code == "FLOW117"]
    assert found.fix is not None
    assert len(found.fix.edits) == 8
    renamed = applied(text, found.fix)
    assert renamed.count("my_task") == 8
    assert "echo my-task" in renamed
    assert "[my-task-two]" in renamed


def test_no_rename_when_the_name_is_taken() -> None:
    (found,) = errors("version: 1\ntasks:\n  my-task: {run: x}\n  my_task: {run: x}\n")
    assert found.fix is None


def test_an_unknown_key_without_a_near_one_lists_what_is_known() -> None:
    (found,) = errors("version: 1\ntasks:\n  t: {run: x, retry: {colour: red}}\n")
    assert found.help is not None
    assert "`attempts`" in found.help
    assert found.fix is None


def test_a_misspelt_action_is_not_also_a_missing_one() -> None:
    assert [code for code, _ in task_errors("exce: [ls]")] == ["FLOW110"]
    assert [code for code, _ in task_errors("command: ls")] == ["FLOW129"]


@pytest.mark.parametrize("first", ACTIONS)
def test_two_actions_are_one_finding(first: str) -> None:
    values = {
        "exec": "[ls]", "branch": "[]", "switch": "{value: x, cases: {}}", "approval": "{prompt: x}", "wait": "{for: 1s}",
        "set": "{a: 1}",
    }  # fmt: skip
    other = "fail" if first != "fail" else "run"
    found = task_errors(f"{first}: {values.get(first, 'x')}, {other}: x")
    assert [code for code, _ in found] == ["FLOW114"]


@pytest.mark.parametrize("version", ["'1'", "1.0", "true", "one", "[1]", "01"])
def test_the_version_is_the_number_one(version: str) -> None:
    assert [one.code for one in errors(f"version: {version}\ntasks:\n  t: {{run: x}}\n")] == ["FLOW112"]


@pytest.mark.parametrize("version", ["0", "2", "99", "-1"])
def test_another_version_is_not_known(version: str) -> None:
    assert [one.code for one in errors(f"version: {version}\ntasks:\n  t: {{run: x}}\n")] == ["FLOW121"]


def test_a_key_that_starts_with_x_is_free_at_the_top_only() -> None:
    assert errors("version: 1\nx-any: [1, {a: b}]\ntasks:\n  t: {run: x}\n") == []
    assert [one.code for one in errors("version: 1\ntasks:\n  t: {run: x, x-any: 1}\n")] == ["FLOW110"]


def test_numbers_keep_their_written_form_through_the_model() -> None:
    checked = check("version: 1\nenv: {V: 1.10, M: 0644}\ntasks:\n  t: {exec: [echo, 1.20]}\n")
    assert checked.flow is not None
    assert checked.flow.env["V"].written == "1.10"
    assert checked.flow.env["M"].written == "0644"
    assert checked.flow.tasks["t"].exec is not None
    assert checked.flow.tasks["t"].exec[1].written == "1.20"


@pytest.mark.parametrize("key", ["pool", "timeout", "priority", "after", "join", "allow_failure", "retry", "extends"])
def test_a_field_that_is_read_before_a_run_takes_no_expression(key: str) -> None:
    found = errors(f'version: 1\ntasks:\n  t: {{run: x, {key}: "${{{{ params.x }}}}"}}\n')
    assert "FLOW341" in [one.code for one in found]
    assert any(one.message == f"`{key}` takes no expression" for one in found)


def test_braces_in_a_value_are_shown_as_written() -> None:
    (found,) = errors("version: 1\ntasks:\n  t: {run: x, timeout: '{help} {{x}}'}\n")
    assert found.message == "`{help} {{x}}` is not a duration"


@pytest.mark.parametrize("key", ["priority", "timeout", "join", "nonsense", "pool", "retry"])
def test_nothing_of_a_value_reaches_the_terminal_as_it_is(key: str) -> None:
    found = errors(f'version: 1\ntasks:\n  t: {{run: x, {key}: "\\e[2J\\u202eevil\\n", "a\\e": 1}}\n')
    assert len(found) == 2
    assert all(f"{one.message}{one.help}".isprintable() for one in found)


def test_a_finding_through_an_alias_is_told_once() -> None:
    text = "version: 1\nx-r: &r {attempts: 0}\ntasks:\n  a: {run: x, retry: *r}\n  b: {run: x, retry: *r}\n"
    assert [one.code for one in errors(text)] == ["FLOW119"]


# --- what the model knows of a path -------------------------------------------------------------------------------


def test_the_model_tells_keys_choices_and_bounds() -> None:
    assert set(EDGE_KEYS) <= set(keys_at(("tasks", "any")))
    assert "with" in keys_at(("tasks", "any"))
    assert choices_at(("priority",)) == ("critical", "high", "normal", "low", "background")
    assert bounds_at(("tasks", "any", "retry", "attempts")) == (1, 1000)
    assert bounds_at(("tasks", "any", "success_codes", 0)) == (0, 255)
    assert bounds_at(("pools", "any", "slots")) == (1, None)
    assert keys_at(("tasks", "any", "env")) == ()


json_like = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 10**12)
    | st.text(max_size=8)
    | st.sampled_from(["5m", "a", "${{ x }}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc_-", max_size=4), inner, max_size=3),
    max_leaves=8,
)


@given(json_like)
def test_text_written_by_a_fix_is_read_as_the_same_value(value: Any) -> None:
    text = f"a: {flow_text(value)}\n"
    reading = read_document(text.encode(), "flow.yaml")
    if reading.is_sound and "\\ud" not in text:
        assert reading.document is not None
        assert reading.document.data == {"a": value}


# --- anything -----------------------------------------------------------------------------------------------------

TASK_KEYS = [*keys_at(("tasks", "any")), "depends_on", "command", "timeout_seconds", "retries", "nonsense"]
FLOW_KEYS = [*keys_at(()), "include", "defaults", "templates", "steps", "schedule", "x-a", "nonsense"]
ids = st.sampled_from(["a", "b", "c", "A-B", "1"])
tasks = st.dictionaries(ids, st.dictionaries(st.sampled_from(TASK_KEYS), json_like, max_size=5) | json_like, max_size=3)
flows = st.fixed_dictionaries(
    {"version": st.just(1) | json_like, "tasks": tasks | json_like},
    optional={
        "defaults": st.dictionaries(st.sampled_from(TASK_KEYS), json_like, max_size=3) | json_like,
        "templates": tasks | json_like,
        "hooks": st.dictionaries(st.sampled_from(["start", "failure", "x"]), tasks, max_size=2) | json_like,
        **{key: json_like for key in FLOW_KEYS if key not in ("version", "tasks", "defaults", "templates", "hooks")},
    },
)


@settings(max_examples=150, deadline=None)
@given(flows)
def test_any_structure_ends_in_findings_with_places(flow: dict[str, Any]) -> None:
    checked = check_text(json.dumps(flow, ensure_ascii=False).encode("utf-8", "replace"), "flow.yaml", MemoryFiles({}))
    assert checked.ok == (not any(found.severity is Severity.ERROR for found in checked.diagnostics))
    for found in checked.diagnostics:
        assert found.code != "FLOW901", found.message
        assert found.severity is CODES[found.code].severity
        assert 0 <= found.place.start <= found.place.end <= len(found.place.source.text)
        assert found.message.isprintable() or found.code[4] != "1"
    if checked.context is None:
        assert not checked.ok


@settings(max_examples=150, deadline=None)
@given(st.text() | st.text("ab:-[]{}&*!|>'\"#%@`,?\n ${}"))
def test_any_text_ends_in_findings(text: str) -> None:
    checked = check_text(text.encode("utf-8", "replace"), "flow.yaml", None)
    assert not checked.ok
    assert all(found.code != "FLOW901" for found in checked.diagnostics)
