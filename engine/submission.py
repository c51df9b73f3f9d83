"""What a run is made of when it is submitted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import PurePath

from msgspec import Struct, field

from engine.events import RunSubmitted
from engine.outcomes import Json
from engine.plan import Plan


class Submission(Struct, frozen=True):
    """A plan with bound parameters.

    Attributes:
        params: complete, as `bind_parameters` returns them.
        env: variables of the command line, and the host's that the flow lets through and does not set itself.
        trigger: what expressions read as `trigger`; at least `kind`.
        priority: class number; `None` takes the flow's.
    """

    plan: Plan
    params: Mapping[str, Json]
    env: Mapping[str, str] = field(default_factory=dict)
    trigger: Mapping[str, Json] = field(default_factory=lambda: {"kind": "manual"})
    priority: int | None = None


def submitted(submission: Submission, *, at: datetime, directory: str) -> RunSubmitted:
    """The first event of the run."""
    plan = submission.plan
    return RunSubmitted(
        at,
        flow=plan.name,
        digest=plan.digest,
        params=submission.params,
        trigger=submission.trigger,
        env=submission.env,
        directory=directory,
        priority=plan.priority if submission.priority is None else submission.priority,
        base=base_of(plan),
    )


def base_of(plan: Plan) -> str:
    """The folder that names of the plan's files start from, as far as the flow's own file tells."""
    name = PurePath(next(iter(plan.files), ""))
    depth = len(name.parts) - 1
    if name.is_absolute() or depth <= 0:
        return str(plan.root)
    return str(plan.root.parents[depth - 1]) if depth <= len(plan.root.parents) else str(plan.root)


def given_environment(plan: Plan, host: Mapping[str, str], env: Mapping[str, str]) -> dict[str, str]:
    """What was given for a run of `plan` whose submission carries `env`: without what `host_env` let through from `host`,
    which is not for the flows it calls unless they ask for it."""
    passed = passed_environment(plan, host, {})
    return {name: value for name, value in env.items() if passed.get(name) != value}


def passed_environment(plan: Plan, host: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Variables a submission carries: the host's that `host_env` lets through and the flow does not set, and `given`."""
    declared = {name for name, _ in plan.env.entries}
    passed = {name: host[name] for name in plan.host_env if name in host and name not in declared}
    return {**passed, **given}
