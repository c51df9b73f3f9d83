"""What a project makes of findings, and the patterns of paths it accepts them by."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.check import Checked, check_text
from specs.codes import CODES, JUDGEMENTS
from specs.diagnostics import Severity
from specs.globs import matches
from specs.policy import AS_WRITTEN, Acceptance, Policy, codes_named

EMPTY = "version: 1\nenv:\ntasks:\n  a: {run: make}\n"  # FLOW123, a warning
SECRET = 'version: 1\nenv: {K: "ghp_0123456789abcdefghijABCDEFGHIJ012345"}\ntasks:\n  a: {run: make}\n'  # FLOW414


def check(text: str, policy: Policy) -> Checked:
    return check_text(text.encode(), "flows/old/a.yaml", None, policy=policy)


def found(text: str, policy: Policy = AS_WRITTEN) -> dict[str, Severity]:
    return {one.code: one.severity for one in check(text, policy).diagnostics}


def test_a_severity_is_changed_both_ways_and_off() -> None:
    assert found(EMPTY)["FLOW123"] is Severity.WARNING
    assert found(EMPTY, Policy({"FLOW123": Severity.ERROR}))["FLOW123"] is Severity.ERROR
    assert found(EMPTY, Policy({"FLOW123": Severity.INFO}))["FLOW123"] is Severity.INFO
    assert "FLOW123" not in found(EMPTY, Policy({"FLOW123": None}))


def test_a_raised_warning_stops_the_flow_and_a_lowered_error_does_not() -> None:
    assert not check(EMPTY, Policy({"FLOW123": Severity.ERROR})).ok
    assert not check(SECRET, AS_WRITTEN).ok
    assert check(SECRET, Policy({"FLOW414": Severity.WARNING})).ok


def test_what_is_off_unless_asked_for_is_switched_on_by_name_or_by_a_severity() -> None:
    assert "FLOW606" not in found(EMPTY)
    assert found(EMPTY, Policy(enabled=frozenset({"FLOW606"})))["FLOW606"] is Severity.INFO
    assert found(EMPTY, Policy({"FLOW606": Severity.ERROR}))["FLOW606"] is Severity.ERROR


def test_a_finding_is_accepted_in_the_files_that_are_named_only() -> None:
    here = Policy(accepted=(Acceptance("FLOW123", ("flows/old/**",), "generated"),))
    elsewhere = Policy(accepted=(Acceptance("FLOW123", ("flows/new/**",), "generated"),))
    assert "FLOW123" not in found(EMPTY, here)
    assert "FLOW123" in found(EMPTY, elsewhere)


def test_a_call_switches_on_what_the_settings_switch_off_and_the_reverse() -> None:
    settings = Policy({"FLOW123": None}, enabled=frozenset({"FLOW606"}))
    called = settings.changed(enable=["FLOW123"], disable=["FLOW606"])
    assert called.reports("FLOW123")
    assert not called.reports("FLOW606")


def test_of_a_policy_only_answers_to_judgements_hold_for_a_run() -> None:
    policy = Policy(
        {"FLOW414": Severity.WARNING, "FLOW201": Severity.WARNING, "FLOW123": Severity.ERROR},
        accepted=(Acceptance("FLOW201", ("**",), "x"), Acceptance("FLOW411", ("**",), "x")),
    )
    run = policy.for_runs()
    assert run.severities == {"FLOW414": Severity.WARNING}
    assert [one.code for one in run.accepted] == ["FLOW411"]


def test_judgements_are_errors_of_safety() -> None:
    assert {(CODES[code].severity, CODES[code].group) for code in JUDGEMENTS} == {(Severity.ERROR, "safety")}


def test_a_group_stands_for_all_of_its_codes() -> None:
    assert codes_named("style") == {code for code in CODES if code.startswith("FLOW6")}
    assert codes_named("FLOW205") == {"FLOW205"}
    assert codes_named("stile") == frozenset()


@pytest.mark.parametrize(
    ("pattern", "path", "expected"),
    [
        ("flows/a.yaml", "flows/a.yaml", True),
        ("flows/*.yaml", "flows/a.yaml", True),
        ("flows/*.yaml", "flows/old/a.yaml", False),
        ("flows/**", "flows/old/deep/a.yaml", True),
        ("flows/**", "flow/a.yaml", False),
        ("**/a.yaml", "a.yaml", True),
        ("**/a.yaml", "x/y/a.yaml", True),
        ("flows/**/a.yaml", "flows/a.yaml", True),
        ("flows/**/x/**/a.yaml", "flows/1/x/2/3/a.yaml", True),
        ("*", "a.yaml", True),
        ("*", "flows/a.yaml", False),
        ("a?.yaml", "a1.yaml", True),
        ("a?.yaml", "a.yaml", False),
        ("[ab].yaml", "a.yaml", False),
        ("A.yaml", "a.yaml", False),
        ("**", "a/b", True),
    ],
)
def test_what_a_pattern_matches(pattern: str, path: str, expected: bool) -> None:
    assert matches(pattern, path) is expected


NAMES = st.lists(st.text("ab*?", min_size=1, max_size=4), min_size=1, max_size=5)


@given(pattern=NAMES, path=st.lists(st.text("ab", min_size=1, max_size=4), min_size=1, max_size=5))
def test_a_pattern_matches_what_its_expression_matches(pattern: list[str], path: list[str]) -> None:
    parts = []
    for name in pattern:
        inner = re.escape(name).replace(r"\*", "[^/]*").replace(r"\?", "[^/]")
        parts.append("(?:/[^/]+)*" if name == "**" else f"/{inner}")
    expected = re.fullmatch("".join(parts), "/" + "/".join(path)) is not None
    assert matches("/".join(pattern), "/".join(path)) is expected


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    assert not matches("/".join(["**", "a*a*a*a*a*b"] * 100), "/".join(["a" * 60] * 200))
