"""Start a contender and measure it: wall time, processor time, peak memory, of it and whatever it waited for."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import uuid
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench.contender import Case, Command

LAUNCHER = Path(__file__).with_name("launcher.py")
TOLD_CHARACTERS = 400
MARKER = "FLOWCTL_BENCH_RUN"
_PASSED = ("LANG", "TZ", "TMPDIR")


@dataclass(frozen=True, slots=True)
class Sample:
    """What one run cost. `load` is the machine's load average just before it."""

    wall_s: float
    user_s: float
    system_s: float
    peak_rss_bytes: int
    exit_code: int
    over_limit: bool
    load: float

    @property
    def cpu_s(self) -> float:
        """Processor time, user and system."""
        return self.user_s + self.system_s

    def as_json(self) -> dict[str, Any]:
        """The sample as it is written to a report."""
        return asdict(self)


def run_once(case: Case, command: Command, *, limit_s: float, keep_state: bool = False) -> tuple[Sample, str]:
    """Run the command in a fresh state folder; return what it cost and what it printed.

    Everything written before is flushed to the disk first, so that no contender pays for another's writes. Whatever is left
    running when it has ended is killed.
    """
    if not keep_state:
        shutil.rmtree(case.state, ignore_errors=True)
        shutil.rmtree(case.marks, ignore_errors=True)
    for folder in (case.state, case.marks, case.folder / "home"):
        folder.mkdir(parents=True, exist_ok=True)
    output = case.folder / "output.txt"
    marker = uuid.uuid4().hex
    asked = {
        "argv": command.argv,
        "env": {**_environment(case, marker), **command.env},
        "cwd": str(case.state),
        "output": str(output),
        "limit_s": limit_s,
    }
    os.sync()
    load = os.getloadavg()[0]
    try:
        launched = subprocess.run(
            [sys.executable, "-I", "-S", str(LAUNCHER)],
            input=json.dumps(asked),
            text=True,
            capture_output=True,
            check=False,
        )
    finally:
        _kill_leftovers(marker)
    if launched.returncode:
        return Sample(0.0, 0.0, 0.0, 0, 127, over_limit=False, load=load), launched.stderr.strip()[-TOLD_CHARACTERS:]
    return Sample(**json.loads(launched.stdout), load=load), output.read_text(encoding="utf-8", errors="replace")


def _environment(case: Case, marker: str) -> dict[str, str]:
    passed = {name: os.environ[name] for name in _PASSED if name in os.environ}
    home = str(case.folder / "home")
    return {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": home, **passed, MARKER: marker}


def _kill_leftovers(marker: str) -> None:
    """SIGKILL for every process that this run left behind: a server that a peer started for itself, say."""
    wanted = f"{MARKER}={marker}".encode()
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            if wanted in (entry / "environ").read_bytes():
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue  # ended meanwhile, or somebody else's
