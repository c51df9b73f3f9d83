"""A flow is compiled once: what a second run takes from the cache, and everything that has it compiled anew."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.flowctl.commands import environment

PROBE = """
import json, os, sys
import flowctl.version
flowctl.version.VERSION = os.environ.get("PRETENDED", flowctl.version.VERSION)
from flowctl.cli.main import main
code = main(sys.argv[1:])
with open(os.environ["LOADED"], "w") as file:
    json.dump(sorted(sys.modules), file)
raise SystemExit(code)
"""
OF_COMPILING = {"pydantic", "ruamel", "jinja2", "specs.model", "specs.check", "specs.rules", "engine.compile"}
FLOW = "flows/parent.yaml"
PARENT = """\
version: 1
name: parent
include: [lib.yaml]
params:
  who: {default: world}
tasks:
  own: {extends: shout, env: {WHO: "${{ params.who | upper }}"}}
  child: {flow: child}
outputs:
  said: "${{ tasks.own.output.said }}"
"""
LIBRARY = """\
version: 1
templates:
  shout:
    run: echo "said=Hello $WHO" >> "$FLOW_OUTPUT"
    outputs: {said: {}}
"""
CHILD = "version: 1\nname: child\ntasks:\n  a: {run: 'true'}\n"


@dataclass(frozen=True)
class Ran:
    """How a run ended, and which modules it loaded."""

    code: int
    stdout: str
    stderr: str
    loaded: frozenset[str]

    @property
    def was_compiled(self) -> bool:
        """Whether the flow was read and compiled, or taken from the cache."""
        return "specs.check" in self.loaded


@dataclass(frozen=True)
class Project:
    """A project with a flow that includes a library and calls another flow."""

    folder: Path
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    @property
    def plans(self) -> Path:
        """The folder of the cache."""
        return self.folder / "home" / "cache" / "plans"

    @property
    def kept(self) -> list[Path]:
        """What is in it."""
        return sorted(self.plans.iterdir()) if self.plans.is_dir() else []

    def run(self, *arguments: str, flow: str = FLOW, env: dict[str, str] | None = None) -> Ran:
        """Run the flow in a fresh process."""
        return self.call("run", flow, *arguments, env=env)

    def call(self, *words: str, env: dict[str, str] | None = None) -> Ran:
        """Any command in a fresh process."""
        return self.end(self.start(*words, env=env))

    def start(self, *words: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The same, without waiting."""
        loaded = self.folder / f"loaded-{next(self.numbers)}"
        return subprocess.Popen(
            [sys.executable, "-c", PROBE, *words],
            cwd=self.folder,
            env=environment(self.folder, {"LOADED": str(loaded), **(env or {})}),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def end(self, process: subprocess.Popen[str]) -> Ran:
        """Wait for a run."""
        stdout, stderr = process.communicate(timeout=60)
        newest = max(self.folder.glob("loaded-*"), key=lambda path: path.stat().st_mtime_ns)
        loaded = json.loads(newest.read_text())
        newest.unlink()
        return Ran(process.returncode, stdout, re.sub(r"run \w+ of", "run ID of", stderr), frozenset(loaded))

    def write(self, name: str, text: str) -> None:
        """A file below the project's folder."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    made.write("flowctl.yaml", "")
    made.write("flows/parent.yaml", PARENT)
    made.write("flows/lib.yaml", LIBRARY)
    made.write("flows/child.yaml", CHILD)
    return made


def test_the_second_run_loads_nothing_that_reads_or_checks(project: Project) -> None:
    first, second = project.run("--json"), project.run("--json", "-p", "who=you")
    assert (first.code, second.code) == (0, 0), first.stderr + second.stderr
    assert first.was_compiled
    assert not second.loaded & OF_COMPILING
    assert '"said":"Hello WORLD"' in first.stdout.splitlines()[-1]
    assert '"said":"Hello YOU"' in second.stdout.splitlines()[-1]


def test_a_plan_is_for_its_owner_alone_and_holds_no_value_given_for_a_run(project: Project) -> None:
    source = "secrets: {token: {from: 'env:TOKEN'}}\nparams:\n  who: {sensitive: true, default: world}"
    project.write(FLOW, PARENT.replace("params:\n  who: {default: world}", source))
    for _ in range(2):
        ran = project.run("-p", "who=hush-hush-param", "--env", "A=hush-hush-env", env={"TOKEN": "hush-hush-secret"})
        assert ran.code == 0, ran.stderr
    (kept,) = project.kept
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert stat.S_IMODE(project.plans.stat().st_mode) == 0o700
    assert b"hush-hush" not in kept.read_bytes()


def test_files_with_the_same_text_are_the_same(project: Project) -> None:
    project.run()
    for name in ("parent", "lib", "child"):
        project.write(f"flows/{name}.yaml", (project.folder / f"flows/{name}.yaml").read_text())
    assert not project.run().was_compiled


CHANGES: dict[str, Callable[[Project], None]] = {
    "the flow": lambda project: project.write(FLOW, PARENT + "# changed\n"),
    "a library": lambda project: project.write("flows/lib.yaml", LIBRARY.replace("Hello", "Hi")),
    "a flow it calls": lambda project: project.write("flows/child.yaml", CHILD.replace("true", "exit 0")),
    "a file that comes first now": lambda project: project.write("flows/child.yaml", CHILD),
    "what the project makes of findings": lambda project: project.write("flowctl.yaml", "checks: {enable: [style]}\n"),
    "its limits": lambda project: project.write("flowctl.yaml", "limits: {nodes: 5000}\n"),
    "its connectors": lambda project: project.write("flowctl.yaml", "connectors: {thing: a.b:C}\n"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_has_the_flow_compiled_anew(project: Project, change: str) -> None:
    if change == "a file that comes first now":
        (project.folder / "flows/child.yaml").unlink()
        project.write("flows/child.yml", CHILD)
    assert project.run().was_compiled
    assert not project.run().was_compiled
    CHANGES[change](project)
    changed = project.run()
    assert changed.was_compiled
    assert changed.code == 0, changed.stderr
    assert not project.run().was_compiled


def test_what_became_wrong_is_refused(project: Project) -> None:
    assert project.run().code == 0
    (project.folder / "flows/child.yaml").unlink()
    gone = project.run()
    assert gone.code == 2
    assert "FLOW250" in gone.stderr or "child" in gone.stderr
    project.write("flows/child.yaml", CHILD)
    assert project.run().code == 0


def test_a_folder_that_is_somewhere_else_now_is_another(project: Project) -> None:
    project.write("elsewhere/where.yaml", "version: 1\ntasks: {a: {run: 'true'}}\n")
    shutil.copytree(project.folder / "elsewhere", project.folder / "there")
    link = project.folder / "linked"
    link.symlink_to("elsewhere")
    assert project.run(flow="linked/where.yaml").was_compiled
    assert not project.run(flow="linked/where.yaml").was_compiled
    link.unlink()
    link.symlink_to("there")
    assert project.run(flow="linked/where.yaml").was_compiled


def test_warnings_are_printed_each_time(project: Project) -> None:
    project.write(FLOW, PARENT.replace("child: {flow: child}", "child: {flow: child, after: [own], join: any}"))
    first, second = project.run(), project.run()
    assert "warning[FLOW214]" in first.stderr
    assert not second.was_compiled
    assert _told(second.stderr) == _told(first.stderr)


def _told(stderr: str) -> str:
    return stderr.partition("run ID of")[0]


def _spoil(change: Callable[[bytes], bytes]) -> Callable[[Path], object]:
    return lambda kept: kept.write_bytes(change(kept.read_bytes()))


def _make_a_folder(kept: Path) -> None:
    kept.unlink()
    kept.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "empty": _spoil(lambda _: b""),
    "cut short": _spoil(lambda data: data[:-1]),
    "cut in the middle": _spoil(lambda data: data[: len(data) // 2]),
    "longer": _spoil(lambda data: data + b"\0"),
    "another first byte": _spoil(lambda data: b"F" + data[1:]),
    "another byte": _spoil(lambda data: data[:200] + bytes([data[200] ^ 1]) + data[201:]),
    "writable by others": lambda kept: kept.chmod(0o666),
    "a folder": _make_a_folder,
    "a link": lambda kept: kept.symlink_to(kept.rename(kept.with_name("moved"))),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_cannot_be_trusted_is_as_good_as_none(project: Project, damage: str) -> None:
    project.run()
    (kept,) = project.kept
    DAMAGES[damage](kept)
    ran = project.run()
    assert (ran.code, ran.was_compiled) == (0, True), ran.stderr
    assert project.run().was_compiled == (damage == "a folder")


def test_a_cache_that_cannot_be_written_is_done_without(project: Project) -> None:
    project.write("home/cache", "not a folder")
    first, second = project.run(), project.run()
    assert (first.code, second.code) == (0, 0)
    assert _told(first.stderr) == _told(second.stderr)
    assert second.was_compiled


@pytest.mark.parametrize("how", ["--no-cache", "FLOWCTL_CACHE", "flowctl.yaml"])
def test_a_flow_is_compiled_anew_when_that_is_wanted(project: Project, how: str) -> None:
    project.write("flowctl.yaml", "cache: false\n" if how == "flowctl.yaml" else "")
    arguments = [how] if how == "--no-cache" else []
    env = {how: "false"} if how == "FLOWCTL_CACHE" else {}
    assert project.run(*arguments, env=env).was_compiled
    assert project.run(*arguments, env=env).was_compiled
    assert project.kept == []


def test_runs_at_the_same_time_share_a_cache(project: Project) -> None:
    together = [project.start("run", FLOW) for _ in range(4)]
    for process in together:
        _, stderr = process.communicate(timeout=60)
        assert process.returncode == 0, stderr
    (kept,) = project.kept
    assert kept.name.endswith(".plan")
    assert not project.run().was_compiled


def test_another_version_of_the_program_compiles_for_itself(project: Project) -> None:
    assert project.run().was_compiled
    assert project.run(env={"PRETENDED": "99.9"}).was_compiled
    assert not project.run(env={"PRETENDED": "99.9"}).was_compiled
    assert not project.run().was_compiled


def test_a_working_copy_notices_that_it_was_edited(project: Project, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    for package in ("specs", "engine", "flowctl"):
        source = Path(__file__).parents[3] / package
        shutil.copytree(source, copy / package, ignore=shutil.ignore_patterns("__pycache__"))
    env = {"PYTHONPATH": str(copy)}
    assert project.run(env=env).was_compiled
    assert not project.run(env=env).was_compiled
    with (copy / "engine" / "compile.py").open("a") as file:
        file.write("# edited\n")
    assert project.run(env=env).was_compiled


def test_a_connector_that_is_no_longer_installed_is_missed(project: Project, tmp_path: Path) -> None:
    installed = tmp_path / "packages" / "thing-1.0.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    (installed / "entry_points.txt").write_text("[flowctl.connectors]\nthing = thing:Thing\n")
    project.write(
        FLOW,
        "version: 1\ntasks:\n  a: {use: thing.do, if: false and params.x}\nparams: {x: {type: bool, default: true}}\n",
    )
    root = str(Path(__file__).parents[3])
    env = {"PYTHONPATH": f"{root}:{installed.parent}"}
    assert [project.run(env=env).was_compiled for _ in range(2)] == [True, False]
    shutil.rmtree(installed)
    gone = project.run(env=env)
    assert gone.code == 2
    assert "FLOW222" in gone.stderr


def test_the_plan_of_a_stored_run_is_kept_as_well(project: Project) -> None:
    project.write(FLOW, PARENT.replace("{default: world}", "{default: world, sensitive: true}"))
    assert project.run("-p", "who=hush-hush").code == 0
    project.write(FLOW, PARENT)
    shown = [project.call("show", "latest", "--json") for _ in range(2)]
    assert [one.was_compiled for one in shown] == [True, False]
    assert shown[0].stdout == shown[1].stdout
    assert "hush-hush" not in shown[1].stdout
    assert '"who": "***"' in shown[1].stdout or '"who":"***"' in shown[1].stdout


def test_a_flow_from_stdin_is_not_kept(project: Project) -> None:
    command = [sys.executable, "-m", "flowctl", "run", "-"]
    env = environment(project.folder)
    done = subprocess.run(
        command, cwd=project.folder, env=env, input=CHILD, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert project.kept == []
