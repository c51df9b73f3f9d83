"""The forms in which `flowctl validate` reports, held against their published schemas and read as their readers do."""

from __future__ import annotations

import json
import re
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from lxml import etree  # type: ignore[import-untyped]

from flowctl.findings.reports import FindingsForm
from specs.codes import CODES

Program = Any
SCHEMAS = Path(__file__).parent.parent / "findings" / "schemas"
GOLDEN = Path(__file__).parents[2] / "specs" / "golden"
GOOD = "version: 1\ntasks:\n  a: {run: make}\n"
BAD = "version: 1\ntasks:\n  load:\n    after: [fecth]\n    run: make\n  fetch: {run: make}\n"
EMPTY = "version: 1\nenv:\ntasks:\n  a: {run: make}\n"  # FLOW123, a warning
NASTY = 'version: 1\ntasks:\n  a: {run: make, "x%0A::error::<b>|\\u0007\\u202e\\U0001f600]]>&": 1}\n'
WHOLE = ("sarif", "gitlab", "junit")


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def three(tmp_path: Path) -> None:
    """A project with a good, a bad and a warned flow."""
    for name, text in (("good", GOOD), ("bad", BAD), ("warned", EMPTY)):
        write(tmp_path / "flows" / f"{name}.yaml", text)


def check_sarif(text: str) -> dict[str, Any]:
    log: dict[str, Any] = json.loads(text)
    schema = json.loads((SCHEMAS / "sarif-2.1.0-rtm.5.json").read_text())
    jsonschema.Draft4Validator(schema, format_checker=jsonschema.FormatChecker()).validate(log)
    return log


def check_junit(text: str) -> Any:
    document = etree.fromstring(text.encode())
    etree.XMLSchema(etree.parse(str(SCHEMAS / "junit-10.xsd"))).assertValid(document)
    return document


def check_gitlab(text: str) -> list[dict[str, Any]]:
    issues: list[dict[str, Any]] = json.loads(text)
    assert len({issue["fingerprint"] for issue in issues}) == len(issues)
    for issue in issues:
        assert issue["severity"] in ("info", "minor", "major", "critical", "blocker")
        assert issue["location"]["lines"]["begin"] >= 1
        assert {type(issue[key]) for key in ("description", "check_name", "fingerprint")} == {str}
        assert not issue["location"]["path"].startswith(("./", "/"))
    return issues


CHECKS: dict[str, Callable[[str], Any]] = {"sarif": check_sarif, "gitlab": check_gitlab, "junit": check_junit}


# --- what all forms keep ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("form", list(FindingsForm))
def test_the_exit_code_does_not_depend_on_the_form(program: Program, form: FindingsForm) -> None:
    assert program("validate", "--format", form.value).returncode == 1
    assert program("validate", "--format", form.value, "flows/warned.yaml").returncode == 0
    assert program("validate", "--format", form.value, "--deny-warnings", "flows/warned.yaml").returncode == 1
    assert program("validate", "--format", form.value, "flows/good.yaml").returncode == 0
    assert program("validate", "--format", form.value, "flows/none.yaml").returncode == 2


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("form", list(FindingsForm))
def test_a_report_is_the_same_each_time(program: Program, form: FindingsForm) -> None:
    first = program("validate", "--format", form.value)
    assert first == program("validate", "--format", form.value)
    assert first.stderr == "1 error, 1 warning in 3 files\n"
    assert "FLOW201" in first.stdout
    assert "FLOW123" in first.stdout


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("form", WHOLE)
def test_a_report_of_nothing_is_a_report(program: Program, form: str) -> None:
    CHECKS[form](program("validate", "--format", form, "flows/good.yaml").stdout)


@pytest.mark.parametrize("form", [*WHOLE, "json", "github", "markdown"])
def test_nothing_of_a_file_breaks_out_of_a_report(program: Program, tmp_path: Path, form: str) -> None:
    write(tmp_path / "a,b:c%é.yaml", NASTY)
    text = program("validate", "--format", form, ".").stdout
    assert "FLOW110" in text
    CHECKS.get(form, str)(text)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize("form", WHOLE)
def test_reports_of_all_golden_flows_keep_to_their_schemas(program: Program, form: str) -> None:
    done = program("-C", str(GOLDEN), "validate", "--format", form, "--show-info", "--enable", "style", ".")
    assert done.returncode == 1
    CHECKS[form](done.stdout)


# --- each form ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("three")
def test_ndjson_is_json_a_line(program: Program) -> None:
    lines = program("validate", "--format", "ndjson").stdout.splitlines()
    assert [json.loads(line)["code"] for line in lines] == ["FLOW201", "FLOW123"]
    assert program("validate", "--format", "json").stdout.splitlines() == lines


@pytest.mark.usefixtures("three")
def test_sarif_has_rules_regions_fixes_and_labels(program: Program) -> None:
    (run,) = check_sarif(program("validate", "--format", "sarif").stdout)["runs"]
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == list(CODES)
    bad = next(result for result in run["results"] if result["ruleId"] == "FLOW201")
    assert rules[bad["ruleIndex"]]["id"] == "FLOW201"
    assert bad["level"] == "error"
    place = bad["locations"][0]["physicalLocation"]
    assert place["artifactLocation"] == {"uri": "flows/bad.yaml", "uriBaseId": "%SRCROOT%"}
    start = BAD.index("fecth")
    assert place["region"] == {
        "startLine": 4,
        "startColumn": 13,
        "endLine": 4,
        "endColumn": 18,
        "charOffset": start,
        "charLength": 5,
    }
    (change,) = bad["fixes"][0]["artifactChanges"]
    assert change["replacements"][0]["insertedContent"] == {"text": "fetch"}
    assert change["replacements"][0]["deletedRegion"]["charOffset"] == start
    assert bad["locations"][0]["logicalLocations"][0]["fullyQualifiedName"] == "tasks.load.after[0].task"


def test_sarif_names_second_places(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", "version: 1\nname: same\ntasks:\n  a: {run: make}\n")
    write(tmp_path / "flows/b é.yaml", "version: 1\nname: same\ntasks:\n  a: {run: make}\n")
    (run,) = check_sarif(program("validate", "--format", "sarif").stdout)["runs"]
    (result,) = run["results"]
    uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert urllib.parse.unquote(uri) == "flows/b é.yaml"
    related = result["relatedLocations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert related == "flows/a.yaml"


def fingerprints(program: Program, form: str) -> dict[str, str]:
    text = program("validate", "--format", form).stdout
    if form == "gitlab":
        return {issue["check_name"]: issue["fingerprint"] for issue in json.loads(text)}
    results = json.loads(text)["runs"][0]["results"]
    return {result["ruleId"]: result["partialFingerprints"]["keyPath/v1"] for result in results}


@pytest.mark.parametrize("form", ["sarif", "gitlab"])
def test_fingerprints_stay_when_lines_move_and_differ_by_task(program: Program, tmp_path: Path, form: str) -> None:
    path = write(tmp_path / "flows/a.yaml", BAD)
    before = fingerprints(program, form)
    path.write_text(BAD.replace("tasks:\n", "# moved\n\ntasks:\n  early: {run: make}\n"))
    assert fingerprints(program, form) == before
    path.write_text(BAD.replace("load:", "unload:"))
    assert fingerprints(program, form).keys() == before.keys()
    assert fingerprints(program, form) != before


@pytest.mark.usefixtures("three")
def test_gitlab_has_an_issue_for_each_finding(program: Program) -> None:
    issues = check_gitlab(program("validate", "--format", "gitlab").stdout)
    assert [(one["check_name"], one["severity"], one["location"]) for one in issues] == [
        ("FLOW201", "major", {"path": "flows/bad.yaml", "lines": {"begin": 4, "end": 4}}),
        ("FLOW123", "minor", {"path": "flows/warned.yaml", "lines": {"begin": 2, "end": 2}}),
    ]


def test_an_error_of_safety_is_critical(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", 'version: 1\ntasks:\n  a: {run: "echo ${{ run.id }}"}\n')
    assert [one["severity"] for one in check_gitlab(program("validate", "--format", "gitlab").stdout)] == ["critical"]


@pytest.mark.usefixtures("three")
def test_junit_has_a_suite_for_each_file_and_a_case_for_each_code(program: Program) -> None:
    document = check_junit(program("validate", "--format", "junit").stdout)
    cases = {
        suite.get("name"): [(case.get("name"), [child.tag for child in case]) for case in suite] for suite in document
    }
    assert cases == {
        "flows/bad.yaml": [("FLOW201", ["failure"])],
        "flows/good.yaml": [("valid", [])],
        "flows/warned.yaml": [("FLOW123", ["system-out"])],
    }
    assert (document.get("tests"), document.get("failures")) == ("3", "1")
    failure = document.find(".//failure")
    assert failure.get("message") == "`load` waits for `fecth`, which does not exist"
    assert "flows/bad.yaml:4:13" in failure.text
    assert "did you mean `fetch`?" in failure.text


@pytest.mark.usefixtures("three")
def test_what_is_denied_fails_in_junit(program: Program) -> None:
    document = check_junit(program("validate", "--format", "junit", "--deny-warnings").stdout)
    assert document.get("failures") == "2"


def test_findings_of_one_code_are_one_case(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", "version: 1\nenv:\nlabels:\ntasks:\n  a: {run: make}\n")
    document = check_junit(program("validate", "--format", "junit").stdout)
    (case,) = document.iter("testcase")
    assert case.find("system-out").text.count("FLOW123") == 2


@pytest.mark.usefixtures("three")
def test_markdown_is_a_table(program: Program) -> None:
    lines = program("validate", "--format", "markdown").stdout.splitlines()
    assert lines[:4] == ["## flowctl validate", "", "1 error, 1 warning in 3 files", ""]
    assert lines[4:6] == ["| | code | place | finding |", "| --- | --- | --- | --- |"]
    assert lines[6].startswith(
        "| error | FLOW201 | <code>flows/bad.yaml&#58;4&#58;13</code> | <code>load</code> waits for "
    )
    assert len(lines) == 8


# --- GitHub -------------------------------------------------------------------------------------------------------

GITHUB = {"GITHUB_ACTIONS": "true"}
EXPECTED = (
    "::error file=flows/bad.yaml,line=4,endLine=4,col=13,endColumn=18,title=FLOW201"
    "::`load` waits for `fecth`, which does not exist%0Ahelp: did you mean `fetch`?"
)


@pytest.mark.usefixtures("three")
def test_github_gets_annotations_by_itself(program: Program) -> None:
    asked = program("validate", "--format", "github").stdout
    assert asked.splitlines()[0] == EXPECTED
    assert asked.splitlines()[1].startswith("::warning file=flows/warned.yaml,line=2,")
    assert program("validate", env=GITHUB).stdout == asked
    assert program("validate", env={"GITHUB_ACTIONS": "false"}).stdout.startswith("error[FLOW201]")
    assert program("validate", "--concise", env=GITHUB).stdout.startswith("flows/bad.yaml:4:13: ")
    assert program("validate", env={"GITLAB_CI": "true"}).stdout.startswith("error[FLOW201]")


def test_annotations_are_escaped(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "a,b:c%.yaml", NASTY)
    (line,) = program("validate", "--format", "github", ".").stdout.splitlines()
    assert line.startswith("::error file=a%2Cb%3Ac%25.yaml,line=3,endLine=3,")
    assert "%250A" in line


def test_annotations_that_github_would_drop_are_in_the_log(program: Program, tmp_path: Path) -> None:
    tasks = "".join(f"  t{n}: {{run: make, bad{n}x: 1}}\n" for n in range(15))
    write(tmp_path / "flows/a.yaml", f"version: 1\n{'env:'}\ntasks:\n{tasks}")
    lines = program("validate", "--format", "github").stdout.splitlines()
    assert sum(line.startswith("::error ") for line in lines) == 10
    assert sum(line.startswith("::warning ") for line in lines) == 1
    (told,) = (line for line in lines if line.startswith("::notice "))
    assert told == "::notice title=flowctl::GitHub shows 10 annotations of a kind; 5 findings more in the log"
    at = lines.index(told)
    group, pause, *plain, resume, end = lines[at + 1 :]
    assert group.startswith("::group::")
    assert end == "::endgroup::"
    assert resume == f"::{pause.removeprefix('::stop-commands::')}::"
    assert len(plain) == 5
    assert all("error[FLOW110]" in line for line in plain)


@pytest.mark.usefixtures("three")
def test_a_step_on_github_gets_a_summary(program: Program, tmp_path: Path) -> None:
    summary = write(tmp_path / "summary.md", "from before\n")
    env = {**GITHUB, "GITHUB_STEP_SUMMARY": str(summary)}
    program("validate", env=env)
    lines = summary.read_text().splitlines()
    assert lines[:2] == ["from before", "## flowctl validate"]
    assert lines[3] == "1 error, 1 warning in 3 files"
    done = program("validate", env={**env, "GITHUB_STEP_SUMMARY": str(tmp_path / "none" / "x")})
    assert (done.returncode, "warning: cannot write" in done.stderr) == (1, True)


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("variable", ["GITHUB_WORKSPACE", "CI_PROJECT_DIR"])
def test_files_are_named_from_the_checkout(program: Program, tmp_path: Path, variable: str) -> None:
    done = program("-C", "flows", "validate", "--format", "github", "bad.yaml", env={variable: str(tmp_path)})
    assert done.stdout.startswith("::error file=flows/bad.yaml,")


# --- the problem matcher ------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("three")
def test_the_problem_matcher_reads_concise_findings(program: Program) -> None:
    done = program("validate", "--problem-matcher")
    assert done.returncode == 0
    matchers = {one["owner"]: one["pattern"][0] for one in json.loads(done.stdout)["problemMatcher"]}
    assert set(matchers) == {"flowctl", "flowctl-info"}
    pattern = matchers["flowctl"]
    line, *_ = program("validate", "--concise").stdout.splitlines()
    match = re.fullmatch(pattern["regexp"], line)
    assert match is not None
    read = {key: match[pattern[key]] for key in ("file", "line", "column", "severity", "code", "message")}
    assert read == {
        "file": "flows/bad.yaml",
        "line": "4",
        "column": "13",
        "severity": "error",
        "code": "FLOW201",
        "message": "`load` waits for `fecth`, which does not exist",
    }


def test_information_is_a_notice(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", GOOD)
    pattern = next(
        one
        for one in json.loads(program("validate", "--problem-matcher").stdout)["problemMatcher"]
        if "severity" in one
    )
    assert pattern["severity"] == "notice"
    (line,) = program("validate", "--concise", "--show-info", "--enable", "FLOW606").stdout.splitlines()[:1]
    assert re.fullmatch(pattern["pattern"][0]["regexp"], line)


# --- files --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("form", list(FindingsForm))
def test_a_report_goes_to_a_file(program: Program, tmp_path: Path, form: FindingsForm) -> None:
    printed = program("validate", "--format", form.value).stdout
    write(tmp_path / "out/report", "older").chmod(0o640)
    done = program("validate", "--format", form.value, "--output-file", "out/report")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "1 error, 1 warning in 3 files\n")
    assert (tmp_path / "out/report").read_text() == printed
    assert (tmp_path / "out/report").stat().st_mode & 0o777 == 0o640
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["report"]


@pytest.mark.usefixtures("three")
def test_a_report_in_a_file_is_text_unless_asked_otherwise(program: Program, tmp_path: Path) -> None:
    program("validate", "--output-file", "report", env=GITHUB)
    assert (tmp_path / "report").read_text().startswith("error[FLOW201]")


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize("target", ["none/report", "flows"])
def test_a_report_that_cannot_be_written_is_told(program: Program, target: str) -> None:
    done = program("validate", "--format", "sarif", "--output-file", target)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: cannot write `{target}`: ")


@pytest.mark.usefixtures("three")
def test_a_device_is_written_to(program: Program) -> None:
    assert program("validate", "--output-file", "/dev/null").returncode == 1
