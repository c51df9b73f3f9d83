"""Floors: programs that start processes and keep nothing, or only start. They show what the machine allows."""

from __future__ import annotations

import platform
import re
import sys

from bench.contender import AT_ONCE, PROGRAMS, Case, Command, Contender, Kind
from bench.contenders.versions import of_program
from bench.shapes import Work

_NINJA_DONE = re.compile(r"\[(\d+)/(\d+)\]")
_COUNTED = re.compile(r"^done (\d+)$", re.MULTILINE)


def _xargs(case: Case) -> Command:
    names = case.write("names.txt", "".join(f"{case.mark(task.name)}\n" for task in case.graph))
    return Command(("xargs", "-a", str(names), f"-P{AT_ONCE}", "-n1", case.program))


def _spawn(case: Case) -> Command:
    return Command((sys.executable, "-I", "-S", str(PROGRAMS / "spawn_loop.py"), str(case.write_json())))


def _call_pool(case: Case) -> Command:
    return Command((sys.executable, "-I", str(PROGRAMS / "call_pool.py"), str(case.write_json())))


def _python(case: Case) -> Command:  # noqa: ARG001 - the signature of `Prepare`
    return Command((sys.executable, "-c", "pass"))


def _makefile(case: Case) -> str:
    names = " ".join(task.name for task in case.graph)
    rules = "".join(
        f"{task.name}:{''.join(f' {need}' for need in task.needs)}\n\t{case.program} {case.mark(task.name)}\n"
        for task in case.graph
    )
    return f".PHONY: all {names}\nall: {names}\n{rules}"


def _make(case: Case) -> Command:
    path = case.write("Makefile", _makefile(case))
    dry = ("-n",) if case.work is Work.PLAN else ()
    return Command(("make", *dry, f"-j{AT_ONCE}", "-f", str(path)))


def _ninja(case: Case) -> Command:
    builds = "".join(f"build {task.name}: task{''.join(f' {need}' for need in task.needs)}\n" for task in case.graph)
    path = case.write("build.ninja", f"rule task\n  command = {case.program} {case.mark('$out')}\n{builds}")
    dry = ("-n",) if case.work is Work.PLAN else ()
    return Command(("ninja", *dry, f"-j{AT_ONCE}", "-f", str(path)))


def _count_commands(case: Case, output: str) -> int:
    return output.count(f"{case.program} ")


def _count_ninja(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    found = _NINJA_DONE.findall(output)
    return int(found[-1][0]) if found else 0


def _count_said(case: Case, output: str) -> int:  # noqa: ARG001 - the signature of `Count`
    found = _COUNTED.search(output)
    return int(found[1]) if found else 0


def _own_version() -> str:
    return platform.python_version()


XARGS = Contender(f"xargs -P{AT_ONCE}", Kind.FLOOR, of_program("xargs", "--version"), {Work.RUN: _xargs}, edges=False)
SPAWN = Contender("posix_spawn loop", Kind.FLOOR, _own_version, {Work.RUN: _spawn}, _count_said, edges=False)
MAKE = Contender(
    "make", Kind.FLOOR, of_program("make", "--version"), {Work.RUN: _make, Work.PLAN: _make}, _count_commands
)
NINJA = Contender(
    "ninja", Kind.FLOOR, of_program("ninja", "--version"), {Work.RUN: _ninja, Work.PLAN: _ninja}, _count_ninja
)
CALL_POOL = Contender("process pool", Kind.FLOOR, _own_version, {Work.CALLS: _call_pool}, _count_said, edges=False)
PYTHON = Contender("python -c pass", Kind.FLOOR, _own_version, {Work.START: _python})
