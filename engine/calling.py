"""From a started attempt of a task that calls a flow to the run it calls."""

from __future__ import annotations

from datetime import datetime

from engine.driven import Driven
from engine.errors import BadParameters
from engine.events import RunSubmitted
from engine.launching import Surroundings
from engine.outcomes import Failure, Json
from engine.parameters import bind_parameters
from engine.plan import FlowAction, Plan
from engine.scope import task_scope
from engine.submission import base_of, given_environment, passed_environment
from specs.expressions import EvaluationError, resolve


def called_plan(parent: Driven, name: str) -> Plan | None:
    """The plan of the flow that a task calls; `None` for any other task."""
    action = parent.plan.tasks[name].action
    return parent.plan.children[action.flow] if isinstance(action, FlowAction) else None


def call(
    parent: Driven, name: str, item: int | None, *, run_id: str, around: Surroundings, now: datetime
) -> RunSubmitted | Failure:
    """The first event of the run that an attempt calls, or why its parameters cannot be had."""
    run, plan = parent.run, called_plan(parent, name)
    if plan is None:
        raise AssertionError(name)
    try:
        params = _params(parent, name, item, plan)
    except (EvaluationError, BadParameters) as problem:
        return Failure("expression", f"`with`: {problem}")
    given = given_environment(parent.plan, around.environment, run.env)
    return RunSubmitted(
        now,
        flow=plan.name,
        digest=plan.digest,
        params=params,
        trigger={"kind": "flow", "run_id": run.id, "task": name},
        env=passed_environment(plan, around.environment, given),
        directory=around.files.work(run_id),
        priority=parent.class_of_child(name, plan),
        parent_run=run.id,
        parent_task=name,
        parent_item=item,
        base=base_of(plan),
    )


def _params(parent: Driven, name: str, item: int | None, plan: Plan) -> dict[str, Json]:
    action = parent.plan.tasks[name].action
    if not isinstance(action, FlowAction):
        raise AssertionError(action)
    given = resolve(action.arguments, task_scope(parent.plan, parent.run, name, item))
    values = given if isinstance(given, dict) else {}
    return bind_parameters(plan.params, {}, values, default_base=plan.root)
