"""Run a flow in the foreground: submit, drive, show, and end on a signal as the user means it."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from engine.clock import SystemClock
from engine.outcomes import Json
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.events import Event
    from engine.loop import Engine
    from engine.plan import Plan
    from engine.reactor import SelectorReactor
    from engine.run import Run
    from engine.store.port import Store
    from engine.store.rows import EventRow
    from engine.submission import Submission
    from flowctl.terminal.progress import RunView

TICK_S = 0.5


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks for with a run.

    Attributes:
        texts: parameters as text; `values`: parameters as values; relative paths in both start from `folder`.
        env: variables given for this run.
    """

    folder: Path
    texts: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Json] = field(default_factory=dict)
    env: Mapping[str, str] = field(default_factory=dict)
    trigger: Mapping[str, Json] = field(default_factory=lambda: {"kind": "manual"})
    priority: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that was driven to its end. `signal` is what interrupted it, `None` when nothing did."""

    run: Run
    signal: int | None


def prepare(plan: Plan, request: Request, environ: Mapping[str, str]) -> Submission:
    """Bind the parameters of a request. Raises `BadParameters`."""
    from engine.parameters import bind_parameters
    from engine.submission import Submission, passed_environment

    params = bind_parameters(
        plan.params, request.texts, request.values, text_base=request.folder, default_base=plan.root
    )
    env = passed_environment(plan, environ, request.env)
    return Submission(plan, params, env=env, trigger=request.trigger, priority=request.priority)


def require_secrets(plan: Plan, environ: Mapping[str, str]) -> None:
    """Resolve every secret that the flow, or one it calls, declares, so that a missing one is known before anything
    starts. Raises `SecretUnavailable`."""
    from engine.secrets import Secrets

    secrets = Secrets(environ)
    waiting, seen = [plan], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        for name, source in one.secrets.items():
            secrets.get(name, source)
        waiting.extend(one.children.values())


def run_in_foreground(
    workspace: Workspace,
    store: Store,
    submission: Submission,
    *,
    view: RunView,
    on_submitted: Callable[[str], None] | None = None,
    on_event: Callable[[EventRow], None] | None = None,
) -> Finished:
    """Submit a run and drive it to its end, telling `view` and `on_event` of everything once it is durable.

    The first SIGINT or SIGTERM cancels the run; the second ends cleanup, hooks and undo, too.
    """
    observer = _Telling(view, on_event)
    with workspace.engine(store, [observer]) as (engine, reactor):
        run_id = engine.submit(submission)
        if on_submitted is not None:
            on_submitted(run_id)
        with _ticking(reactor, view), _cancelling(engine, run_id) as received:
            run = engine.drive(run_id)
    return Finished(run, received[0] if received else None)


class _Telling:
    """Passes events on, as rows and as objects."""

    def __init__(self, view: RunView, on_event: Callable[[EventRow], None] | None) -> None:
        self._view = view
        self._on_event = on_event

    def __call__(self, run_id: str, seq: int, event: Event) -> None:
        from engine.projection import event_row
        from flowctl.records import event_object

        row = event_row(run_id, seq, event)
        if self._on_event is not None:
            self._on_event(row)
        self._view.on_event(run_id, event_object(row))


@contextmanager
def _ticking(reactor: SelectorReactor, view: RunView) -> Iterator[None]:
    """Let the view know that time passes."""
    clock = SystemClock()
    stop: list[Callable[[], None]] = []

    def tick() -> None:
        view.on_tick(clock.now())
        stop[:] = [reactor.call_later(TICK_S, tick)]

    tick()
    try:
        yield
    finally:
        for cancel in stop:
            cancel()


@contextmanager
def _cancelling(engine: Engine, run_id: str) -> Iterator[list[int]]:
    """Turn SIGINT and SIGTERM into cancels of the run; yields the signals received so far."""
    from engine.commands import Cancel

    received: list[int] = []

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the system's signature
        received.append(number)
        name = signal.Signals(number).name
        engine.cancel(run_id, Cancel(by=name, note=f"{name} received", force=len(received) > 1))

    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield received
    finally:
        for number, old in before.items():
            signal.signal(number, old)
