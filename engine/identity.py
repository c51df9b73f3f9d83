"""Who holds something: host, boot, process and the moment it started, so that a holder can be proven dead."""

from __future__ import annotations

import os
import socket
from functools import lru_cache
from pathlib import Path

_MOST_DIGITS = 10

_DEAD = frozenset("ZXx")
"""States of a process that has ended (`man 5 proc_pid_stat`)."""


@lru_cache(maxsize=1)
def boot_id() -> str:
    """Names the present boot of this machine; `unknown` where the system does not tell."""
    try:
        return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    except OSError:
        return "unknown"


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; `None` when there is none, or only its exit status is left."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return None if len(fields) < 20 or fields[0] in _DEAD else int(fields[19])


def own_identity() -> str:
    """This process, as `host/boot/pid/start`."""
    pid = os.getpid()
    return f"{socket.gethostname()}/{boot_id()}/{pid}/{start_time(pid)}"


def is_proven_dead(identity: str) -> bool:
    """Whether the process that calls itself `identity` cannot be running any more; only for this machine."""
    host, _, rest = identity.partition("/")
    boot, _, process = rest.partition("/")
    pid, _, started = process.partition("/")
    if host != socket.gethostname() or not (pid.isascii() and pid.isdigit() and len(pid) <= _MOST_DIGITS):
        return False
    return boot != boot_id() or str(start_time(int(pid))) != started
