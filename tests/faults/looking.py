"""What `/proc` tells of an engine and its spawner from outside, and a gate at which tasks wait to be looked at."""

# ruff: noqa: PTH208 -- names are what is wanted

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.faults.rig import PATIENCE_S, Rig


class Gate:
    """Tasks come to it and wait: `echo here > $SAID; read line < $GO`. Both pipes stay open, so that nobody waits for the
    other side and no line is lost."""

    def __init__(self, folder: Path) -> None:
        self.said, self.go = folder / "said.pipe", folder / "go.pipe"
        os.mkfifo(self.said)
        os.mkfifo(self.go)
        self._said = os.open(self.said, os.O_RDWR | os.O_NONBLOCK)
        self._go = os.open(self.go, os.O_RDWR | os.O_NONBLOCK)
        self._unread = b""

    def close(self) -> None:
        """Let the pipes go."""
        os.close(self._said)
        os.close(self._go)

    @property
    def environ(self) -> str:
        """The names of the pipes, as `env` of a flow."""
        return f'{{SAID: "{self.said}", GO: "{self.go}"}}'

    def heard(self, engine: subprocess.Popen[bytes], count: int = 1) -> list[str]:
        """The next lines that tasks have written; they must come before their engine ends."""
        lines: list[bytes] = []
        until = time.monotonic() + PATIENCE_S
        while len(lines) < count:
            if select.select([self._said], [], [], 0.2)[0]:
                *more, self._unread = (self._unread + os.read(self._said, 65536)).split(b"\n")
                lines += more
            else:
                assert engine.poll() is None, f"the engine has ended with {engine.returncode}"
                assert time.monotonic() < until, f"{len(lines)} of {count} tasks came to the gate"
        return [line.decode() for line in lines]

    def let_go(self, count: int = 1) -> None:
        """So many tasks go on."""
        os.write(self._go, b"\n" * count)


@contextmanager
def gated(folder: Path) -> Iterator[Gate]:
    """A gate for the length of a `with`."""
    gate = Gate(folder)
    try:
        yield gate
    finally:
        gate.close()


@contextmanager
def rig_in(folder: Path, **environ: str) -> Iterator[Rig]:
    """A rig of which no process is left, however the test ends."""
    rig = Rig(folder, environ=environ)
    try:
        yield rig
    finally:
        mine = f"FLOWCTL_HOME={rig.home}".encode()
        runs = f"FLOW_RUN_DIR={rig.home}/".encode()
        for pid in all_pids():
            with suppress(OSError):
                variables = Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
                if any(variable == mine or variable.startswith(runs) for variable in variables):
                    os.kill(pid, 9)


def all_pids() -> list[int]:
    """Every process there is."""
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid()]


def children_of(pid: int) -> list[int]:
    """The children of a process, those that have ended and were not reaped included."""
    found: list[int] = []
    for thread in os.listdir(f"/proc/{pid}/task"):
        found += map(int, Path(f"/proc/{pid}/task/{thread}/children").read_text().split())
    return found


def spawner_of(engine: subprocess.Popen[bytes]) -> int:
    """The process that starts its tasks."""
    for child in children_of(engine.pid):
        if b"engine.spawner.main" in Path(f"/proc/{child}/cmdline").read_bytes():
            return child
    raise AssertionError("the engine has no spawner")


def peak_kib(pid: int) -> int:
    """The most memory a process has ever had."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


def growth_at(gate: Gate, engine: subprocess.Popen[bytes]) -> tuple[int, int]:
    """By how many KiB the peaks of an engine and of its spawner grow between a task's coming to the gate and another's, both
    of which are let go."""
    gate.heard(engine)
    ours = engine.pid, spawner_of(engine)
    before = [peak_kib(pid) for pid in ours]
    gate.let_go()
    gate.heard(engine)
    of_engine, of_spawner = (peak_kib(pid) - earlier for pid, earlier in zip(ours, before, strict=True))
    gate.let_go()
    return of_engine, of_spawner


def threads_of(pid: int) -> int:
    """How many threads a process has."""
    return len(os.listdir(f"/proc/{pid}/task"))


def descriptors_of(pid: int) -> int:
    """How many descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))


def zombies_of(pid: int) -> list[int]:
    """Children of a process that have ended and were not reaped."""
    found = []
    for child in children_of(pid):
        with suppress(OSError):
            state = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[0]
            found += [child] if state == "Z" else []
    return found


def await_ends(rig: Rig, count: int) -> None:
    """Until so many ends of tasks are in the journals of spawners, whoever was told of them."""
    until = time.monotonic() + PATIENCE_S
    folder = rig.home / "data" / "flowctl.spawners"
    while sum(path.read_bytes().count(b'"ended"') for path in folder.glob("*.jsonl")) < count:
        assert time.monotonic() < until, "the spawner has seen no end"
        select.select([], [], [], 0.02)
