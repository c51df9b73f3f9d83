"""Start one program, wait for it, and say what it cost; a process of its own, so that little memory is counted with it.

Linux counts the memory of whoever starts a program into that program's peak, so this one imports next to nothing. Reads one
JSON object from stdin: argv, env, cwd, output (a path), limit_s. Prints one: wall_s, user_s, system_s, peak_rss_bytes,
exit_code, over_limit. A program over its limit gets SIGTERM for its session, five seconds, then SIGKILL.
"""

import json
import os
import signal
import sys
import time

GRACE_S = 5.0


class OverLimit(Exception):
    """The limit has passed."""


def main() -> None:
    """Do what stdin asks for."""
    asked = json.load(sys.stdin)
    os.chdir(asked["cwd"])
    output = os.open(asked["output"], os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    actions = [(os.POSIX_SPAWN_DUP2, nothing, 0), (os.POSIX_SPAWN_DUP2, output, 1), (os.POSIX_SPAWN_DUP2, output, 2)]
    signal.signal(signal.SIGALRM, over)
    began = time.monotonic()
    pid = os.posix_spawnp(asked["argv"][0], asked["argv"], asked["env"], file_actions=actions, setsid=True)
    status, usage, over_limit = wait(pid, asked["limit_s"])
    took = time.monotonic() - began
    print(
        json.dumps(
            {
                "wall_s": took,
                "user_s": usage.ru_utime,
                "system_s": usage.ru_stime,
                "peak_rss_bytes": usage.ru_maxrss * 1024,
                "exit_code": os.waitstatus_to_exitcode(status),
                "over_limit": over_limit,
            }
        )
    )


def over(_number: int, _frame: object) -> None:
    """End the wait."""
    raise OverLimit


def wait(pid: int, limit_s: float):  # type: ignore[no-untyped-def]
    """Its status, its usage, and whether it had to be ended."""
    over_limit = False
    for kill, patience_s in ((None, limit_s), (signal.SIGTERM, GRACE_S), (signal.SIGKILL, GRACE_S)):
        try:
            if kill is not None:
                over_limit = True
                os.killpg(pid, kill)
            signal.setitimer(signal.ITIMER_REAL, patience_s)
            _, status, usage = os.wait4(pid, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        except OverLimit:
            continue
        return status, usage, over_limit
    sys.exit(f"process {pid} does not end")


main()
