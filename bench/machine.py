"""Facts that figures mean nothing without: machine, versions, commit."""

from __future__ import annotations

import os
import platform
import sqlite3
import subprocess
from pathlib import Path
from typing import Any

from bench.contender import ROOT


def machine() -> dict[str, Any]:
    """Processor, cores, memory, system, file system of the folder for temporary files, versions of what flowctl stands on."""
    return {
        "processor": _field("/proc/cpuinfo", "model name") or platform.processor() or "unknown",
        "cores": os.cpu_count() or 1,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
    }


def commit() -> tuple[str, bool]:
    """The commit that is checked out, and whether files of the product differ from it; `unknown` outside a repository."""
    head = _git("rev-parse", "--short=12", "HEAD")
    changed = _git("status", "--porcelain", "--", "specs", "engine", "flowctl", "pyproject.toml")
    return head or "unknown", bool(changed)


def load() -> list[float]:
    """The load averages of 1, 5 and 15 minutes."""
    return [round(average, 2) for average in os.getloadavg()]


def _git(*arguments: str) -> str:
    try:
        return subprocess.run(
            ["git", "-C", str(ROOT), *arguments], capture_output=True, text=True, check=False, timeout=60
        ).stdout.strip()
    except OSError:
        return ""


def _field(path: str, name: str) -> str:
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((value.strip() for key, _, value in (line.partition(":") for line in lines) if key.strip() == name), "")
