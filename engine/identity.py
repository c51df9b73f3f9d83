"""Who holds something: host, boot, process and the moment it started, so that a holder can be proven dead.

An identity is `host/boot/pid/start/own`: the host's name, the boot, the process, its start in clock ticks since the boot, and
what tells engines of one process apart, which begins with the namespace that the process counts in.
"""

from __future__ import annotations

import os
from enum import StrEnum
from functools import lru_cache
from pathlib import Path

_UNKNOWN = "unknown"
_MOST_DIGITS = 10

_DEAD = frozenset("ZXx")
_STOPPED = frozenset("Tt")
"""States of a process that has ended, or that a signal or a debugger has stopped (`man 5 proc_pid_stat`)."""


class Standing(StrEnum):
    """What can be told here of a process from its identity."""

    ALIVE = "alive"
    STOPPED = "stopped"  # it is there and does nothing
    DEAD = "dead"  # of this boot, and not among its processes
    UNKNOWN = "unknown"  # of another boot or machine, or nothing that names a process


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names the present boot of this machine; `unknown` where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return _UNKNOWN


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; `None` when there is none, or only its exit status is left."""
    state, started = _look(pid)
    return None if state in _DEAD else started


def own_identity() -> str:
    """This process, under a name that is another with each call."""
    pid = os.getpid()
    own = f"{_namespace()}.{os.urandom(4).hex()}"
    return f"{os.uname().nodename}/{boot_id()}/{pid}/{start_time(pid)}/{own}"


def standing(identity: str) -> Standing:
    """What is known here of the process that calls itself `identity`. Only processes of this boot, counted as this one
    counts them, can be looked at; the host's name proves nothing, for it may change and several may have one."""
    parts = identity.split("/")
    if len(parts) < 4:
        return Standing.UNKNOWN
    _, boot, pid, started, *own = parts
    if not (pid.isascii() and pid.isdigit() and len(pid) <= _MOST_DIGITS):
        return Standing.UNKNOWN
    if boot != boot_id() or boot == _UNKNOWN or (own and own[0].partition(".")[0] != _namespace()):
        return Standing.UNKNOWN
    state, its_start = _look(int(pid))
    if state in _DEAD or str(its_start) != started:
        return Standing.DEAD
    return Standing.STOPPED if state in _STOPPED else Standing.ALIVE


def short_name(identity: str) -> str:
    """An identity for a person: the process, and the host where it is another."""
    host, _, rest = identity.partition("/")
    pid = rest.partition("/")[2].partition("/")[0]
    if not pid:
        return identity
    return f"process {pid}" if host == os.uname().nodename else f"process {pid} on {host}"


def _look(pid: int) -> tuple[str, int | None]:
    """The state of a process and its start; no state and no start when there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return "", None
    fields = stat.rpartition(")")[2].split()
    return ("", None) if len(fields) < 20 else (fields[0], int(fields[19]))


@lru_cache(maxsize=1)
def _namespace() -> str:
    """The number of the namespace in which this process counts processes; containers have their own."""
    try:
        return str(Path("/proc/self/ns/pid").stat().st_ino)
    except OSError:
        return "0"
