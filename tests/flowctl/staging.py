"""Tasks under a test's hand: they say when they have begun, wait until they are let go on, and write down what they did."""

from __future__ import annotations

import os
import select
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from tests.flowctl.commands import is_alive, start

PATIENCE_S = 30.0


class Stage:
    """A folder with a flow whose tasks wait for the test. `held` tasks stop in the middle; the others pass."""

    def __init__(self, folder: Path, *, beat: str = "100ms", lease: str = "300ms", take_over: bool = True) -> None:
        self.folder = folder
        self.ledger = folder / "ledger"
        self._said, self._gate = folder / "said", folder / "gate"
        for pipe in (self._said, self._gate):
            os.mkfifo(pipe)
        # Both ends are open for the whole test: nobody waits for the other side, and no line is lost.
        self._said_end = os.open(self._said, os.O_RDWR | os.O_NONBLOCK)
        self._gate_end = os.open(self._gate, os.O_RDWR | os.O_NONBLOCK)
        self.env = {
            "FLOWCTL_RECOVERY_BEAT": beat,
            "FLOWCTL_RECOVERY_LEASE": lease,
            "FLOWCTL_RECOVERY_TAKE_OVER": str(take_over).lower(),
        }
        self._started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        """Nothing of the test is left."""
        for _ in range(50):
            self.let_go()
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        for pid in self.pids():
            if is_alive(pid):
                os.kill(pid, 9)
        os.close(self._said_end)
        os.close(self._gate_end)

    def flow(
        self, name: str, *, held: Sequence[str], tasks: Sequence[str] = ("a", "b", "c"), last: str = "true"
    ) -> str:
        """A chain of tasks; those named in `held` wait in the middle. The last ends with the command `last`."""
        lines = ["version: 1", "tasks:"]
        for index, task in enumerate(tasks):
            wait = f"echo {name} {task} > {self._said}; read line < {self._gate}; " if task in held else ""
            end = last if task == tasks[-1] else "true"
            after = f"    after: [{tasks[index - 1]}]\n" if index else ""
            note = f'echo "{name} $FLOW_TASK $FLOW_ATTEMPT $1 $$" >> {self.ledger}'
            script = f"note() {{ {note}; }}; note begin; {wait}note end; {end}"
            lines.append(f"  {task}:\n{after}    run: |\n      {script}")
        path = self.folder / "flows" / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join(lines) + "\n")
        return name

    def start(self, *arguments: str, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
        """The program, as a process of its own."""
        process = start(self.folder, *arguments, env={**self.env, **(env or {})})
        self._started.append(process)
        return process

    def ended(self, process: subprocess.Popen[str]) -> tuple[int, str, str]:
        """How a process ended: its code, what it printed, what it said."""
        out, err = process.communicate(timeout=PATIENCE_S)
        return process.returncode, out, err

    def call(self, *arguments: str, env: dict[str, str] | None = None) -> tuple[int, str, str]:
        """Start the program and wait for it."""
        return self.ended(self.start(*arguments, env=env))

    def wait_for(self, *expected: str) -> None:
        """Wait until tasks have said that they have begun, `flow task`, in any order."""
        missing = list(expected)
        text = b""
        while missing:
            ready, _, _ = select.select([self._said_end], [], [], PATIENCE_S)
            assert ready, f"nobody said {missing}"
            text += os.read(self._said_end, 4096)
            *lines, text = text.split(b"\n")
            for line in lines:
                missing.remove(line.decode())

    def let_go(self) -> None:
        """One waiting task goes on."""
        os.write(self._gate_end, b"\n")

    def interrupted(self, flow: str, task: str) -> None:
        """A run of the flow whose engine was killed while the task runs."""
        engine = self.start("run", flow, "-q", env={"FLOWCTL_RECOVERY_TAKE_OVER": "false"})
        self.wait_for(f"{flow} {task}")
        engine.kill()
        engine.wait()

    def noted(self, flow: str) -> list[str]:
        """What tasks of a flow did: `task attempt begin`."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [" ".join(line.split()[1:4]) for line in lines if line.split()[0] == flow]

    def pids(self) -> list[int]:
        """The processes of all tasks so far."""
        lines = self.ledger.read_text().splitlines() if self.ledger.exists() else []
        return [int(line.split()[4]) for line in lines]


def until(what: Callable[[], bool], why: str) -> None:
    """Look again and again until something is so; for what no pipe tells."""
    end = time.monotonic() + PATIENCE_S
    while not what():
        assert time.monotonic() < end, why
        select.select([], [], [], 0.02)
