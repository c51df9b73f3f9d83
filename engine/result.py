"""What has become of a run: succeeded, failed or cancelled, and why (`LANGUAGE.md` 10)."""

from __future__ import annotations

from msgspec import Struct

from engine.edges import Answers, recovery
from engine.outcomes import Failure
from engine.plan import Plan
from engine.run import Run
from engine.states import RunState, TaskState

S = TaskState


class RunOutcome(Struct, frozen=True):
    """The result of a run whose own tasks are final."""

    state: RunState
    failure: Failure | None
    warnings: int
    noop: bool


def is_counted_failure(plan: Plan, run: Run, name: str, answers: Answers | None = None) -> bool:
    """Whether the task has failed, is not allowed to, and no handler has made it good; `answers` as for `recovery`."""
    if run.tasks[name].state is not S.FAILED or plan.tasks[name].allow_failure:
        return False
    return recovery(plan, run.tasks, name, answers) != "recovered"


def outcome_of(plan: Plan, run: Run) -> RunOutcome:
    """The result as it stands; final once all tasks of the flow itself are."""
    answers: Answers = {}
    failure = _failure(plan, run, answers)
    state = RunState.SUCCEEDED
    if run.draining == "cancelled":
        state = RunState.CANCELLED
    elif failure is not None:
        state = RunState.FAILED
    noop = all(run.tasks[name].state is S.SKIPPED for name in plan.main)
    return RunOutcome(state, failure, _warnings(plan, run, answers), noop)


def _failure(plan: Plan, run: Run, answers: Answers) -> Failure | None:
    if run.draining == "cancelled":
        return None
    if run.draining == "timed_out":
        return Failure("timeout", "the run passed its `timeout`")
    if run.draining == "start_hook":
        return Failure("hook", "a start hook failed")
    bad = {S.FAILED: "", S.BLOCKED: "", S.CANCELLED: ""}
    for name in plan.main:
        state = run.tasks[name].state
        if state in bad and not bad[state] and (state is not S.FAILED or is_counted_failure(plan, run, name, answers)):
            bad[state] = name
    if first := bad[S.FAILED]:
        failure = run.tasks[first].failure
        if failure is not None:
            return Failure(failure.kind, f"`{first}`: {failure.message}", failure.exit_code, failure.signal)
    if first := bad[S.CANCELLED]:
        return Failure("cancelled", f"`{first}` was cancelled")
    if first := bad[S.BLOCKED]:
        return Failure("blocked", f"`{first}` was blocked by `{run.tasks[first].cause}`")
    return None


def _warnings(plan: Plan, run: Run, answers: Answers) -> int:
    excused = sum(
        run.tasks[name].state is S.FAILED and not is_counted_failure(plan, run, name, answers) for name in plan.main
    )
    hooks = (name for names in plan.hooks.values() for name in names)
    return excused + sum(1 for name in hooks if run.tasks[name].state is S.FAILED)
