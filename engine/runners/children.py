"""A child process that we started: seen to end through a pidfd, reaped by us and nobody else."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Mapping, Sequence
from signal import SIGKILL

from msgspec import Struct

from engine.runners.endings import ProcessEnd
from engine.runners.trees import Family, Process, Tree, is_running, send_signal
from engine.spawner.starting import make_expendable

_KILL_S = 5.0
_LOOK_S = 0.002


class Start(Struct, frozen=True):
    """How to start a process. `program` is the file, `argv` what it sees, `env` its whole environment."""

    program: str
    argv: Sequence[str]
    env: Mapping[str, str]
    workdir: str
    stdout: int = subprocess.DEVNULL
    stderr: int = subprocess.DEVNULL
    pass_fds: tuple[int, ...] = ()


class Child:
    """One child. It stays a zombie until `reap`, so that until then its pid names its session and nobody else's."""

    def __init__(self, family: Family, start: Start) -> None:
        """Start it in a session of its own, with an empty stdin. Raises `OSError`, `ValueError` when it cannot be."""
        # `Popen` costs 0.06 ms more than `posix_spawn`, of a start of 0.5 ms, and knows working folders.
        process = subprocess.Popen(
            start.argv,
            executable=start.program,
            stdin=subprocess.DEVNULL,
            stdout=start.stdout,
            stderr=start.stderr,
            cwd=start.workdir,
            env=start.env,
            start_new_session=True,
            pass_fds=start.pass_fds,
        )
        process.returncode = 0  # so that `Popen` never waits for what is ours to wait for
        self.pid = process.pid
        make_expendable(self.pid)
        self._family = family
        try:
            self.descriptor = os.pidfd_open(self.pid)
        except OSError:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, SIGKILL)
            os.waitpid(self.pid, 0)
            raise
        family.started(self.pid)

    def peek(self) -> ProcessEnd | None:
        """How it ended, `None` while it runs."""
        return self._wait(os.WEXITED | os.WNOHANG | os.WNOWAIT)

    def reap(self) -> ProcessEnd | None:
        """How it ended, for the last time; `None` while it runs. Frees everything once it has ended."""
        end = self._wait(os.WEXITED | os.WNOHANG)
        if end is not None:
            self._family.reaped(self.pid)
            os.close(self.descriptor)
            self.descriptor = -1
        return end

    def _wait(self, options: int) -> ProcessEnd | None:
        if self.descriptor < 0:
            return None
        try:
            status = os.waitid(os.P_PIDFD, self.descriptor, options)
        except ChildProcessError:
            return ProcessEnd(signal=0)  # somebody in this program waits for any child at all
        return None if status is None else ProcessEnd.of(status)


def kill_trees(family: Family, trees: Sequence[Tree]) -> None:
    """SIGKILL every member of `trees` and wait until none runs, at most some seconds. Blocks: for the end only."""
    until = time.monotonic() + _KILL_S
    rest = list(trees)
    while rest and time.monotonic() < until:
        members: dict[Process, None] = {}
        for tree in rest:
            members.update(dict.fromkeys(family.members(tree)))
        for process in members:
            send_signal(process, SIGKILL)
        while any(is_running(process) for process in members) and time.monotonic() < until:
            time.sleep(_LOOK_S)
        rest = [tree for tree in rest if not family.is_ended(tree)]
