"""A runner on a real reactor, and what a test needs to make an attempt and see how it ends."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

from engine.attempts import AttemptEnded, AttemptFiles, AttemptKey, CommandWork, Launch, ScriptWork, Work
from engine.compiling.declarations import outputs as as_planned
from engine.identity import own_identity
from engine.outcomes import Outcome
from engine.plan import Output
from engine.reactor import SelectorReactor
from engine.runners.local import LocalRunner
from engine.runners.preparation import marker_of
from engine.runners.trees import find_marked
from specs.model.parts import OutputSpec

PATH = "/usr/local/bin:/usr/bin:/bin"
PATIENCE_S = 30.0

RUN_ID = f"run-{os.getpid()}"
"""Run ids are never used twice: tests in processes side by side must not end each other's attempts."""


class Bench:
    """Makes attempts in a folder of its own and waits for their ends."""

    def __init__(self, folder: Path, **options: Any) -> None:
        self.folder = folder
        self.reactor = SelectorReactor()
        self.journals = options.pop("journals", folder / "journals")
        self.owner = options.pop("owner", own_identity())
        self.runner = LocalRunner(self.reactor, journals=str(self.journals), owner=self.owner, **options)
        self.outcomes: dict[AttemptKey, Outcome] = {}
        self._count = 0
        self.run_dir = folder / "work"
        self.slots = folder / "tmp"
        self.run_dir.mkdir(parents=True)

    def launch(self, work: Work, **fields: Any) -> Launch:
        self._count += 1
        files = AttemptFiles(str(self.run_dir), f"{self.folder}/attempt-{self._count}")
        env = {
            "PATH": PATH,
            "FLOW_OUTPUT": files.output,
            "FLOW_OUTPUT_JSON": files.output_json,
            "FLOW_CONTROL": files.control,
            **fields.pop("env", {}),
        }
        key = AttemptKey(RUN_ID, f"task_{self._count}", None, 1, 1)
        return Launch(
            key=key, work=work, files=files, env=env, workdir=str(fields.pop("workdir", self.run_dir)), **fields
        )

    def start(self, work: Work, **fields: Any) -> Launch:
        launch = self.launch(work, **fields)
        self.runner.start(launch)
        return launch

    def run(self, work: Work, **fields: Any) -> Outcome:
        return self.end_of(self.start(work, **fields))

    def script(self, text: str, **fields: Any) -> Outcome:
        return self.run(ScriptWork(text, fields.pop("shell", "sh")), **fields)

    def command(self, *argv: str, **fields: Any) -> Outcome:
        return self.run(CommandWork(argv), **fields)

    def end_of(self, launch: Launch) -> Outcome:
        self.turn_until(lambda: launch.key in self.outcomes)
        return self.outcomes[launch.key]

    def stop(self, launch: Launch, *, grace_s: float = 5.0) -> None:
        self.runner.stop(launch.key, grace=timedelta(seconds=grace_s))

    def await_journal(self, launch: Launch, kind: str) -> dict[str, Any]:
        """Wait, without turning the loop, for what the spawner writes about an attempt."""
        until = time.monotonic() + PATIENCE_S
        while True:
            for line in journal_lines(self.journals):
                if line.get(kind) == marker_of(launch.key):
                    return line
            assert time.monotonic() < until, "nothing was written for too long"
            time.sleep(0.005)

    def turn_until(self, condition: Any) -> None:
        until = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < until, "nothing happened for too long"
            for report in self.reactor.wait(0.05):
                assert isinstance(report, AttemptEnded)
                assert report.key not in self.outcomes, "an attempt was reported twice"
                self.outcomes[report.key] = report.outcome

    def close(self) -> None:
        self.runner.close()
        self.reactor.close()


def log_of(launch: Launch) -> str:
    """What the attempt has written."""
    log = Path(launch.files.log)
    return log.read_text() if log.exists() else ""


def declared(**outputs: Mapping[str, Any] | str) -> dict[str, Output]:
    """Outputs as a flow declares them; a text is a type."""
    written = {name: {"type": spec} if isinstance(spec, str) else spec for name, spec in outputs.items()}
    return as_planned({name: OutputSpec.model_validate(spec) for name, spec in written.items()})


def journal_lines(folder: Path) -> list[dict[str, Any]]:
    """All lines of all journals in a folder, as far as they make sense."""
    found = []
    for path in sorted(folder.glob("*.jsonl")):
        for line in path.read_bytes().split(b"\n"):
            with contextlib.suppress(ValueError, RecursionError):
                found.append(json.loads(line))
    return [line for line in found if isinstance(line, dict)]


def is_alive(pid: int) -> bool:
    """Whether a process is there and no zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def open_descriptors() -> int:
    """How many descriptors this process has."""
    return len(list(Path("/proc/self/fd").iterdir()))


def leaked() -> list[str]:
    """Processes of attempts of this test process that run on."""
    prefix = f"{RUN_ID}.".encode()
    return [f"{process.pid} of {marker!r}" for marker, process in find_marked(lambda marker: marker.startswith(prefix))]


def zombies() -> list[int]:
    """Our children that have ended and that nobody has waited for."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] == "Z" and int(fields[1]) == os.getpid():
                found.append(int(folder.name))
    return found
