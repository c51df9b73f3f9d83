"""Defaults, templates and libraries: what a task becomes, and where its keys are found again."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.check import Checked, check_text
from specs.inheritance import MEANING, has_meaning, kind_of
from specs.model import TaskSpec
from specs.model.task import ACTIONS
from tests.specs.projects import MemoryFiles


def check(text: str, **others: str) -> Checked:
    files = {"flow.yaml": text, **{name.replace("__", "/") + ".yaml": other for name, other in others.items()}}
    return check_text(text.encode(), "flow.yaml", MemoryFiles(files))


def task(text: str, name: str = "t", **others: str) -> TaskSpec:
    checked = check(text, **others)
    assert checked.flow is not None, checked.diagnostics
    return checked.flow.tasks[name]


def origin(checked: Checked, *path: str | int) -> str:
    """File, line and text of the value at a path of the merged flow."""
    assert checked.context is not None, checked.diagnostics
    place = checked.context.places.place(path)
    line = place.source.position(place.start)[0]
    return f"{place.source.name}:{line}: {place.source.text[place.start : place.end]}"


LAYERS = """\
version: 1
defaults:
  timeout: 1m
  env: {A: defaults, B: defaults, C: defaults}
  retry: {attempts: 2, delay: 1s}
  priority: low
templates:
  base: {timeout: 2m, env: {B: base, C: base}, retry: {max_delay: 9s}}
  quick: {extends: base, env: {C: quick}, success_codes: [0, 1]}
tasks:
  t:
    extends: quick
    run: make
    env: {D: task}
    success_codes: [7]
  u: {run: make, env: {A: task}, timeout: 5m}
"""


def test_defaults_then_templates_then_the_task() -> None:
    merged = task(LAYERS)
    assert merged.timeout == timedelta(minutes=2)
    assert merged.env == {"A": "defaults", "B": "base", "C": "quick", "D": "task"}
    assert merged.success_codes == [7]
    assert merged.priority == "low"
    assert merged.retry is not None
    assert (merged.retry.attempts, merged.retry.delay, merged.retry.max_delay) == (
        2,
        timedelta(seconds=1),
        timedelta(seconds=9),
    )


def test_a_task_without_a_template_inherits_the_defaults_only() -> None:
    merged = task(LAYERS, "u")
    assert merged.timeout == timedelta(minutes=5)
    assert merged.env == {"A": "task", "B": "defaults", "C": "defaults"}
    assert merged.success_codes is None


def test_every_merged_key_is_found_where_it_was_written() -> None:
    checked = check(LAYERS)
    assert origin(checked, "tasks", "t", "env", "A") == "flow.yaml:4: defaults"
    assert origin(checked, "tasks", "t", "env", "B") == "flow.yaml:8: base"
    assert origin(checked, "tasks", "t", "env", "C") == "flow.yaml:9: quick"
    assert origin(checked, "tasks", "t", "env", "D") == "flow.yaml:14: task"
    assert origin(checked, "tasks", "t", "timeout") == "flow.yaml:8: 2m"
    assert origin(checked, "tasks", "t", "retry", "delay") == "flow.yaml:5: 1s"
    assert origin(checked, "tasks", "t", "retry", "max_delay") == "flow.yaml:8: 9s"
    assert origin(checked, "tasks", "t", "success_codes", 0) == "flow.yaml:15: 7"
    assert origin(checked, "tasks", "u", "timeout") == "flow.yaml:16: 5m"


def test_what_is_inherited_is_told_from_what_is_written() -> None:
    checked = check(LAYERS)
    assert checked.context is not None
    assert checked.context.places.inherited(("tasks", "t", "timeout"))
    assert checked.context.places.inherited(("tasks", "t", "env", "B"))
    assert not checked.context.places.inherited(("tasks", "t", "env", "D"))
    assert not checked.context.places.inherited(("tasks", "u", "timeout"))
    assert not checked.context.places.inherited(("version",))


def test_null_removes_what_is_inherited_without_a_word() -> None:
    text = """\
version: 1
defaults: {timeout: 1m, env: {A: x, B: y}, retry: {attempts: 3}}
tasks:
  t: {run: make, timeout: null, env: {A: null}, retry: null}
"""
    merged = task(text)
    assert (merged.timeout, merged.env, merged.retry) == (None, {"B": "y"}, None)
    assert [found.code for found in check(text).diagnostics] == []


def test_a_null_in_a_template_removes_what_the_defaults_give() -> None:
    text = """\
version: 1
defaults: {retry: {attempts: 3, delay: 9s}}
templates: {plain: {retry: null}}
tasks:
  t: {extends: plain, run: make, retry: {attempts: 2}}
"""
    retry = task(text).retry
    assert retry is not None
    assert (retry.attempts, retry.delay) == (2, None)


def test_the_action_of_the_task_wins_over_an_inherited_one() -> None:
    text = """\
version: 1
templates:
  script: {run: make, shell: bash, env: {A: x}}
tasks:
  t: {extends: script, exec: [ls]}
  u: {extends: script}
"""
    merged = task(text)
    assert (merged.run, merged.exec, merged.shell, merged.env) == (None, ["ls"], None, {"A": "x"})
    assert task(text, "u").run == "make"


def test_an_inherited_key_without_a_meaning_is_left_out() -> None:
    text = """\
version: 1
defaults: {timeout: 1m, retry: {attempts: 3}, env: {A: x}, priority: high}
tasks:
  t: {set: {n: 1}}
  u: {flow: other.yaml}
"""
    other = "version: 1\ntasks:\n  a: {run: make}\n"
    merged = task(text, other=other)
    assert (merged.timeout, merged.retry, merged.env, merged.priority) == (None, None, {}, "high")
    child = task(text, "u", other=other)
    assert child.retry is not None
    assert (child.timeout, child.env) == (None, {})


def test_a_preset_as_text_merges_as_a_map() -> None:
    text = "version: 1\ndefaults: {retry: webhook}\ntasks:\n  t: {run: make, retry: {attempts: 3}}\n"
    retry = task(text).retry
    assert retry is not None
    assert (retry.preset, retry.attempts) == ("webhook", 3)
    assert origin(check(text), "tasks", "t", "retry", "preset") == "flow.yaml:2: webhook"


def test_own_delays_replace_an_inherited_delay() -> None:
    text = """\
version: 1
defaults: {retry: {attempts: 3, delay: 1s, backoff: 3}}
tasks:
  t: {run: make, retry: {delays: [5s]}}
"""
    retry = task(text).retry
    assert retry is not None
    assert (retry.delays, retry.delay, retry.backoff) == ([timedelta(seconds=5)], None, None)


def test_hook_tasks_inherit_too() -> None:
    text = """\
version: 1
defaults: {timeout: 1m}
tasks:
  t: {run: make}
hooks:
  failure:
    tell: {run: tell}
"""
    checked = check(text)
    assert checked.flow is not None
    assert checked.flow.hooks.failure["tell"].timeout == timedelta(minutes=1)
    assert origin(checked, "hooks", "failure", "tell", "timeout") == "flow.yaml:2: 1m"


def test_edges_are_refused_in_defaults_and_never_inherited() -> None:
    checked = check("version: 1\ndefaults: {after: [a]}\ntasks:\n  a: {run: make}\n")
    assert [found.code for found in checked.diagnostics if found.severity == "error"] == ["FLOW220"]


@pytest.mark.parametrize("start", range(3))
def test_templates_in_a_circle_are_told_once(start: int) -> None:
    names = ["a", "b", "c"][start:] + ["a", "b", "c"][:start]
    following = dict(zip("abc", "bca", strict=True))
    templates = "".join(f"  {name}: {{extends: {following[name]}}}\n" for name in names)
    checked = check(f"version: 1\ntemplates:\n{templates}tasks:\n  t: {{extends: a, run: make}}\n")
    errors = [found for found in checked.diagnostics if found.severity == "error"]
    assert [found.code for found in errors] == ["FLOW218"]
    assert len(errors[0].labels) == 2


def test_a_mistake_in_a_template_is_told_once_and_where_it_is() -> None:
    tasks = "".join(f"  t{n}: {{extends: slow, run: make}}\n" for n in range(50))
    checked = check(f"version: 1\ntemplates:\n  slow: {{timeout: 5}}\ntasks:\n{tasks}")
    (found,) = [found for found in checked.diagnostics if found.severity == "error"]
    assert found.code == "FLOW118"
    assert found.place.source.position(found.place.start) == (3, 19)


def test_a_long_chain_of_templates_is_no_recursion() -> None:
    templates = "".join(f"  n{n}: {{extends: n{n + 1}}}\n" for n in range(3000))
    text = f"version: 1\ntemplates:\n{templates}  n3000: {{timeout: 3m}}\ntasks:\n  t: {{extends: n0, run: make}}\n"
    assert task(text).timeout == timedelta(minutes=3)


# --- libraries ----------------------------------------------------------------------------------------------------

INCLUDING = """\
version: 1
include: [lib.yaml]
env: {OWN: x}
tasks:
  t: {extends: slow, run: make, pool: db}
"""
LIBRARY = """\
version: 1
templates:
  slow: {timeout: 1h}
pools:
  db: {slots: 3}
env: {SHARED: y}
"""


def test_a_library_gives_templates_pools_and_environment() -> None:
    checked = check(INCLUDING, lib=LIBRARY)
    assert checked.flow is not None, checked.diagnostics
    assert checked.flow.tasks["t"].timeout == timedelta(hours=1)
    assert checked.flow.pools["db"].slots == 3
    assert checked.flow.env == {"OWN": "x", "SHARED": "y"}
    assert origin(checked, "tasks", "t", "timeout") == "lib.yaml:3: 1h"
    assert origin(checked, "pools", "db", "slots") == "lib.yaml:5: 3"
    assert origin(checked, "env", "SHARED") == "lib.yaml:6: y"
    assert origin(checked, "env", "OWN") == "flow.yaml:3: x"
    assert set(checked.files) == {"flow.yaml", "lib.yaml"}


def test_libraries_include_libraries_each_once() -> None:
    text = "version: 1\ninclude: [a.yaml, b.yaml]\ntasks:\n  t: {extends: slow, run: make}\n"
    checked = check(text, a="version: 1\ninclude: [lib.yaml]\n", b="version: 1\ninclude: [lib.yaml]\n", lib=LIBRARY)
    assert checked.flow is not None, checked.diagnostics
    assert set(checked.files) == {"flow.yaml", "a.yaml", "b.yaml", "lib.yaml"}


def test_one_name_in_two_files_is_an_error_that_shows_both() -> None:
    checked = check(INCLUDING.replace("tasks:", "pools: {db: {slots: 1}}\ntasks:"), lib=LIBRARY)
    (found,) = [found for found in checked.diagnostics if found.severity == "error"]
    assert (found.code, found.place.source.name) == ("FLOW103", "lib.yaml")
    assert found.labels[0].place.source.name == "flow.yaml"


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../lib.yaml", "a/../../lib.yaml", "~/lib.yaml", "C:/lib.yaml", "a\\b.yaml", ""]
)
def test_a_library_outside_of_the_project_is_not_even_looked_for(path: str) -> None:
    files = MemoryFiles({})
    text = f"version: 1\ninclude: ['{path}']\ntasks:\n  t: {{run: make}}\n"
    checked = check_text(text.encode(), "flow.yaml", files)
    assert [found.code for found in checked.diagnostics if found.severity == "error"] == ["FLOW125"]
    assert files.read_paths == []


@pytest.mark.parametrize("content", ["root:x:0:0:secret", "password: secret", "- secret", "a: [secret", "!!secret x"])
def test_an_included_file_that_is_no_library_is_never_quoted(content: str) -> None:
    checked = check(INCLUDING, lib=content)
    said = [
        text for found in checked.diagnostics for text in (found.message, found.help or "", found.place.source.text)
    ]
    assert "FLOW125" in [found.code for found in checked.diagnostics]
    assert not any("secret" in text for text in said)


def test_a_library_that_includes_itself_shows_the_chain() -> None:
    checked = check(INCLUDING, lib="version: 1\ninclude: [other.yaml]\n", other="version: 1\ninclude: [lib.yaml]\n")
    (found,) = [found for found in checked.diagnostics if found.code == "FLOW125"]
    assert found.help == "included through flow.yaml → lib.yaml → other.yaml → lib.yaml"


# --- which key means something with which action ------------------------------------------------------------------


@given(st.sampled_from(sorted(MEANING)), st.sampled_from(ACTIONS))
def test_a_key_is_refused_exactly_where_it_has_no_meaning(key: str, action: str) -> None:
    written = {action: {"for": "5m"} if action == "wait" else "x"}
    kind = kind_of(written)
    assert kind is not None
    allowed = action in MEANING[key] and not (action == "wait" and key == "retry_upstream")
    assert has_meaning(key, kind) == allowed


def test_keys_of_every_task_have_a_meaning_with_every_action() -> None:
    for key in ("after", "join", "if", "allow_failure", "recovers", "extends", "description", "labels", "priority"):
        assert all(has_meaning(key, action) for action in ACTIONS)
