"""One mistake, one message: what follows from a name that is wrong is not told of as well."""

from __future__ import annotations

import pytest

from engine.connectors.signatures import BUILT_IN
from specs.check import check_file
from tests.specs.projects import MemoryFiles
from tests.specs.rules.checking import Signatures, check, codes

CHAIN = """tasks:
  load: {{run: x, outputs: {{n: {{type: int}}}}}}
  check: {{run: x, after: [{edge}]}}
  last: {{after: [check], run: x, env: {{N: "${{{{ tasks.load.output.n }}}}"}}{more}}}
"""


@pytest.mark.parametrize("more", ["", ", retry_upstream: {tasks: [load], rounds: 1}"])
def test_an_edge_to_nowhere_leaves_open_what_is_upstream_further_on(more: str) -> None:
    assert codes(CHAIN.format(edge="load", more=more)) == []
    assert codes(CHAIN.format(edge="laod", more=more)) == ["FLOW201"]


def test_an_expression_for_a_connector_is_not_an_unknown_connector() -> None:
    text = 'tasks:\n  a: {use: "${{ run.id }}", with: {url: "https://example.org/"}}\n'
    assert codes(text, catalogue=Signatures(BUILT_IN)) == ["FLOW341"]


def test_of_an_unknown_connector_nothing_is_said_about_secret_fields() -> None:
    text = 'secrets: {KEY: {from: "env:KEY"}}\ntasks:\n  a: {use: htp.request, with: {headers: {A: "${{ secrets.KEY }}"}}}\n'
    assert codes(text, catalogue=Signatures(BUILT_IN)) == ["FLOW222"]


def test_an_expression_in_a_script_of_a_shell_with_options_is_told_without_a_fix() -> None:
    (finding,) = check('tasks:\n  a: {shell: [bash, -e], run: "echo ${{ run.id }}"}\n').diagnostics
    assert (finding.code, finding.fix) == ("FLOW410", None)


def test_a_task_with_an_edge_to_nowhere_may_wait_for_more_than_what_may_be_skipped() -> None:
    tasks = "tasks:\n  lint: {run: x, if: run.id != ''}\n  make: {run: x}\n  tell: {run: x, after: [lint, EDGE]}\n"
    assert codes(tasks.replace("EDGE", "make")) == []
    assert codes(tasks.replace("EDGE", "maek")) == ["FLOW201"]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("tasks: {a: {fan_out: {items: [1, 2], where: true}, run: x}}", "FLOW262"),
        ("tasks: {a: {branch: [{if: true, then: [b]}, {else: [c]}]}, b: {run: x}, c: {run: x}}", "FLOW231"),
        ("tasks: {a: {branch: []}}", "FLOW209"),
        ("tasks: {a: {fan_out: {items: [1, 2], max_parallel: 2}, pool: nowhere, run: x}}", "FLOW226"),
    ],
)
def test_what_is_told_of_as_it_stands_is_not_told_of_for_what_it_does(text: str, code: str) -> None:
    assert codes(text) == [code]


def test_a_literal_condition_that_closes_no_arm_is_still_told_of() -> None:
    text = "tasks: {a: {branch: [{if: run.id == 'x', then: [b]}, {if: true, then: [c]}]}, b: {run: x}, c: {run: x}}"
    assert codes(text) == ["FLOW311"]


UNUSED = frozenset({"FLOW601", "FLOW602", "FLOW604", "FLOW605"})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params: {day: {default: x}}\ntasks: {a: {exec: [x]}}", ["FLOW601"]),
        ("params: {day: {default: x}}\ntasks: {a: {exec: [x, '${{ params.dya }}']}}", ["FLOW303"]),
        ("secrets: {KEY: {from: 'env:K'}}\ntasks: {a: {exec: [x], env: {K: '${{ secrets.KYE }}'}}}", ["FLOW303"]),
        ("tasks: {a: {set: {v: 1}}, b: {after: [a], exec: [x, '${{ tasks.a.output.w }}']}}", ["FLOW322"]),
        ("pools: {db: {slots: 2}}\ntasks: {a: {exec: [x], pool: dbb}}", ["FLOW226"]),
    ],
)
def test_what_was_meant_by_a_name_that_does_not_exist_is_not_called_unused(text: str, expected: list[str]) -> None:
    found = check_file("flow.yaml", MemoryFiles({"flow.yaml": f"version: 1\n{text}"}), opt_in=UNUSED).diagnostics
    assert [one.code for one in found if one.code != "FLOW190"] == expected


@pytest.mark.parametrize(
    "reader",
    [
        "{after: [a, b], if: \"tasks.aa.status == 'succeeded'\", exec: [x, '${{ tasks.a.output.v }}']}",
        "{after: [a, b], exec: [x, \"${{ tasks.a.output.v if tasks.aa.status == 'succeeded' else '' }}\"]}",
    ],
)
def test_a_guard_that_names_no_task_is_not_a_missing_guard(reader: str) -> None:
    tasks = "a: {if: run.id != '', set: {v: x}}, b: {run: x}"
    assert codes(f"tasks: {{{tasks}, c: {reader.replace('aa', 'a')}}}") == []
    assert codes(f"tasks: {{{tasks}, c: {reader}}}") == ["FLOW303"]


@pytest.mark.parametrize(
    "text",
    [
        "tasks: {a: {run: x, timout: }}",
        "tasks: {a: {run: x, timout: {}}}",
        "tasks: {a: {run: x, retry: {attempts: 2, delaay: }}}",
        "colour:\ntasks: {a: {run: x}}",
        "defaults: {timout: }\ntasks: {a: {run: x}}",
        "templates: {t: {timout: }}\ntasks: {a: {extends: t, run: x}}",
    ],
)
def test_an_unknown_key_without_a_value_is_an_unknown_key(text: str) -> None:
    assert sorted(codes(text)) == ["FLOW110", "FLOW902"]
