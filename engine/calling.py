"""Runs that tasks of other runs call: from a started attempt to the run, and back with how it has ended."""

from __future__ import annotations

from datetime import datetime

from engine.attempts import AttemptEnded
from engine.commands import Cancel
from engine.driven import Driven, child_outcome
from engine.errors import BadParameters
from engine.events import RunSubmitted
from engine.hand import Hand
from engine.launching import Surroundings
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.parameters import bind_parameters
from engine.plan import FlowAction, Plan
from engine.recovery import outcome_of
from engine.run import Run
from engine.scope import task_scope
from engine.store.port import Store
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


class Calls:
    """The runs in hand that others have called: begun, found again, and told to those that wait for them."""

    def __init__(self, hand: Hand, store: Store, around: Surroundings) -> None:
        self._hand = hand
        self._store = store
        self._around = around

    def begin(self, parent: Driven, name: str, item: int | None, child: str) -> None:
        """Begin the run that a task calls; the task fails if there can be none."""
        hand = self._hand
        plan = called_plan(parent, name)
        begun = call(parent, name, item, run_id=child, around=self._around, now=hand.now(parent))
        if isinstance(begun, Failure) or plan is None:
            failure = begun if isinstance(begun, Failure) else None
            ended = AttemptEnded(parent.key(name, item), Outcome(Ending.FAILED, failure))
            hand.commands.append((parent.run.id, ended))
        else:
            hand.begin(plan, child, begun, ahead=parent.ahead)

    def find(self, parent: Driven, name: str, item: int | None, child: str) -> None:
        """The run that a task was calling: it is in hand, has ended, or was never begun."""
        hand = self._hand
        unit = parent.run.tasks[name].unit(item)
        in_hand = hand.driven.get(child)
        if in_hand is not None:
            if unit.stopping is not None and in_hand.run.draining is None:
                hand.commands.append((child, Cancel(by="parent", note=unit.stopping)))
            return
        row = self._store.run(child)
        if row is None:
            self.begin(parent, name, item, child)
            return
        hand.commands.append((parent.run.id, AttemptEnded(parent.key(name, item), outcome_of(row))))

    def stop(self, parent: Driven, name: str, item: int | None, *, reason: str) -> None:
        """Have the run end that a task calls, if it calls one."""
        child = parent.run.tasks[name].unit(item).child
        if child is not None:
            self._hand.commands.append((child, Cancel(by="parent", note=reason)))

    def tell_parent(self, run: Run) -> None:
        """A run has ended: the task hears of it that waits for it, if there is one."""
        parent = self._hand.driven.get(run.parent_run or "")
        if parent is not None and run.parent_task is not None and self.is_called(run):
            key = parent.key(run.parent_task, run.parent_item)
            problem = run.failure.message if run.failure else None
            outcome = child_outcome(run.id, run.flow, run.state, outputs=run.outputs, problem=problem)
            self._hand.commands.append((parent.run.id, AttemptEnded(key, outcome)))

    def is_called(self, run: Run) -> bool:
        """Whether a run in hand waits for this one."""
        parent = self._hand.driven.get(run.parent_run or "")
        if parent is None or run.parent_task is None:
            return False
        return parent.run.tasks[run.parent_task].unit(run.parent_item).child == run.id
