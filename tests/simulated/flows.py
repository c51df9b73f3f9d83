"""What is run in the worlds: retries, fan-outs, undo and hooks, called flows."""

from __future__ import annotations

from functools import cache

from engine.plan import Plan
from tests.engine.looping import plan_of

DIAMOND = """
    tasks:
      a: {exec: ["true"], retry: {attempts: 3, delay: 10s}}
      b: {exec: ["true"], after: [a], retry: {attempts: 2, delay: 1s}}
      c: {exec: ["true"], after: [a], allow_failure: true}
      d: {exec: ["true"], after: [b, c], timeout: 20s}
"""

FAN_OUT = """
    tasks:
      list: {exec: ["true"]}
      each:
        after: [list]
        fan_out: {items: [1, 2, 3, 4, 5], max_parallel: 3, tolerate: 2}
        exec: ["true"]
        retry: {attempts: 2, delay: 5s}
      sum: {exec: ["true"], after: [each]}
"""

CLEANING = """
    tasks:
      make: {exec: ["true"], undo: {exec: ["rm", "x"]}}
      use: {exec: ["true"], after: [make], timeout: 10s, retry: {attempts: 2}}
      mend: {after: [{task: use, timeout: 30s, on_timeout: run}], exec: ["true"]}
    hooks:
      failure: {tell: {exec: ["true"]}}
      complete: {sweep: {exec: ["true"]}}
"""

CALLING = """
    tasks:
      first: {exec: ["true"]}
      below: {flow: below.yaml, after: [first], retry: {attempts: 2, delay: 2s}}
      last: {exec: ["true"], after: [below]}
"""

BELOW = """
    tasks:
      x: {exec: ["true"]}
      y: {exec: ["true"], after: [x], retry: {attempts: 2, delay: 3s}}
"""


@cache
def make_plans() -> dict[str, Plan]:
    """The plans by name, each made once."""
    return {
        "diamond": plan_of(DIAMOND),
        "fan_out": plan_of(FAN_OUT),
        "cleaning": plan_of(CLEANING),
        "calling": plan_of(CALLING, below=BELOW),
    }
