"""What other projects take from this repository works: each file is read, and what it runs is run in a project."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
GOOD = "version: 1\ntasks:\n  greet: {run: echo hello}\n"
LOOSE = "version: 1\ntasks:\n  greet: {run: 'echo hello'}\n"
FIXABLE = "version: 1\ntasks:\n  greet: {run: echo hello, timout: 5m}\n"
BROKEN = "version: 1\ntasks:\n  greet: {run: echo hello, after: [nobody_at_all]}\n"


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A repository with a flow, and with YAML that is none."""
    folder = tmp_path / "project"
    (folder / "flows").mkdir(parents=True)
    (folder / "flowctl.yaml").write_text("{}\n")
    (folder / "flows" / "greet.yaml").write_text(GOOD)
    (folder / "compose.yaml").write_text("services:\n  web: {image: x}\n")
    for command in (["init", "-q"], ["add", "."]):
        subprocess.run(["git", *command], cwd=folder, check=True)
    return folder


def environment(tmp_path: Path, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "GITHUB_", "CI"))}
    return {
        **kept,
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(tmp_path),
        "FLOWCTL_HOME": str(tmp_path / "home"),
        "PRE_COMMIT_HOME": str(tmp_path / "pre-commit"),
        **more,
    }


def put(project: Path, text: str) -> None:
    (project / "flows" / "greet.yaml").write_text(text)
    subprocess.run(["git", "add", "."], cwd=project, check=True)


# --- pre-commit -------------------------------------------------------------------------------------------------------


def pre_commit(project: Path, tmp_path: Path, hook: str) -> subprocess.CompletedProcess[str]:
    """Run a hook as pre-commit does, with the program of this environment in place of an installed one."""
    [found] = [one for one in load(ROOT / ".pre-commit-hooks.yaml") if one["id"] == hook]
    hooks = [{**found, "language": "system"}]
    (project / ".pre-commit-config.yaml").write_text(json.dumps({"repos": [{"repo": "local", "hooks": hooks}]}))
    subprocess.run(["git", "add", "."], cwd=project, check=True)
    return subprocess.run(
        [BIN / "pre-commit", "run", hook, "--all-files"],
        cwd=project, env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip


@pytest.mark.skipif(not (BIN / "pre-commit").exists(), reason="pre-commit is not installed")
def test_the_hooks_are_ones_that_pre_commit_accepts(tmp_path: Path) -> None:
    done = subprocess.run(
        [BIN / "pre-commit", "validate-manifest", ROOT / ".pre-commit-hooks.yaml"],
        env=environment(tmp_path), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.skipif(not (BIN / "pre-commit").exists(), reason="pre-commit is not installed")
def test_the_hook_checks_the_flows_of_a_project(project: Path, tmp_path: Path) -> None:
    done = pre_commit(project, tmp_path, "flowctl-validate")
    assert done.returncode == 0, done.stdout
    put(project, BROKEN)
    done = pre_commit(project, tmp_path, "flowctl-validate")
    assert done.returncode == 1
    assert "error[FLOW201]" in done.stdout


@pytest.mark.skipif(not (BIN / "pre-commit").exists(), reason="pre-commit is not installed")
def test_the_hooks_that_write_fail_once_and_pass_then(project: Path, tmp_path: Path) -> None:
    for hook, text, result in (
        ("flowctl-fmt", LOOSE, GOOD),
        ("flowctl-fix", FIXABLE, FIXABLE.replace("timout", "timeout")),
    ):
        put(project, text)
        assert pre_commit(project, tmp_path, hook).returncode == 1
        assert (project / "flows" / "greet.yaml").read_text() == result
        put(project, result)
        assert pre_commit(project, tmp_path, hook).returncode == 0


# --- GitHub -----------------------------------------------------------------------------------------------------------


def action(project: Path, tmp_path: Path, **inputs: str) -> list[subprocess.CompletedProcess[str]]:
    """Run the steps of the action that call flowctl, as the runner does."""
    found = load(ROOT / "action.yml")
    given = {name: about["default"] for name, about in found["inputs"].items()} | inputs
    done = []
    for step in found["runs"]["steps"]:
        if "flowctl " not in step.get("run", "") or "pip" in step["run"]:
            continue
        if "if" in step and step["if"] != f"inputs.format == '{given['format']}'":
            continue
        variables = {name: expanded(text, given) for name, text in step.get("env", {}).items()}
        env = environment(tmp_path, GITHUB_ACTIONS="true", CI="true", **variables)
        done.append(
            subprocess.run(
                ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]],
                cwd=project / expanded(step["working-directory"], given),
                env=env,
                capture_output=True,
                text=True,
                check=False,
            )
        )
    return done


def expanded(text: str, inputs: dict[str, str]) -> str:
    for name, value in inputs.items():
        text = text.replace(f"${{{{ inputs.{name} }}}}", value)
    return text


def test_the_action_annotates_what_it_finds(project: Path, tmp_path: Path) -> None:
    [done] = action(project, tmp_path)
    assert done.returncode == 0, done.stderr
    put(project, BROKEN)
    [done] = action(project, tmp_path)
    assert done.returncode == 1
    assert "::error file=flows/greet.yaml,line=3," in done.stdout


def test_the_action_takes_paths_and_may_be_strict(project: Path, tmp_path: Path) -> None:
    put(project, BROKEN)
    (project / "other.yaml").write_text("version: 1\nenv: {DEBUG: yes}\ntasks:\n  a: {run: x}\n")
    [done] = action(project, tmp_path, paths="other.yaml")
    assert done.returncode == 0
    [done] = action(project, tmp_path, paths="other.yaml", **{"deny-warnings": "true"})
    assert done.returncode == 1
    [done] = action(project, tmp_path, paths="flows other.yaml")
    assert done.returncode == 1


def test_the_action_may_check_the_form(project: Path, tmp_path: Path) -> None:
    put(project, LOOSE)
    checked, formed = action(project, tmp_path, format="true")
    assert checked.returncode == 0
    assert formed.returncode == 1
    assert "+  greet: {run: echo hello}" in formed.stdout


def test_no_input_of_the_action_is_part_of_a_script() -> None:
    for step in load(ROOT / "action.yml")["runs"]["steps"]:
        assert "${{" not in step.get("run", "")


def test_what_the_action_installs_is_a_package() -> None:
    assert (ROOT / "pyproject.toml").is_file()
    [install] = [one["run"] for one in load(ROOT / "action.yml")["runs"]["steps"] if "pip" in one.get("run", "")]
    assert '"$GITHUB_ACTION_PATH"' in install


# --- GitLab -----------------------------------------------------------------------------------------------------------


def gitlab(project: Path, tmp_path: Path) -> int:
    """Run the job as GitLab does: the script until something fails, then what comes after it."""
    job = load(ROOT / "docs" / "how-to" / "ci" / "gitlab.yml")["flowctl"]
    env = environment(tmp_path, CI="true", GITLAB_CI="true")
    main = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", "\n".join(job["script"])],
        cwd=project,
        env=env,
        capture_output=True,
        check=False,
    )
    after = "\n".join(job["after_script"])
    subprocess.run(["bash", "-eo", "pipefail", "-c", after], cwd=project, env=env, capture_output=True, check=True)
    return main.returncode


def test_the_job_for_gitlab_fails_for_findings_and_leaves_a_report(project: Path, tmp_path: Path) -> None:
    report = (
        project / load(ROOT / "docs" / "how-to" / "ci" / "gitlab.yml")["flowctl"]["artifacts"]["reports"]["codequality"]
    )
    assert gitlab(project, tmp_path) == 0
    assert json.loads(report.read_text()) == []
    put(project, LOOSE)
    assert gitlab(project, tmp_path) == 1
    put(project, BROKEN)
    assert gitlab(project, tmp_path) == 1
    [found] = [one for one in json.loads(report.read_text()) if "FLOW201" in json.dumps(one)]
    assert found["location"]["path"] == "flows/greet.yaml"


def test_the_program_of_this_environment_is_what_is_run() -> None:
    assert shutil.which("flowctl", path=str(BIN)) is not None
