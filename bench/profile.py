"""Where flowctl's own time goes: what importing costs, package by package, and what each part of the loop costs for a task."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from bench.contender import PROGRAMS, Case
from bench.contenders.flowctl import FLOWCTL
from bench.graphs import wide
from bench.shapes import Work

SEAMS: Sequence[tuple[str, str, str]] = (
    ("check the flow", "flowctl.workspace", "Workspace.check"),
    ("compile the plan", "flowctl.workspace", "Workspace.compile_checked"),
    ("open the store", "engine.store.sqlite", "SqliteStore.open"),
    ("decide", "engine.loop", "decide"),
    ("admit", "engine.loop", "Engine._offer"),
    ("admit", "engine.loop", "Engine._admit"),
    ("make rows", "engine.loop", "make_batch"),
    ("write rows", "engine.store.sqlite", "SqliteStore._transact"),
    ("store, around it", "engine.store.sqlite", "SqliteStore.commit"),
    ("make the launch", "engine.launching", "Launcher.launch"),
    ("make folders", "engine.run_files", "RunFiles.make_run"),
    ("start, around it", "engine.runners.local", "LocalRunner.start"),
    ("put the message together", "engine.runners.processes", "message"),
    ("send it", "engine.runners.links", "Link._send"),
    ("hear of ends", "engine.runners.links", "Link._read"),
    ("see what an end means", "engine.runners.processes", "ProcessAttempt.ended"),
    ("read outputs", "engine.runners.processes", "read_outputs"),
    ("tell the view", "flowctl.running", "_Telling.__call__"),
    ("wait", "engine.reactor", "SelectorReactor.wait"),
)
SHOWN_PACKAGES = 12
IMPORT_ROUNDS = 5
_IMPORT = "import time:"


def profile(count: int, *, tell: Callable[[str], None]) -> int:
    """Take a fan-out of `count` tasks apart and tell what was found; return an exit code."""
    with tempfile.TemporaryDirectory(prefix="flowctl-bench-") as name:
        folder = Path(name)
        return _tell_imports(folder / "one", tell) or _tell_parts(folder / "many", count, tell)


def _case(folder: Path, count: int) -> tuple[list[str], dict[str, str]]:
    """The arguments and the environment of a run of `count` tasks."""
    case = Case(Work.RUN, (wide(count),), folder, fan_out=True)
    command = FLOWCTL.works[Work.RUN](case)
    case.state.mkdir()
    return list(command.argv[1:]), {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(case.state), **command.env}


def _tell_imports(folder: Path, tell: Callable[[str], None]) -> int:
    arguments, env = _case(folder, 1)
    program = "import sys; from flowctl.cli.main import main; sys.exit(main(sys.argv[1:]))"
    start = [sys.executable, "-X", "importtime", "-c", program, *arguments]
    logs = []
    for _ in range(IMPORT_ROUNDS):
        done = subprocess.run(start, env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            return _tell_failure(done, tell)
        logs.append([_imported(line) for line in done.stderr.splitlines() if line.startswith(_IMPORT)][1:])
    least = min(logs, key=lambda log: sum(own_us for _, own_us in log))  # the one that was disturbed least
    self_us: dict[str, int] = defaultdict(int)
    modules: dict[str, int] = defaultdict(int)
    for package, own_us in least:
        self_us[package] += own_us
        modules[package] += 1
    tell(f"imports of `run` with one task: {sum(self_us.values()) / 1_000:.0f} ms, {len(least)} modules")
    for package in sorted(self_us, key=lambda one: -self_us[one])[:SHOWN_PACKAGES]:
        tell(f"  {package:<22}{self_us[package] / 1_000:>8.1f} ms {modules[package]:>5} modules")
    return 0


def _imported(line: str) -> tuple[str, int]:
    """The package of a line of `-X importtime`, and the microseconds of the module itself; the heading has none."""
    own, _, module = line.removeprefix(_IMPORT).split("|")
    return _package(module.strip()), int(own) if own.strip().isdigit() else 0


def _tell_failure(done: subprocess.CompletedProcess[str], tell: Callable[[str], None]) -> int:
    lines = [line for line in done.stderr.splitlines() if not line.startswith(_IMPORT)]
    tell(f"flowctl ended with {done.returncode}: " + "\n".join(lines[-3:]))
    return 1


def _package(module: str) -> str:
    first = module.partition(".")[0]
    return "standard library" if first in sys.stdlib_module_names else first


def _tell_parts(folder: Path, count: int, tell: Callable[[str], None]) -> int:
    arguments, env = _case(folder, count)
    seams = folder / "seams.json"
    seams.write_text(json.dumps(SEAMS), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(PROGRAMS / "profile_run.py"), str(seams), *arguments],
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        return _tell_failure(done, tell)
    found = json.loads(done.stdout.splitlines()[-1])
    _tell_found(found, count, tell)
    return int(found["exit_code"])


def _tell_found(found: dict[str, Any], count: int, tell: Callable[[str], None]) -> None:
    own = found["own_user_s"] + found["own_system_s"]
    tell(
        f"\n{count} tasks: {found['wall_s']:.2f} s wall, {own:.2f} s of own CPU ({found['own_system_s']:.2f} in the system),"
    )
    tell(f"{found['children_cpu_s']:.2f} s of the tasks' CPU; {found['imported_cpu_s']:.2f} s were imports")
    tell(f"  {'part':<22}{'calls':>8}{'wall':>12}{'CPU':>12}   ms for each task")
    for label, part in sorted(found["parts"].items(), key=lambda item: -float(item[1]["cpu_s"])):
        wall, cpu = (1_000 * part[key] / count for key in ("wall_s", "cpu_s"))
        tell(f"  {label:<22}{part['calls']:>8}{wall:>12.3f}{cpu:>12.3f}")
