"""A run foreseen: the engine's forecast with the parameters given, the present, and what the store remembers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.outcomes import Json
from flowctl.history import existing_store
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.forecast import Forecast
    from engine.plan import Plan
    from engine.store.port import Store
    from specs.check import Checked

REMEMBERED_RUNS = 10
REMEMBERED_ATTEMPTS = 50_000
"""Past this many attempts no further run is looked at: a fan-out has thousands in each."""


def foresee(
    workspace: Workspace,
    checked: Checked,
    *,
    folder: Path,
    texts: Mapping[str, str],
    values: Mapping[str, Json],
) -> Forecast:
    """What a run of the flow would be. Required parameters may be missing; the forecast says which.

    Raises:
        InvalidFlow: the flow cannot be run.
        BadParameters: parameters are unknown or do not fit.
    """
    from engine.forecast import forecast

    plan = workspace.compile_checked(checked)
    known = known_parameters(plan, texts, values, folder=folder)
    with existing_store(workspace) as store:
        durations = {} if store is None else past_durations(store, plan.name)
    triggers = {} if checked.flow is None else checked.flow.triggers
    return forecast(plan, plan.name, known, triggers=triggers, now=SystemClock().now(), durations=durations)


def known_parameters(
    plan: Plan, texts: Mapping[str, str], values: Mapping[str, Json], *, folder: Path
) -> dict[str, Json]:
    """The parameters given, checked; defaults are left to the forecast, and missing ones are no error."""
    from engine.parameters import bind_parameters

    given = {*texts, *values}
    is_sound = given <= set(plan.params)
    specs = {name: spec for name, spec in plan.params.items() if name in given or not is_sound}
    bound = bind_parameters(specs, texts, values, text_base=folder, default_base=plan.root)
    return {name: value for name, value in bound.items() if name in given}


def past_durations(store: Store, flow: str) -> dict[str, float]:
    """Seconds that each task of a flow took: the median over its latest successful runs.

    In one run a task took from the start of its first successful attempt to the end of the last; a fan-out and a
    `repeat` have several.
    """
    from engine.store.rows import RunFilter

    taken: defaultdict[str, list[float]] = defaultdict(list)
    where = RunFilter(flow=flow, states=("succeeded",), top_level_only=False)
    seen = 0
    for run in store.runs(where, limit=REMEMBERED_RUNS).items:
        if seen > REMEMBERED_ATTEMPTS:
            break
        spans: dict[str, tuple[datetime, datetime]] = {}
        for attempt in store.attempts(run.id):
            seen += 1
            if attempt.state == "succeeded" and attempt.ended_at is not None:
                start, end = spans.get(attempt.task, (attempt.started_at, attempt.ended_at))
                spans[attempt.task] = min(start, attempt.started_at), max(end, attempt.ended_at)
        for task, (start, end) in spans.items():
            taken[task].append((end - start).total_seconds())
    return {task: round(median(seconds), 6) for task, seconds in taken.items()}
