"""Tools that read scripts: what they find and where, what they are not asked, what happens when they fail."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowctl.cli.main import main
from flowctl.scripts import ScriptChecks
from flowctl.scripts.checks import MOST_LINTED
from flowctl.scripts.syntax import is_plain, problems
from flowctl.scripts.tools import ToolFailed, ask
from specs.check import check_text
from specs.diagnostics import Diagnostic

PATH = f"{os.environ['PATH']}{os.pathsep}{Path(sys.executable).parent}"
ENVIRON = {"PATH": PATH}
SH = shutil.which("sh", path=PATH) or "/bin/sh"


def checked(text: str, checks: ScriptChecks) -> list[Diagnostic]:
    found = check_text(f"version: 1\n{text}".encode(), "flow.yaml", None, more_rules=checks.rules).diagnostics
    return [one for one in found if one.code in ("FLOW701", "FLOW702", "FLOW704", "FLOW901")]


def fake(folder: Path, name: str, body: str) -> dict[str, str]:
    """An environment in which a tool is the given script, beside the real shells."""
    program = folder / name
    program.write_text(f"#!/bin/sh\n{body}\n")
    program.chmod(0o755)
    return {"PATH": f"{folder}{os.pathsep}/usr/bin{os.pathsep}/bin"}


# --- syntax -----------------------------------------------------------------------------------------------------------

BROKEN = [
    "if x; do\nfi",
    'echo "open',
    "echo 'open",
    "echo `open",
    "{ echo a",
    "}",
    ")",
    "echo $(cat",
    "case x in",
    "for",
    "fi",
    "a ;; b",
    "echo ( a",
    "}; a; { b",
    "a ;; b) c",
]
SOUND = [
    "echo ok",
    "",
    "# only a comment",
    'echo "a" \'b\' `c` $(d) ${e:-"f"}',
    "if x; then\n  y\nfi",
    "cat <<END\nif ' \" (\nEND\n",
    "cat <<'A' <<-B\n'\nA\n\t\"\n\tB",
    "case $x in a) b ;; *) c ;; esac",
    "f() { return 1; }\nf",
    "exit 3",
    "echo ending \\",
    "echo '# ' ) ' # ' | cat",
]


@pytest.mark.parametrize("script", BROKEN)
def test_a_broken_script_is_found_among_sound_ones(script: str) -> None:
    for scripts in ([script], [*SOUND[:6], script, *SOUND[6:11]], [script, script + "\n# again"]):
        assert set(problems("sh", SH, scripts, ENVIRON)) == {one for one in scripts if one.startswith(script)}


@given(st.lists(st.sampled_from(SOUND[:11] + BROKEN), max_size=6, unique=True))
@settings(max_examples=25, deadline=None)
def test_scripts_are_judged_together_as_they_are_alone(scripts: list[str]) -> None:
    assert set(problems("sh", SH, scripts, ENVIRON)) == {one for one in scripts if one in BROKEN}


def test_sound_scripts_take_one_process(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def counting(argv: tuple[str, ...], environ: dict[str, str], *, text: str) -> object:
        asked.append(text)
        return ask(argv, environ, text=text)

    monkeypatch.setattr("flowctl.scripts.syntax.ask", counting)
    assert problems("sh", SH, [f'if a; then echo "{n}"; fi' for n in range(300)], ENVIRON) == {}
    assert len(asked) == 1


@given(st.text(alphabet='ab $"=\n/-', max_size=30))
@settings(max_examples=60, deadline=None)
def test_what_is_called_plain_is_accepted_by_the_shell(script: str) -> None:
    if is_plain(script):
        assert ask((SH, "-n", "/dev/stdin"), ENVIRON, text=script).exit_code == 0


def test_nothing_of_a_script_is_run(tmp_path: Path) -> None:
    target = tmp_path / "made"
    assert problems("sh", SH, [f"touch '{target}'", f"}}; touch '{target}'; {{ :"], ENVIRON) != {}
    assert not target.exists()


def test_bash_is_asked_about_bash() -> None:
    text = "tasks:\n  a: {shell: bash, run: 'if [[ $HOME == !(a|b) ]]; then echo; fi'}\n"
    assert [one.code for one in checked(text, ScriptChecks(ENVIRON)) if one.code == "FLOW701"] == []


def test_the_line_of_a_script_is_the_line_of_the_file() -> None:
    (finding,) = checked("tasks:\n  a:\n    run: |\n      echo one\n      fi\n", ScriptChecks(ENVIRON))
    source = finding.place.source
    assert source.position(finding.place.start) == (6, 7)
    assert source.text[finding.place.start : finding.place.end] == "fi"


# --- linters ----------------------------------------------------------------------------------------------------------


def test_a_missing_tool_is_told_once_and_is_no_finding(tmp_path: Path) -> None:
    checks = ScriptChecks({"PATH": str(tmp_path)})
    text = 'tasks:\n  a: {run: \'echo "$HOME"\'}\n  b: {shell: python, run: "import os"}\n'
    assert checked(text, checks) == checked(text, checks) == []
    assert [note.split()[0] for note in checks.notes] == ["`shellcheck`", "`ruff`"]


def test_without_scripts_no_tool_is_looked_for() -> None:
    checks = ScriptChecks({"PATH": ""})
    assert checked("tasks:\n  a: {exec: [make]}\n", checks) == []
    assert checks.notes == ()


@pytest.mark.parametrize("body", ["exit 3", "echo nonsense", "echo '{}'", "echo '{\"comments\": 3}'", "kill -9 $$"])
def test_a_tool_that_fails_is_told_and_is_no_finding(body: str, tmp_path: Path) -> None:
    checks = ScriptChecks(fake(tmp_path, "shellcheck", body))
    assert checked("tasks:\n  a: {run: 'echo $HOME'}\n", checks) == []
    assert checks.notes == ("`shellcheck` did not look at scripts: its answer cannot be read",)


def test_a_tool_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowctl.scripts.tools.TIMEOUT_S", 0.05)
    environ = fake(tmp_path, "shellcheck", "exec sleep 60")
    with pytest.raises(ToolFailed, match="longer than"):
        ask((str(tmp_path / "shellcheck"),), environ)


def test_a_linter_is_given_each_script_once_and_not_too_many(tmp_path: Path) -> None:
    body = f'printf "%s\\n" "$#" >> {tmp_path}/calls; echo \'{{"comments": []}}\''
    checks = ScriptChecks(fake(tmp_path, "shellcheck", body))
    same = "".join(f"  t{n}: {{run: 'echo $HOME'}}\n" for n in range(50))
    checked(f"tasks:\n{same}", checks)
    checked(f"tasks:\n{same}", checks)
    assert (tmp_path / "calls").read_text().splitlines() == ["4"]
    many = "".join(f"  t{n}: {{run: 'echo $HOME {n}'}}\n" for n in range(MOST_LINTED + 5))
    checked(f"tasks:\n{many}", checks)
    assert checks.notes == (f"`shellcheck` looked at the first {MOST_LINTED} scripts only",)


@pytest.mark.skipif(shutil.which("shellcheck", path=PATH) is None, reason="shellcheck is not installed")
def test_a_remark_stands_at_its_place_in_the_file() -> None:
    (finding,) = checked('tasks:\n  a:\n    run: |\n      x="a b"\n      rm $x\n', ScriptChecks(ENVIRON))
    source = finding.place.source
    assert finding.message == "shellcheck SC2086: double quote to prevent globbing and word splitting"
    assert source.text[finding.place.start : finding.place.end] == "$x"
    assert source.position(finding.place.start)[0] == 6


def test_linters_are_not_asked_about_what_is_not_syntax() -> None:
    found = checked("tasks:\n  a: {run: 'if $HOME; do'}\n", ScriptChecks(ENVIRON))
    assert [one.code for one in found] == ["FLOW701"]


# --- the command ------------------------------------------------------------------------------------------------------


def test_scripts_can_be_left_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow = tmp_path / "flow.yaml"
    flow.write_text("version: 1\ntasks:\n  a: {run: 'if x; do $MISSING'}\n")
    assert main(["validate", "--concise", str(flow)]) == 1
    assert "FLOW701" in capsys.readouterr().out
    assert main(["validate", "--concise", "--no-scripts", str(flow)]) == 0
    assert capsys.readouterr().out == ""


# --- many flows at once -----------------------------------------------------------------------------------------------


def flow_of(scripts: list[tuple[str, str]]) -> str:
    tasks = (f"  t{n}: {{run: {json.dumps(text)}, shell: {shell}}}\n" for n, (shell, text) in enumerate(scripts))
    return "tasks:\n" + "".join(tasks)


def told(texts: list[str], checks: ScriptChecks) -> list[list[Diagnostic]]:
    return [checked(text, checks) for text in texts]


def prepared(texts: list[str], environ: dict[str, str]) -> ScriptChecks:
    checks = ScriptChecks(environ)
    contexts = [check_text(f"version: 1\n{text}".encode(), "flow.yaml", None).context for text in texts]
    checks.prepare([context for context in contexts if context is not None])
    return checks


SCRIPTS = st.tuples(st.sampled_from(["sh", "bash"]), st.sampled_from([*SOUND[:1], *SOUND[2:10], *BROKEN]))


@given(st.lists(st.lists(SCRIPTS, min_size=1, max_size=3), min_size=1, max_size=5))
@settings(max_examples=15, deadline=None)
def test_flows_looked_at_together_are_told_the_same_as_alone(flows: list[list[tuple[str, str]]]) -> None:
    texts = [flow_of(scripts) for scripts in flows]
    together, alone = prepared(texts, ENVIRON), ScriptChecks(ENVIRON)
    assert told(texts, together) == told(texts, alone)
    assert together.notes == alone.notes


def test_many_sound_flows_start_each_tool_once(tmp_path: Path) -> None:
    log = tmp_path / "calls"
    fake(tmp_path, "sh", f'echo sh >> {log}; exec /bin/sh "$@"')
    fake(tmp_path, "ruff", f"echo ruff >> {log}; echo '[]'")
    environ = fake(tmp_path, "shellcheck", f"echo shellcheck >> {log}; echo '{{\"comments\": []}}'")
    texts = [flow_of([("sh", f'if a; then echo "{n}"; fi'), ("python", f"print({n})")]) for n in range(20)]
    checks = prepared(texts, environ)
    assert told(texts, checks) == [[]] * 20
    assert sorted(log.read_text().split()) == ["ruff", "sh", "shellcheck"]


def test_a_tool_that_fails_is_told_of_once_for_all_flows(tmp_path: Path) -> None:
    environ = fake(tmp_path, "shellcheck", "echo nonsense")
    texts = [flow_of([("sh", f'if a; then echo "{n}"; fi')]) for n in range(3)]
    checks = prepared(texts, environ)
    assert told(texts, checks) == [[], [], []]
    assert checks.notes == ("`shellcheck` did not look at scripts: its answer cannot be read",)


def test_an_answer_of_a_form_unheard_of_is_told_of_by_the_rule(tmp_path: Path) -> None:
    environ = fake(tmp_path, "shellcheck", "echo '{\"comments\": [{}]}'")
    texts = [flow_of([("sh", 'if a; then echo "b"; fi')])]
    assert [one.code for one in told(texts, prepared(texts, environ))[0]] == ["FLOW901"]


def test_a_broken_script_in_one_of_many_flows_is_found_with_few_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [flow_of([("sh", f'if a; then echo "{n}"; fi')]) for n in range(64)]
    texts[40] = flow_of([("sh", "if a; then")])
    asked: list[str] = []

    def counting(argv: tuple[str, ...], environ: dict[str, str], *, text: str) -> object:
        asked.append(text)
        return ask(argv, environ, text=text)

    monkeypatch.setattr("flowctl.scripts.syntax.ask", counting)
    checks = prepared(texts, {"PATH": "/usr/bin:/bin"})
    found = [
        number for number, findings in enumerate(told(texts, checks)) if any(f.code == "FLOW701" for f in findings)
    ]
    assert found == [40]
    assert len(asked) <= 14  # all, two halves at each of six levels, and the flow itself
