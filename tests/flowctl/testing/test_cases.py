"""Test files: read with places, run, compared; every way to be wrong has its line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from textwrap import dedent

import pytest

from flowctl.settings import load_settings
from flowctl.testing.coverage import Coverage
from flowctl.testing.junit import junit
from flowctl.testing.loading import Suite, Unsound, load_suite
from flowctl.testing.running import CaseResult, run_case
from flowctl.workspace import Workspace

FLOW = """\
version: 1
params: {n: {type: int, default: 2}, colour: {type: string, choices: [red, blue], default: red}}
secrets: {TOKEN: {from: "env:NOT_SET"}}
triggers:
  hourly: {every: 1h, params: {n: 5}, if: "trigger.time != '2026-01-01T00:00:00Z'"}
tasks:
  load:
    exec: [tool, "${{ params.n }}"]
    env: {TOKEN: "${{ secrets.TOKEN }}"}
    retry: {attempts: 2, delay: 1s, jitter: none}
    outputs: {rows: {type: int}}
  route:
    after: [load]
    switch: {value: params.colour, cases: {red: [paint], blue: [paint, dry]}}
  paint: {run: echo, if: tasks.load.output.rows > 0, outputs: {where: {type: path}}}
  dry: {run: echo}
  each: {after: [load], run: echo, fan_out: {items: [a, b], key: item, tolerate: 1}}
  repair: {after_failure: [load], recovers: true, run: echo}
  sum: {after: [load], set: {twice: "${{ tasks.load.output.rows * 2 }}"}}
outputs: {twice: "${{ tasks.sum.output.twice | default(0) }}"}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    return tmp_path


def load(folder: Path, text: str) -> Suite | Unsound:
    path = folder / "flow.test.yaml"
    path.write_text(f"version: 1\n{dedent(text)}", encoding="utf-8")
    settings = load_settings(folder=folder, environ={"FLOWCTL_HOME": str(folder / "home")}, flags={}, config=None)
    return load_suite(Path("flow.test.yaml"), Workspace(settings, {}))


def result(folder: Path, case: str) -> CaseResult:
    """The result of one case, written without its name."""
    body = "".join(f"    {line}\n" for line in dedent(case).strip().splitlines())
    loaded = load(folder, f"cases:\n  only:\n{body}")
    assert isinstance(loaded, Suite), [(found.code, found.message) for found in loaded.findings]
    return run_case(loaded, "only")


def messages(folder: Path, case: str) -> list[str]:
    done = result(folder, case)
    assert done.problem is None
    return [one.message for one in done.differences]


def findings(folder: Path, text: str) -> list[tuple[str, str, str]]:
    """Code, line and column, and message of what is wrong with a file."""
    loaded = load(folder, text)
    assert isinstance(loaded, Unsound)
    places = [found.place.source.position(found.place.start) for found in loaded.findings]
    return [
        (found.code, f"{line}:{column}", found.message)
        for found, (line, column) in zip(loaded.findings, places, strict=True)
    ]


# --- what holds ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "case",
    [
        "expect: {}",
        "expect: {status: succeeded, warnings: 0, undo: none, outputs: {twice: 2}}",
        "{stubs: {load: {outputs: {rows: 0}}}, expect: {tasks: {paint: skipped}, not_run: [paint, dry]}}",
        "{params: {colour: blue}, expect: {tasks: {dry: succeeded}, order: [[load, paint], [load, route, dry]]}}",
        "{params: {n: 9}, expect: {tasks: {load: {inputs: {argv: [tool, 9]}}}}}",
        "{secrets: {TOKEN: abcdef}, expect: {tasks: {load: {inputs: {env: {TOKEN: abcdef, FLOW_ATTEMPT: 1}}}}}}",
        "{stubs: {load: {attempts: [{fail: exit}]}}, expect: {tasks: {load: {attempts: 2, outputs: {rows: 1}}}}}",
        "{stubs: {load: {fail: 'exit:9'}}, expect: {warnings: 1, tasks: {load: {error: {exit_code: 9}}, repair: succeeded}}}",
        "{stubs: {each: {items: {b: {fail: connect}}}}, expect: {tasks: {each: {counts: {failed: 1}, items: {b: failed}}}}}",
        "{stubs: {each: {items: {1: {fail: connect}}}}, expect: {tasks: {each: {items: {0: succeeded, b: {error: connect}}}}}}",
        "{stubs: {load: {duration: 1m}}, expect: {duration: 1m1s}}",
        "{trigger: {name: hourly, time: '2026-01-02T00:00:00Z'}, expect: {tasks: {load: {inputs: {argv: [tool, 5]}}}}}",
    ],
)
def test_an_expectation_that_holds_says_nothing(folder: Path, case: str) -> None:
    assert messages(folder, case) == []


# --- what does not hold -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("expect: {status: failed}", "the run: expected `failed`, found `succeeded`"),
        (
            "{stubs: {each: {fail: 'exit:7'}}, expect: {}}",
            "the run: expected `succeeded`, found `failed`, because `each`: 2 of 2 items failed; "
            "the first, `a`: stubbed failure `exit:7`",
        ),
        (
            "expect: {tasks: {dry: succeeded}}",
            "`dry`: expected `succeeded`, found `skipped` (no arm of `route` takes it)",
        ),
        ("expect: {tasks: {load: {attempts: 3}}}", "`load` attempts: expected 3, found 1"),
        ("expect: {tasks: {load: {round: 2}}}", "`load` round: expected 2, found 1"),
        ("expect: {tasks: {load: {outputs: {rows: 2}}}}", "`load` outputs.rows: expected `2`, found `1`"),
        ("expect: {tasks: {load: {outputs: {rows: true}}}}", "`load` outputs.rows: expected `true`, found `1`"),
        ("expect: {tasks: {load: {error: exit}}}", "`load`: expected an error, found none"),
        ("expect: {tasks: {each: {counts: {total: 3}}}}", "`each` total: expected 3, found 2"),
        ("expect: {tasks: {each: {items: {c: succeeded}}}}", "`each`: expected an item `c`, found `a`, `b`"),
        ("expect: {tasks: {each: {items: {b: failed}}}}", "`each[b]`: expected `failed`, found `succeeded`"),
        (
            "expect: {tasks: {load: {inputs: {argv: [tool]}}}}",
            '`load` argv: expected `["tool"]`, found `["tool", "2"]`',
        ),
        (
            "expect: {tasks: {load: {inputs: {env: {TOKEN: x}}}}}",
            '`load` env.TOKEN: expected `"x"`, found `"secret-TOKEN"`',
        ),
        ("expect: {tasks: {dry: {inputs: {env: {A: b}}}}}", "`dry`: expected an attempt, found none"),
        ("expect: {order: [[paint, load]]}", "expected `paint` to end before `load` starts, found `load` started"),
        ("expect: {order: [[load, dry]]}", "expected `load` to end before `dry` starts, found `dry` did not run"),
        ("expect: {not_run: [paint]}", "`paint`: expected not to run, found `succeeded`"),
        ("expect: {outputs: {twice: 3}}", "the run outputs.twice: expected `3`, found `2`"),
        ("expect: {outputs: {thrice: 3}}", "the run outputs.thrice: expected `3`, found nothing of that name"),
        ("expect: {warnings: 1}", "warnings: expected 1, found 0"),
        ("expect: {undo: complete}", "undo: expected `complete`, found `none`"),
        ("expect: {duration: 5s}", "duration: expected 5s, found 2s"),
        ("expect: {duration: {max: 1s}}", "duration: expected at most 1s, found 2s"),
    ],
)
def test_an_expectation_that_does_not_hold_says_what_was_expected_and_what_was(
    folder: Path, case: str, message: str
) -> None:
    (found,) = messages(folder, case)
    assert message.partition(", found `load` started")[0] in found


def test_a_difference_has_its_place_in_the_test_file(folder: Path) -> None:
    done = result(folder, "expect:\n  tasks:\n    load: {attempts: 3}")
    (one,) = done.differences
    assert one.place.source.position(one.place.start) == (6, 26)
    assert one.place.source.text[one.place.start : one.place.end] == "3"


# --- what is no test ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("cases: {a: {expct: {}}}", ("FLOW110", "2:13", "unknown key `expct`")),
        ("cases: {a: {expect: {status: suceeded}}}", ("FLOW113", "2:30", "`suceeded` is none of")),
        ("cases: {a: {stubs: {lod: {}}}}", ("FLOW303", "2:21", "has no task `lod`")),
        ("cases: {a: {stubs: {route: {fail: exit}}}}", ("FLOW116", "2:29", "`fail` has no meaning with `switch`")),
        ("cases: {a: {stubs: {load: {outputs: {row: 1}}}}}", ("FLOW322", "2:38", "`load` declares no output `row`")),
        ("cases: {a: {stubs: {load: {outputs: {rows: many}}}}}", ("FLOW112", "2:44", "output `rows` is no `int`")),
        ("cases: {a: {stubs: {load: {items: {}}}}}", None),
        ("cases: {a: {stubs: {load: {items: {a: {}}}}}}", ("FLOW116", "2:28", "`load` does not fan out")),
        ("cases: {a: {stubs: {load: {fail: exti}}}}", ("FLOW524", "2:34", "unknown error name `exti`")),
        ("cases: {a: {stubs: {load: {fail: no_match}}}}", ("FLOW524", "2:34", "the engine decides that")),
        ("cases: {a: {stubs: {load: {fail: 'http:5xx'}}}}", ("FLOW524", "2:34", "is a class of failures")),
        ("cases: {a: {stubs: {load: {duration: 5}}}}", ("FLOW118", "2:38", "`5` is not a duration")),
        ("cases: {a: {params: {m: 1}}}", ("FLOW303", "2:22", "no parameter `m`")),
        ("cases: {a: {params: {n: many}}}", ("FLOW120", "2:13", "parameter `n`: expected a whole number")),
        ("cases: {a: {secrets: {TOKN: text}}}", ("FLOW303", "2:23", "no secret `TOKN`")),
        ("cases: {a: {trigger: {name: daily}}}", ("FLOW303", "2:29", "no trigger `daily`")),
        ("cases: {a: {trigger: {name: hourly, time: '2026-01-01T00:00:00Z'}}}", ("FLOW510", "2:22", "is false")),
        ("cases: {a: {trigger: {name: hourly}}}", ("FLOW510", "2:22", "the trigger cannot be evaluated")),
        ("cases: {a: {at: noon}}", ("FLOW120", "2:17", "`noon` is not a time")),
        ("cases: {a: {expect: {tasks: {paitn: {}}}}}", ("FLOW303", "2:30", "has no task `paitn`")),
        ("cases: {a: {expect: {order: [[load, drie]]}}}", ("FLOW303", "2:37", "has no task `drie`")),
        ("cases: {a: {expect: {not_run: [drie]}}}", ("FLOW303", "2:32", "has no task `drie`")),
        ("cases: {a: {expect: {tasks: {load: {counts: {total: 1}}}}}}", ("FLOW116", "2:37", "does not fan out")),
        ("cases: {a: {expect: {tasks: {load: {arm: 1}}}}}", ("FLOW116", "2:37", "is no branch")),
        ("cases: {a: {expect: {tasks: {load: {tasks: {x: {}}}}}}}", ("FLOW116", "2:37", "calls no flow")),
        ("cases: {}", ("FLOW119", "2:8", "at least one")),
        ("flow: other.yaml\ncases: {a: {}}", ("FLOW131", "1:1", "cannot be read")),
        ("flow: ../../etc/passwd\ncases: {a: {}}", ("FLOW131", "2:7", "`..` is not allowed")),
        ("flow: /etc/passwd\ncases: {a: {}}", ("FLOW131", "2:7", "cannot be read")),
    ],
)
def test_a_mistake_in_a_test_file_has_a_code_and_a_place(
    folder: Path, text: str, found: tuple[str, str, str] | None
) -> None:
    if found is None:
        assert isinstance(load(folder, text), Suite)
        return
    ((code, place, message),) = findings(folder, text)
    assert (code, place) == found[:2]
    assert found[2] in message


def test_a_flow_with_errors_shows_them(folder: Path) -> None:
    (folder / "flow.yaml").write_text("version: 1\ntasks: {a: {run: echo, after: [b]}}\n", encoding="utf-8")
    assert [code for code, _, _ in findings(folder, "cases: {a: {}}")] == ["FLOW201"]


def test_stubs_of_the_file_hold_for_every_case_and_are_overridden_key_by_key(folder: Path) -> None:
    text = """
    stubs: {load: {outputs: {rows: 3}, duration: 1m}, each: {items: {a: {fail: connect}}}}
    cases:
      general: {expect: {outputs: {twice: 6}, tasks: {each: {items: {a: failed, b: succeeded}}}}}
      own: {stubs: {load: {outputs: {rows: 4}}, each: {items: {b: {fail: connect}, a: {fail: null}}}},
            expect: {outputs: {twice: 8}, duration: 1m1s, tasks: {each: {items: {a: succeeded, b: failed}}}}}
    """
    loaded = load(folder, text)
    assert isinstance(loaded, Suite)
    assert [run_case(loaded, name).differences for name in loaded.spec.cases] == [(), ()]


# --- coverage and JUnit -------------------------------------------------------------------------------------------------


def coverage_of(folder: Path, cases: Mapping[str, str]) -> Coverage:
    loaded = load(folder, "cases:\n" + "".join(f"  {name}: {text}\n" for name, text in cases.items()))
    assert isinstance(loaded, Suite)
    coverage = Coverage()
    coverage.expect(loaded.plan, loaded.flow)
    for name in cases:
        run_case(loaded, name, coverage=coverage)
    return coverage


def test_coverage_names_what_no_case_has_reached(folder: Path) -> None:
    (flow,) = coverage_of(folder, {"plain": "{}"}).flows
    assert flow.name == "flow.yaml"
    assert flow.missed == (
        "a retry of `load`",
        "case `blue` of `route`",
        "`if` of `paint` false",
        "`dry`",
        "`repair`",
    )


def test_cases_add_up_to_full_coverage(folder: Path) -> None:
    cases = {
        "blue": "{params: {colour: blue}, stubs: {load: {outputs: {rows: 0}, attempts: [{fail: exit}]}}}",
        "red": "{}",
        "broken": "{stubs: {load: {fail: exit}}}",
    }
    coverage = coverage_of(folder, cases)
    assert coverage.flows[0].missed == ()
    assert coverage.percent == 100


def test_junit_has_a_suite_for_the_flow_and_a_case_for_each_case(folder: Path) -> None:
    from xml.etree import ElementTree

    loaded = load(folder, "cases:\n  good: {}\n  'b<a&d': {expect: {warnings: 3}}\n")
    assert isinstance(loaded, Suite)
    broken = load(folder, "cases: {a: {no: 1}}")
    assert isinstance(broken, Unsound)
    root = ElementTree.fromstring(junit([run_case(loaded, name) for name in loaded.spec.cases], [broken]))
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("3", "1", "1")
    suite = root[0]
    assert (suite.get("name"), [case.get("name") for case in suite]) == ("flow", ["good", "b<a&d"])
    failure = suite[1][0]
    assert (failure.tag, failure.get("message")) == ("failure", "warnings: expected 3, found 0")
    assert failure.text == "flow.test.yaml:4:32: warnings: expected 3, found 0"
    assert root[1][0][0].tag == "error"


def test_a_link_does_not_lead_out_of_the_project(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "secret.yaml"
    elsewhere.write_text("private: text\n", encoding="utf-8")
    (folder / "link.yaml").symlink_to(elsewhere)
    ((code, place, message),) = findings(folder, "flow: link.yaml\ncases: {a: {}}")
    assert (code, place) == ("FLOW131", "2:7")
    assert message.endswith("it is outside of the project")
    assert "private" not in message
