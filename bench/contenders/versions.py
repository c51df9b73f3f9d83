"""Ask an installed program for its version."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

from bench.contender import PEERS

_NUMBER = re.compile(r"\d+(?:\.\d+)+")


def of_program(program: str, *arguments: str) -> Callable[[], str | None]:
    """The first number that the program prints when called so; `None` where there is no such program."""

    def version() -> str | None:
        if shutil.which(program) is None:
            return None
        done = subprocess.run([program, *arguments], capture_output=True, text=True, check=False, timeout=120)
        found = _NUMBER.search(done.stdout + done.stderr)
        return found[0] if found else "unknown"

    return version


def of_package(peer: str, package: str) -> Callable[[], str | None]:
    """The version of a Python package in the peer's own virtual environment; `None` where it is not installed."""

    def version() -> str | None:
        normal = package.replace("-", "_")
        found = sorted((PEERS / peer).glob(f"lib/python3*/site-packages/{normal}-*.dist-info"))
        return found[0].name.removesuffix(".dist-info").rpartition("-")[2] if found else None

    return version


def python_of(peer: str) -> str:
    """The interpreter of the peer's own virtual environment."""
    return str(program_of(peer, "python"))


def program_of(peer: str, name: str) -> Path:
    """A program that the peer's package brings."""
    return PEERS / peer / "bin" / name
