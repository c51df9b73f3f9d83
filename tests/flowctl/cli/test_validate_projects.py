"""`flowctl validate` of whole projects: golden folders, what is a whole project, settings of checks, silences."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from specs.codes import OF_PROJECTS

Program = Any
GOLDEN = Path(__file__).parent.parent / "golden_projects"
CASES = sorted(path for path in GOLDEN.iterdir() if path.is_dir())
FLOW = "version: 1\ntasks:\n  a: {run: make}\n"
EMPTY = "version: 1\nenv:\ntasks:\n  a: {run: make}\n"  # FLOW123, a warning
TOKEN = (
    'version: 1\nenv: {K: "ghp_0123456789abcdefghijABCDEFGHIJ012345"}\ntasks:\n  a: {exec: [echo, "$K"]}\n'  # FLOW414
)


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


# --- golden folders -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_golden_project_has_the_findings_written_beside_it(program: Program, tmp_path: Path, case: Path) -> None:
    shutil.copytree(case, tmp_path / "case")
    done = program("-C", "case", "validate", "--concise", "--show-info", "--disable", "FLOW190")
    assert done.stdout == (case / "expected.out").read_text(encoding="utf-8")


def test_every_code_of_projects_has_a_golden_folder() -> None:
    assert {case.name.partition("-")[0] for case in CASES} >= OF_PROJECTS


# --- what is a whole project --------------------------------------------------------------------------------------


def test_files_that_were_named_are_compared_and_nothing_is_missed_in_them(program: Program, tmp_path: Path) -> None:
    write(
        tmp_path / "a.yaml", "version: 1\nname: same\ntriggers:\n  t: {flow: {name: other}}\ntasks:\n  a: {run: make}\n"
    )
    write(tmp_path / "b.yaml", f"version: 1\nname: same\n{FLOW.removeprefix('version: 1')}")
    done = program("validate", "--concise", "--disable", "FLOW190", "a.yaml", "b.yaml")
    assert [line.split(": ")[1] for line in done.stdout.splitlines()] == ["error[FLOW257]"]


@pytest.mark.parametrize(
    ("paths", "is_whole"),
    [([], True), (["."], True), (["flows"], True), (["flows/part"], False), (["flows/a.yaml"], False)],
)
def test_what_no_file_has_is_told_of_whole_projects_only(
    program: Program, tmp_path: Path, paths: list[str], is_whole: bool
) -> None:
    write(tmp_path / "flowctl.yaml", "")
    listening = "version: 1\ntriggers:\n  t: {flow: {name: part}}\ntasks:\n  a: {run: make}\n"
    for name in ("flows/a.yaml", "flows/part/b.yaml"):
        write(tmp_path / name, listening)
    done = program("validate", "--concise", *paths)
    assert ("FLOW514" in done.stdout) is is_whole


def test_a_file_that_cannot_be_read_leaves_open_what_there_is(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", "version: 1\ntriggers:\n  t: {flow: {name: b}}\ntasks:\n  a: {run: make}\n")
    write(tmp_path / "flows/broken.yaml", "version: 1\nname: b\ntasks: [\n")
    assert "FLOW514" not in program("validate", "--concise").stdout


def test_two_projects_in_one_call_may_use_the_same_names(program: Program, tmp_path: Path) -> None:
    for folder in ("one", "two"):
        write(tmp_path / folder / "flowctl.yaml", "")
        write(tmp_path / folder / "flows" / "etl.yaml", FLOW)
    done = program("validate", "one", "two")
    assert (done.returncode, done.stderr) == (0, "no findings in 2 files\n")


def test_a_library_with_libraries_of_its_own_is_no_flow(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", f"version: 1\ninclude: [outer.yaml]\n{FLOW.removeprefix('version: 1')}")
    write(tmp_path / "flows/outer.yaml", "version: 1\ninclude: [inner.yaml]\nenv: {A: a}\n")
    write(tmp_path / "flows/inner.yaml", "version: 1\nenv: {B: b}\n")
    done = program("validate")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "no findings in 1 file\n")


def test_stdin_is_a_project_of_its_own(program: Program) -> None:
    hooks = "version: 1\nsecrets: {S: {from: 'env:S'}}\ntriggers:\n" + "".join(
        f"  {name}: {{webhook: {{path: /x, signature: {{scheme: github, secret: S}}}}}}\n" for name in "ab"
    )
    done = program("validate", "--concise", "-", input=hooks + FLOW.removeprefix("version: 1\n"))
    assert done.returncode == 1
    assert "<stdin>:5:23: error[FLOW509]: the webhook path `/x` is also used by another trigger" in done.stdout


# --- settings -----------------------------------------------------------------------------------------------------


def test_the_settings_raise_lower_and_switch_off(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", EMPTY)
    assert program("validate").returncode == 0
    write(tmp_path / "flowctl.yaml", "checks: {severity: {FLOW123: error}}\n")
    done = program("validate", "--concise")
    assert (done.returncode, done.stdout) == (1, "flows/a.yaml:2:1: error[FLOW123]: `env` is empty\n")
    write(tmp_path / "flowctl.yaml", "checks: {severity: {FLOW123: off}}\n")
    assert program("validate", "--deny-warnings").returncode == 0


def test_an_error_that_the_project_answers_for_neither_fails_the_check_nor_stops_a_run(
    program: Program, tmp_path: Path
) -> None:
    write(tmp_path / "flows/a.yaml", TOKEN)
    assert program("validate").returncode == 1
    assert program("run", "flows/a.yaml").returncode == 2
    write(tmp_path / "flowctl.yaml", 'checks: {severity: {FLOW414: {level: warning, reason: "a sample token"}}}\n')
    assert program("validate").returncode == 0
    assert program("run", "flows/a.yaml").returncode == 0


def test_other_errors_can_be_lowered_for_the_check_and_still_stop_a_run(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", "version: 1\ntasks:\n  a: {run: make, after: [b]}\n")
    write(tmp_path / "flowctl.yaml", 'checks: {severity: {FLOW201: {level: info, reason: "b comes next week"}}}\n')
    assert program("validate").returncode == 0
    done = program("run", "flows/a.yaml")
    assert done.returncode == 2
    assert "error[FLOW201]" in done.stdout + done.stderr


def test_a_finding_is_accepted_where_the_settings_say_so(program: Program, tmp_path: Path) -> None:
    settings = 'checks:\n  ignore:\n    - {code: FLOW123, paths: ["flows/old/**"], reason: "written by a tool"}\n'
    write(tmp_path / "flowctl.yaml", settings)
    write(tmp_path / "flows/old/a.yaml", EMPTY)
    write(tmp_path / "flows/b.yaml", EMPTY)
    done = program("validate", "--concise")
    assert done.stdout == "flows/b.yaml:2:1: warning[FLOW123]: `env` is empty\n"
    (tmp_path / "else").mkdir()
    assert program("-C", "else", "validate", "--concise", "../flows/old/a.yaml").stdout == ""


def test_what_is_off_is_enabled_by_the_settings_or_the_call_and_disabled_by_the_call(
    program: Program, tmp_path: Path
) -> None:
    write(tmp_path / "flows/a.yaml", FLOW)

    def finds(*flags: str) -> bool:
        return "FLOW606" in program("validate", "--concise", "--show-info", *flags).stdout

    assert not finds()
    assert finds("--enable", "style")
    assert finds("--enable", "FLOW606")
    write(tmp_path / "flowctl.yaml", "checks: {enable: [style]}\n")
    assert finds()
    assert not finds("--disable", "style")
    assert not finds("--disable", "FLOW606")


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--enable", "stile"], "error: `--enable stile`: there is no such code or group"),
        (["--disable", "FLOW999"], "error: `--disable FLOW999`: there is no such code or group"),
        (["--disable", "FLOW201"], "error: `FLOW201` is an error, which `--disable` does not switch off"),
    ],
)
def test_switches_that_cannot_be_are_refused(program: Program, tmp_path: Path, flags: list[str], message: str) -> None:
    write(tmp_path / "flows/a.yaml", FLOW)
    done = program("validate", *flags)
    assert done.returncode == 2
    assert done.stderr.splitlines()[0] == message


def test_wrong_settings_are_told_with_their_place(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "flows/a.yaml", FLOW)
    write(tmp_path / "flowctl.yaml", "checks:\n  severity:\n    FLOW0415: error\n")
    done = program("validate")
    assert done.returncode == 2
    assert "flowctl.yaml:3:5" in done.stderr
    assert "did you mean `FLOW415`?" in done.stderr


# --- silences -----------------------------------------------------------------------------------------------------


def test_needless_silences_are_fixed(program: Program, tmp_path: Path) -> None:
    path = write(tmp_path / "flows/a.yaml", FLOW.replace("version: 1\n", "version: 1  # flow: ignore[FLOW123]\n"))
    assert "FLOW903" in program("validate", "--concise").stdout
    assert program("validate", "--fix").returncode == 0
    assert path.read_text() == FLOW


def test_a_silenced_judgement_stops_no_run(program: Program, tmp_path: Path) -> None:
    write(tmp_path / "a.yaml", TOKEN.replace("}\ntasks", "}  # flow: ignore[FLOW414] -- a sample token\ntasks"))
    assert program("validate", "a.yaml").returncode == 0
    assert program("run", "a.yaml").returncode == 0
