"""What `flowctl plan` shows, as data: everything that can be said of a run before there is one."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from engine.outcomes import Json

Source: TypeAlias = Literal["given", "default", "missing"]
"""Where the value of a parameter comes from; a value given that equals the default counts as `default`."""


class ParameterForecast(Struct, frozen=True):
    """A parameter and what it will be. `value` is `None` for one that is missing or sensitive."""

    name: str
    type: str
    source: Source
    value: Json
    sensitive: bool


class Need(Struct, frozen=True):
    """One edge: what is asked of `upstream`, how long that may take and what happens then (as written, or `None`)."""

    kind: str
    upstream: str
    timeout_s: float | None = None
    on_timeout: str | None = None


class Input(Struct, frozen=True):
    """A value a task is given, as written: `${{ }}` is not evaluated. `place` is `env`, `flow env`, `with` or `workdir`."""

    place: str
    name: str
    value: str


class Setting(Struct, frozen=True):
    """A rule the task runs under. `source` says where it comes from: `default` (the language's), `flow` (the file, its
    defaults and templates; a value equal to the language's own counts as `default`) or `descendants`."""

    name: str
    value: str
    source: Literal["default", "flow", "descendants"]


class TaskForecast(Struct, frozen=True):
    """A task before it runs.

    Attributes:
        wave: the earliest wave it can start in, from 1; `None` for hooks and undo tasks, which no wave holds.
        summary: one line of what will run: a script's first line, an argv, a target.
        size: how many instances a fan-out has (`12`, `≤12`, `n`), `None` without one.
        conditions: what decides whether it runs, beside its upstream tasks having ended well.
        not_run: why it certainly will not run, `None` when it may.
        duration_s: how long it took before, `None` when that is not known.
    """

    id: str
    kind: str
    wave: int | None
    summary: str
    size: str | None
    needs: tuple[Need, ...]
    inputs: tuple[Input, ...]
    settings: tuple[Setting, ...]
    conditions: tuple[str, ...]
    not_run: str | None
    duration_s: float | None
    description: str | None


class CriticalPath(Struct, frozen=True):
    """The chain of tasks that takes longest when nothing fails.

    `duration_s` is the sum of what is known, `None` when nothing is; `unknown` are tasks of the chain without history,
    which count as nothing (a chain of unknown ones is the one with most tasks).
    """

    tasks: tuple[str, ...]
    duration_s: float | None
    unknown: tuple[str, ...]


class StartForecast(Struct, frozen=True):
    """A trigger: what it goes by, and for one by time the next instants in UTC. `problem` says why there are none."""

    name: str
    kind: str
    text: str
    timezone: str | None
    enabled: bool
    fires: tuple[datetime, ...]
    problem: str | None


class Forecast(Struct, frozen=True):
    """A run before it is made; `tasks` in the plan's order: the flow's own, hooks, undo tasks."""

    flow: str
    digest: str
    at: datetime
    parameters: tuple[ParameterForecast, ...]
    starts: tuple[StartForecast, ...]
    waves: tuple[tuple[str, ...], ...]
    tasks: tuple[TaskForecast, ...]
    critical: CriticalPath
