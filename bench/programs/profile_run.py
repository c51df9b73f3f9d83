"""Run a flow inside this process with a stopwatch on each seam of the engine; print what each took, as JSON.

Arguments: a JSON file of seams (label, module, qualified name), then those of `flowctl`. Times are exclusive: what a seam
calls of another seam counts for the other. A seam that is not there any more ends this with an error.
"""

import functools
import importlib
import json
import resource
import sys
import time

STARTED_CPU = time.process_time()
totals: dict[str, list[float]] = {}
stack: list[list[float]] = []


def watched(label, function):
    """The function with a stopwatch."""
    total = totals.setdefault(label, [0, 0.0, 0.0])

    @functools.wraps(function)
    def timed(*args, **named):
        wall, cpu = time.perf_counter(), time.thread_time()
        stack.append([0.0, 0.0])
        try:
            return function(*args, **named)
        finally:
            took, used = time.perf_counter() - wall, time.thread_time() - cpu
            inner = stack.pop()
            total[0] += 1
            total[1] += took - inner[0]
            total[2] += used - inner[1]
            if stack:
                stack[-1][0] += took
                stack[-1][1] += used

    return timed


def watch(label, module, qualified):
    """Put a stopwatch on one seam."""
    holder = importlib.import_module(module)
    *path, name = qualified.split(".")
    for part in path:
        holder = getattr(holder, part)
    setattr(holder, name, watched(label, getattr(holder, name)))


def main():
    """Watch, run, print."""
    with open(sys.argv[1], encoding="utf-8") as file:
        for label, module, qualified in json.load(file):
            watch(label, module, qualified)
    from flowctl.cli.main import main as flowctl

    imported = time.process_time() - STARTED_CPU
    began = time.perf_counter()
    code = flowctl(sys.argv[2:])
    own, children = resource.getrusage(resource.RUSAGE_SELF), resource.getrusage(resource.RUSAGE_CHILDREN)
    found = {
        "exit_code": code,
        "wall_s": time.perf_counter() - began,
        "imported_cpu_s": imported,
        "own_user_s": own.ru_utime,
        "own_system_s": own.ru_stime,
        "children_cpu_s": children.ru_utime + children.ru_stime,
        "parts": {label: {"calls": n, "wall_s": wall, "cpu_s": cpu} for label, (n, wall, cpu) in totals.items()},
    }
    print(json.dumps(found))


main()
