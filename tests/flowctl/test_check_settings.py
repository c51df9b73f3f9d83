"""`checks:` of the settings: what it can say, and what is told of what it cannot."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowctl.settings import BadSettings, load_settings
from specs.diagnostics import Severity
from specs.policy import AS_WRITTEN, Acceptance, Policy


def load(folder: Path, text: str) -> Policy:
    (folder / "flowctl.yaml").write_text(text)
    return load_settings(folder=folder, environ={"FLOWCTL_HOME": str(folder / "home")}, flags={}).checks


def test_without_a_word_all_is_as_written(tmp_path: Path) -> None:
    assert load(tmp_path, "slots: 2\n") == AS_WRITTEN


def test_severities_are_words_or_maps_with_a_reason(tmp_path: Path) -> None:
    text = """
checks:
  severity:
    FLOW415: error
    FLOW606: "off"
    FLOW123: off
    FLOW230: {level: warning}
    FLOW414: {level: info, reason: a demo}
    FLOW201: {level: off, reason: "tasks come later"}
"""
    assert load(tmp_path, text).severities == {
        "FLOW415": Severity.ERROR,
        "FLOW606": None,
        "FLOW123": None,
        "FLOW230": Severity.WARNING,
        "FLOW414": Severity.INFO,
        "FLOW201": None,
    }


def test_acceptances_and_opt_in_checks_are_lists(tmp_path: Path) -> None:
    text = """
checks:
  ignore: [{code: FLOW418, paths: ["flows/legacy/**", ./a.yaml], reason: gone by spring}]
  enable: [FLOW205, style]
"""
    policy = load(tmp_path, text)
    assert policy.accepted == (Acceptance("FLOW418", ("flows/legacy/**", "a.yaml"), "gone by spring"),)
    assert {"FLOW205", "FLOW601", "FLOW610"} <= policy.enabled
    assert "FLOW414" not in policy.enabled


def test_an_error_that_stays_one_needs_no_reason(tmp_path: Path) -> None:
    assert load(tmp_path, "checks: {severity: {FLOW201: error}}\n").severities == {"FLOW201": Severity.ERROR}


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = """checks:
  severity: {FLOW0415: error, FLOW414: off, FLOW123: info}
  ignore: [{code: FLOW418}, 5]
  enable: [stile, style, FLOW0]
"""
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, text)
    assert [found.place.source.position(found.place.start)[0] for found in refused.value.diagnostics] == [
        2,
        2,
        3,
        3,
        4,
        4,
    ]


IGNORE = "checks: {ignore: [{%s}]}\n"


@pytest.mark.parametrize(
    ("text", "code", "place", "part", "help_"),
    [
        ("checks: {severity: {FLOW0415: error}}", "FLOW113", "1:21", "no code `FLOW0415`", "did you mean `FLOW415`?"),
        ("checks: {severity: {FLOW415: fatal}}", "FLOW113", "1:30", "`fatal` is none of", "known here"),
        ("checks: {severity: {FLOW415: erorr}}", "FLOW113", "1:30", "`erorr` is none of", "did you mean `error`?"),
        ("checks: {severity: {FLOW415: false}}", "FLOW113", "1:30", "`False` is none of", "write `off`"),
        ("checks: {severity: {FLOW415: {}}}", "FLOW111", "1:30", "`level` is missing", "level"),
        ("checks: {severity: {FLOW415: {level: error, why: x}}}", "FLOW110", "1:45", "unknown key `why`", "known here"),
        ("checks: {severity: {FLOW415: {level: error, reason: ' '}}}", "FLOW112", "1:53", "expected a reason", "why"),
        ("checks: {severity: {FLOW414: off}}", "FLOW111", "1:30", "lowering it needs a `reason`", "level: off"),
        ("checks: {severity: {FLOW414: warning}}", "FLOW111", "1:30", "lowering it needs a `reason`", "level: warning"),
        (
            "checks: {severity: {FLOW201: {level: info}}}",
            "FLOW111",
            "1:38",
            "lowering it needs a `reason`",
            "level: info",
        ),
        (
            "checks: {severity: {FLOW131: {level: info, reason: x}}}",
            "FLOW120",
            "1:21",
            "cannot be changed",
            "remove it",
        ),
        ("checks: {severity: [FLOW415]}", "FLOW112", "1:20", "expected a map of codes, found a list", "FLOW415: error"),
        ("checks: {severities: {}}", "FLOW110", "1:10", "unknown key `severities`", "did you mean `severity`?"),
        ("checks: [style]", "FLOW112", "1:9", "expected a map for `checks`", "`severity`, `ignore`, `enable`"),
        ("checks: {enable: style}", "FLOW112", "1:18", "expected a list of codes and groups", "[style]"),
        ("checks: {enable: [stile]}", "FLOW113", "1:19", "no code or group `stile`", "did you mean `style`?"),
        ("checks: {enable: [[]]}", "FLOW113", "1:19", "no code or group", "groups like `style`"),
        ("checks: {ignore: {code: FLOW418}}", "FLOW112", "1:18", "expected a list of maps", "reason"),
        (
            "checks: {ignore: [FLOW418]}",
            "FLOW112",
            "1:19",
            "expected a map, found text",
            "`code`, `paths` and `reason`",
        ),
        (IGNORE % "code: FLOW418, paths: [a]", "FLOW111", "1:19", "`reason` is missing", "reason"),
        (IGNORE % "code: FLOW418, reason: x", "FLOW111", "1:19", "`paths` is missing", "paths"),
        (IGNORE % "code: FLOW1, paths: [a], reason: x", "FLOW113", "1:26", "no code `FLOW1`", ""),
        (IGNORE % "code: FLOW418, paths: a, reason: x", "FLOW112", "1:42", "expected a list of paths", "**"),
        (
            IGNORE % "code: FLOW418, paths: [], reason: x",
            "FLOW112",
            "1:42",
            "expected a list of paths, found none",
            "**",
        ),
        (IGNORE % "code: FLOW418, paths: [1], reason: x", "FLOW112", "1:43", "expected text, found a number", ""),
        (
            IGNORE % "code: FLOW418, paths: [../a], reason: x",
            "FLOW112",
            "1:43",
            "`..` is not allowed",
            "these settings",
        ),
        (IGNORE % "code: FLOW418, paths: [/a], reason: x", "FLOW112", "1:43", "absolute paths", "these settings"),
        (
            IGNORE % "code: FLOW418, paths: [a], reason: 5",
            "FLOW112",
            "1:55",
            "expected a reason, found a number",
            "why",
        ),
        (IGNORE % "code: FLOW901, paths: [a], reason: x", "FLOW120", "1:26", "cannot be changed", "remove it"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(
    tmp_path: Path, text: str, code: str, place: str, part: str, help_: str
) -> None:
    with pytest.raises(BadSettings) as refused:
        load(tmp_path, text)
    (found,) = refused.value.diagnostics
    line, column = found.place.source.position(found.place.start)
    assert (found.code, f"{line}:{column}") == (code, place)
    assert part in found.message
    assert help_ in (found.help or "")
