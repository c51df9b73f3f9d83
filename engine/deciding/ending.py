"""How a task, or an item, comes to its end: at once, held back, or together with its siblings."""

from __future__ import annotations

from engine.deciding.decision import Decision
from engine.deciding.resets import may_ask, request_reset
from engine.events import AttemptStopping, TaskCancelled, TaskCompleting, TaskFailed, TaskSucceeded
from engine.outcomes import Failure, Json
from engine.plan import FanOut
from engine.run import TaskRun
from engine.states import TaskState

S = TaskState


def succeed(d: Decision, name: str, item: int | None, output: Json) -> None:
    """A unit has done what it was to do."""
    if item is None:
        conclude(d, name, output)
    else:
        d.emit(TaskSucceeded(d.now, name, item, output))
        after_item(d, name)


def fail_finally(d: Decision, name: str, item: int | None, failure: Failure) -> None:
    """A unit has failed and no attempt is left: it asks its ancestors to run again, or ends."""
    if item is None:
        conclude(d, name, failure)
    elif may_ask(d, name, failure):  # an item asks for the whole task to be reset
        request_reset(d, name, None)
    else:
        d.emit(TaskFailed(d.now, name, failure, item))
        after_item(d, name)


def conclude(d: Decision, name: str, result: Json | Failure) -> None:
    """End a task, or hold it back while tasks that name it in `before_complete` are not final. One that would fail asks
    its ancestors to run again first, if it may."""
    task = d.run.tasks[name]
    failure = result if isinstance(result, Failure) else None
    output = None if isinstance(result, Failure) else result
    if failure is not None and task.state is not S.COMPLETING and may_ask(d, name, failure):
        request_reset(d, name, failure)
    elif task.started and task.state is not S.COMPLETING and is_held(d, name):
        d.emit(TaskCompleting(d.now, name, output=output, failure=failure))
    elif failure is not None:
        d.emit(TaskFailed(d.now, name, failure))
    else:
        d.emit(TaskSucceeded(d.now, name, output=output))


def is_held(d: Decision, name: str) -> bool:
    """Whether a task that names `name` in `before_complete` is not final; nothing is held once the run is cancelled."""
    return d.run.draining != "cancelled" and d.run.tasks[name].held > 0


def release(d: Decision, name: str) -> None:
    """End a `completing` task with its own outcome."""
    task = d.run.tasks[name]
    conclude(d, name, task.failure if task.failure is not None else task.output)


def cancel_unit(d: Decision, name: str, item: int | None, *, reason: str) -> None:
    """End a unit that has not ended: tell a live attempt to stop, cancel it at once otherwise."""
    unit = d.run.tasks[name].unit(item)
    if unit.state.is_final or unit.state is S.COMPLETING:
        return
    if unit.live:
        if unit.stopping is None or reason == "cancelled":
            d.emit(AttemptStopping(d.now, name, item, reason))
    else:
        d.emit(TaskCancelled(d.now, name, item))


def is_suspended(d: Decision, name: str) -> bool:
    """Whether the task belongs to a reset that has been asked for and not yet been made."""
    return name in d.run.suspended


# --- items --------------------------------------------------------------------------------------------------------------


def tolerates(spec: FanOut, failed: int, total: int) -> bool:
    """Whether `failed` of `total` items may fail and the task still succeed."""
    if spec.tolerate_percent is not None:
        return failed * 100 <= spec.tolerate_percent * total
    return failed <= spec.tolerate


def after_item(d: Decision, name: str) -> None:
    """An item has become final: cancel its siblings when the fan-out fails fast, end the task when it was the last."""
    spec, task = d.task(name)
    fan_out, items = spec.fan_out, task.items
    if fan_out is None or items is None or task.state.is_final:
        return
    exceeded = not tolerates(fan_out, task.failed, len(items))
    if exceeded and fan_out.fail_fast and task.stopping is None:
        d.emit(AttemptStopping(d.now, name, None, "fail_fast"))
        for index in range(len(items)):
            cancel_unit(d, name, index, reason="fail_fast")
    if task.active == 0 and not task.state.is_final and task.state is not S.COMPLETING:
        _end(d, name, task, exceeded=exceeded)


def _end(d: Decision, name: str, task: TaskRun, *, exceeded: bool) -> None:
    total = len(task.items or ())
    if task.stopping == "deadline":
        conclude(d, name, Failure("deadline", f"the deadline passed with {task.succeeded} of {total} items done"))
    elif exceeded:
        first = next(item for item in task.items or () if item.state is S.FAILED and item.failure)
        reason = first.failure.message if first.failure else ""
        conclude(
            d, name, Failure("items", f"{task.failed} of {total} items failed; the first, `{first.key}`: {reason}")
        )
    elif any(item.state is S.CANCELLED for item in task.items or ()):
        d.emit(TaskCancelled(d.now, name))
    else:
        conclude(d, name, None)
