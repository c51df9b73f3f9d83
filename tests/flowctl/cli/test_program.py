"""The program from outside: commands, exit codes, streams, errors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowctl.cli.exits import MEANINGS, Exit, exit_of
from flowctl.cli.group import root_group, shared_parameters
from flowctl.cli.table import COMMANDS
from flowctl.version import VERSION

Program = Any
ROOT = Path(__file__).parents[3]


def test_the_version_is_that_of_the_package(program: Program) -> None:
    import tomllib

    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    done = program("--version")
    assert (done.returncode, done.stdout, done.stderr) == (0, f"flowctl {declared}\n", "")
    assert declared == VERSION


def test_the_help_lists_every_command_and_every_exit_code(program: Program) -> None:
    done = program("--help")
    assert done.returncode == 0
    for command in COMMANDS:
        assert f"{command.name} " in done.stdout
        assert command.summary in done.stdout
    for code, meaning in MEANINGS:
        assert f"{int(code)}  {meaning}" in done.stdout


def test_the_meanings_cover_every_exit_code() -> None:
    assert [code for code, _ in MEANINGS] == list(Exit)


@pytest.mark.parametrize("command", [command.name for command in COMMANDS])
def test_every_command_explains_itself(program: Program, command: str) -> None:
    done = program(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: flowctl {command}")
    for option in ("-C", "--color", "--config", "--store", "--json", "--quiet", "--verbose", "--no-input"):
        assert option in done.stdout


def test_no_command_has_an_option_that_hides_a_shared_one() -> None:
    group = root_group()
    shared = len(shared_parameters())
    for command in COMMANDS:
        built = group.get_command(None, command.name)
        spelled = [option for parameter in built.params for option in (*parameter.opts, *parameter.secondary_opts)]
        assert len(spelled) == len(set(spelled)), command.name
        assert len({parameter.name for parameter in built.params}) == len(built.params) > shared - 1


def test_without_a_command_the_help_goes_to_stderr_and_it_is_wrong_usage(program: Program) -> None:
    done = program()
    assert (done.returncode, done.stdout) == (2, "")
    assert "Usage: flowctl" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said", "help_line"),
    [
        (["vaildate"], "error: there is no command `vaildate`", "did you mean `validate`?"),
        (["zzz"], "error: there is no command `zzz`", "known here: `init`"),
        (["validate", "--bogus"], "error: no such option: --bogus", "see `flowctl validate --help`"),
        (["--bogus"], "error: no such option: --bogus", "see `flowctl --help`"),
        (["completion"], "error: missing argument `SHELL`", "see `flowctl completion --help`"),
        (["completion", "tcsh"], "`tcsh` is not one of `bash`, `zsh`, `fish`", "see `flowctl completion --help`"),
        (["init", "--color", "pink"], "`pink` is not one of", "see `flowctl init --help`"),
        (["-C", "nowhere", "init"], "error: cannot work in `nowhere`: no such file", "existing folder"),
        (["init", "--json", "-o", "text"], "exclude each other", ""),
    ],
)
def test_wrong_usage_is_one_line_with_a_way_out(
    program: Program, arguments: list[str], said: str, help_line: str
) -> None:
    done = program(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, *rest = done.stderr.splitlines()
    assert said in first
    assert help_line in "".join(rest)
    assert len(rest) <= 1


@pytest.mark.parametrize("flags", [["--json"], ["-o", "json"], ["-ojson"], ["--output=json"]])
def test_errors_in_json_are_objects_on_stderr(program: Program, flags: list[str]) -> None:
    done = program("init", *flags, "--bogus")
    assert (done.returncode, done.stdout) == (2, "")
    shape = json.loads(done.stderr)
    assert set(shape) == {"schema_version", "code", "message", "file", "line", "column", "hint"}
    assert shape["code"] == "usage"


def test_init_makes_a_project_and_overwrites_nothing(program: Program, tmp_path: Path) -> None:
    done = program("init", "new")
    assert done.returncode == 0
    files = ["new/flowctl.yaml", "new/flows/hello.yaml", "new/flows/hello.test.yaml"]
    assert done.stdout.splitlines() == [f"created {name}" for name in files]
    (tmp_path / "new/flows/hello.yaml").write_text("mine")
    again = program("init", "new", "--json")
    assert json.loads(again.stdout) == {
        "schema_version": 1,
        "created": [],
        "kept": files,
    }
    assert (tmp_path / "new/flows/hello.yaml").read_text() == "mine"


def test_init_where_nothing_can_be_made_says_so(program: Program, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = program("init", "file")
    assert done.returncode == 2
    assert done.stderr.startswith("error: cannot create `file/flowctl.yaml`")


def test_options_work_before_and_after_the_command(program: Program, tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    assert program("-C", "a", "-q", "init").stderr == ""
    assert program("init", "-C", "b", "--quiet").stderr == ""
    assert (tmp_path / "a/flowctl.yaml").exists()
    assert (tmp_path / "b/flowctl.yaml").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_completion_script_names_the_program(program: Program, shell: str) -> None:
    done = program("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    assert "_FLOWCTL_COMPLETE=complete_" + shell in done.stdout


def test_a_shell_is_told_commands_and_options(program: Program) -> None:
    def complete(words: str) -> list[str]:
        index = str(len(words.split(" ")) - 1)
        env = {"_FLOWCTL_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": index}
        return str(program(env=env).stdout).split()

    assert complete("flowctl v") == ["validate"]
    assert complete("flowctl validate --deny") == ["--deny-warnings"]
    assert complete("flowctl completion ") == ["bash", "zsh", "fish"]


def test_settings_that_are_wrong_are_shown_where_they_stand(program: Program, tmp_path: Path) -> None:
    (tmp_path / "flowctl.yaml").write_text("slots: 2\nstroe: x\n")
    done = program("validate", "-", input="version: 1\n")
    assert done.returncode == 2
    assert "error[FLOW110]: unknown key `stroe`\n --> flowctl.yaml:2:1\n" in done.stderr
    assert "did you mean `store`?" in done.stderr
    shape = json.loads(program("validate", "--json", "-", input="x").stderr.splitlines()[-1])
    assert (shape["code"], shape["file"], shape["line"], shape["column"]) == ("bad_settings", "flowctl.yaml", 2, 1)


DEFECT = """
import sys
import flowctl.cli.main as program
def broken(arguments): raise ZeroDivisionError("secret detail")
program._run = broken
sys.exit(program.main(["run", "--token=hunter2"]))
"""


def test_a_defect_is_one_line_and_a_report_in_a_file(tmp_path: Path) -> None:
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-c", DEFECT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("error: internal error: ZeroDivisionError; a report is in `")
    [report] = (tmp_path / "state" / "crashes").iterdir()
    text = report.read_text()
    assert "Traceback" in text
    assert "options: --token\n" in text
    assert "hunter2" not in text
    assert report.stat().st_mode & 0o077 == 0


def test_a_defect_shows_its_traceback_on_request(tmp_path: Path) -> None:
    env = {**os.environ, "FLOWCTL_HOME": "/proc/nowhere", "FLOWCTL_DEBUG": "1"}
    done = subprocess.run([sys.executable, "-c", DEFECT], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 3
    assert "Traceback" in done.stderr
    assert "error: internal error: ZeroDivisionError\n" in done.stderr


def test_an_interrupt_ends_quietly_with_its_own_code(tmp_path: Path) -> None:
    code = DEFECT.replace('ZeroDivisionError("secret detail")', "KeyboardInterrupt")
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def test_nobody_reading_the_output_is_no_error_to_talk_about(tmp_path: Path) -> None:
    shell = f"{sys.executable} -m flowctl --help | true; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", shell], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    assert done.stdout.strip() in ("0", "141")  # which of the two depends on who is faster


def test_a_closed_pipe_is_its_own_exit_code() -> None:
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        [sys.executable, "-m", "flowctl", "--help"], stdout=write_end, stderr=subprocess.PIPE, text=True, check=False
    )
    os.close(write_end)
    assert (done.returncode, done.stderr) == (141, "")


def test_a_full_disk_behind_stdout_is_told(program: Program) -> None:
    done = program("--help", stdout="/dev/full")
    assert done.returncode == 1
    assert done.stderr.startswith("error: cannot write the output: no space left on device")


def test_the_program_works_without_stdout_and_stderr() -> None:
    shell = f"{sys.executable} -m flowctl --help >&- 2>&-"
    assert subprocess.run(["bash", "-c", shell], cwd=ROOT, check=False).returncode == 0


def test_every_error_of_the_engine_has_an_exit_code() -> None:
    from engine import errors

    def below(kind: type[BaseException]) -> set[type[BaseException]]:
        return {kind}.union(*(below(child) for child in kind.__subclasses__()))

    assert all(exit_of(kind.__new__(kind)) is not Exit.INTERNAL for kind in below(errors.FlowctlError))
    assert exit_of(errors.RunNotFound("x")) is Exit.NOT_FOUND
    assert exit_of(errors.StoreConflict("x")) is Exit.CONFLICT
    assert exit_of(errors.BadParameters(["x"])) is Exit.USAGE
    assert exit_of(ValueError()) is Exit.INTERNAL


def test_a_program_started_without_any_stream_keeps_its_files_whole(tmp_path: Path) -> None:
    (tmp_path / "f.yaml").write_text("version: 1\ntasks: {a: {run: echo hello}}\n")
    env = {**os.environ, "FLOWCTL_HOME": str(tmp_path / "home")}
    flowctl = f"{sys.executable} -m flowctl"
    script = f"{flowctl} run f.yaml <&- >&- 2>&-; echo code $?; {flowctl} runs --json"
    done = subprocess.run(["sh", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    code, listed = done.stdout.splitlines()
    assert code == "code 0"
    assert [run["state"] for run in json.loads(listed)["items"]] == ["succeeded"]


def test_who_stands_in_no_project_works_in_that_of_the_flow_named_first(program: Program, tmp_path: Path) -> None:
    project = tmp_path / "elsewhere"
    (project / "flows").mkdir(parents=True)
    (project / "flowctl.yaml").write_text("connectors: {paper: 'own_connectors:Paper'}\n")
    (project / "flows" / "f.yaml").write_text("version: 1\ntasks: {a: {use: paper.write}}\n")
    assert program("validate", "elsewhere/flows/f.yaml").returncode == 0
    assert program("validate", "elsewhere").returncode == 0
    assert program("graph", "elsewhere/flows/f.yaml").returncode == 0
    (tmp_path / "flowctl.yaml").write_text("")
    done = program("validate", "--concise", "elsewhere/flows/f.yaml")
    assert done.returncode == 1
    assert "FLOW222" in done.stdout
