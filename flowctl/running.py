"""Run a flow in the foreground: submit, drive, show, and end on a signal as the user means it.

Whoever listens sees no sensitive value. If listening fails (a closed pipe, a defect in a caller's function), the run is
cancelled and ends in order, and the error is raised then.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from engine.clock import SteadyClock
from engine.commands import Cancel
from engine.events import RunFinished, RunSubmitted
from engine.outcomes import Json
from flowctl.redaction import without_sensitive
from flowctl.workspace import Workspace

if TYPE_CHECKING:
    from engine.events import Event
    from engine.plan import Plan
    from engine.reactor import SelectorReactor
    from engine.run import Run
    from engine.store.port import Store
    from engine.store.rows import EventRow
    from engine.submission import Submission
    from flowctl.terminal.progress import RunView

TICK_S = 0.5


class Request(Struct, frozen=True):
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


class Finished(Struct, frozen=True):
    """A run that was driven to its end. `signal` is what interrupted it, `None` when nothing did.

    `summary` is what was asked to be read of the store at the end, while a store that is away was still waited for.
    """

    run: Run
    signal: int | None
    summary: Mapping[str, Any] | None = None


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
    for one in all_plans(plan):
        for name, source in one.secrets.items():
            secrets.get(name, source)


def all_plans(plan: Plan) -> Iterator[Plan]:
    """The plan and those of all flows it calls, each once."""
    waiting, seen = [plan], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) not in seen:
            seen.add(id(one))
            yield one
            waiting.extend(one.children.values())


def run_in_foreground(
    workspace: Workspace,
    store: Store,
    submission: Submission,
    *,
    view: RunView,
    on_submitted: Callable[[str], None] | None = None,
    on_event: Callable[[EventRow], None] | None = None,
    summarize: Callable[[str], Mapping[str, Any]] | None = None,
) -> Finished:
    """Submit a run and drive it to its end, telling `view` and `on_event` of everything once it is durable.

    The first SIGINT or SIGTERM cancels the run; the second ends cleanup, hooks and undo, too. In a thread other than the
    main one signals are left alone.
    """
    telling = _Telling(view, on_event)
    telling.knows(submission.plan)
    going = workspace.engine(store, telling.observers(), takes_over=True, tell=telling.say)
    with going as (engine, reactor), _catching_signals() as caught:
        run_id = engine.submit(submission)
        caught.cancel_by(lambda command: engine.cancel(run_id, command))
        telling.cancel_by(lambda: engine.cancel(run_id, Cancel(by="flowctl", note="nobody can be told of it any more")))
        if on_submitted is not None:
            telling.attempt(partial(on_submitted, run_id))
        with _ticking(reactor, view, telling):
            run = engine.drive(run_id)
        summary = summarize(run_id) if summarize is not None else None
    if telling.problem is not None:
        raise telling.problem
    return Finished(run, caught.first, summary)


class Resumed(Struct, frozen=True):
    """Runs that were taken over and driven to their end; `signal` is what interrupted them."""

    runs: tuple[Run, ...]
    signal: int | None


def resume_in_foreground(
    workspace: Workspace,
    store: Store,
    *,
    only: str | None = None,
    view: RunView,
    on_resumed: Callable[[Run], None],
    on_event: Callable[[EventRow], None] | None = None,
) -> Resumed:
    """Take over the runs that nobody drives, or the one with the id `only`, and drive them to their end. `on_resumed` is
    told of each that could be made again; the others have failed. Signals mean what they mean to a run, for all of them."""
    telling = _Telling(view, on_event)
    going = workspace.engine(store, telling.observers(), takes_over=True, tell=telling.say)
    with going as (engine, reactor), _catching_signals() as caught:
        taken = engine.take_over(only)
        ids = [run.id for run, _ in taken]

        def cancel(command: Cancel) -> None:
            for run_id in ids:
                engine.cancel(run_id, command)

        for run, plan in taken:
            telling.knows(plan, run.id)
            telling.attempt(partial(on_resumed, run))
        caught.cancel_by(cancel)
        telling.cancel_by(lambda: cancel(Cancel(by="flowctl", note="nobody can be told of it any more")))
        with _ticking(reactor, view, telling):
            runs = engine.drive_all(ids)
    if telling.problem is not None:
        raise telling.problem
    return Resumed(tuple(runs), caught.first)


class _Telling:
    """Passes events on, as rows and as objects, of the runs it knows and those they call. After a first error it is silent
    and has them cancelled."""

    def __init__(self, view: RunView, on_event: Callable[[EventRow], None] | None) -> None:
        self._view = view
        self._on_event = on_event
        self._plans: dict[str, Plan] = {}
        self._plan_of: dict[str, Plan] = {}
        self._cancel: Callable[[], None] | None = None
        self.problem: Exception | None = None

    def knows(self, plan: Plan, run_id: str | None = None) -> None:
        """Tell of runs of this plan that are submitted, or of the one with this id, and of those they call."""
        self._plans.update((one.digest, one) for one in all_plans(plan))
        if run_id is not None:
            self._plan_of[run_id] = plan

    def observers(self) -> list[_Telling]:
        """Itself, if anybody shows or passes on what it is told."""
        from flowctl.terminal.progress import SilentView

        return [] if self._on_event is None and isinstance(self._view, SilentView) else [self]

    def cancel_by(self, cancel: Callable[[], None]) -> None:
        """From now on an error cancels the run by this; at once if there was one already."""
        self._cancel = cancel
        if self.problem is not None:
            cancel()

    def say(self, text: str) -> None:
        """Let the user know of something besides the events."""
        self.attempt(partial(self._view.say, text))

    def attempt(self, tell: Callable[[], None]) -> None:
        """Tell somebody something, unless that has failed before."""
        if self.problem is not None:
            return
        try:
            tell()
        except Exception as error:  # noqa: BLE001 - a caller's function, or a stream that is gone; raised at the end
            self.problem = error
            if self._cancel is not None:
                self._cancel()

    def __call__(self, run_id: str, seq: int, event: Event) -> None:
        from engine.projection import event_row

        if isinstance(event, RunSubmitted) and (event.parent_run is None or event.parent_run in self._plan_of):
            self._plan_of[run_id] = self._plans[event.digest]
        if run_id not in self._plan_of:
            return  # of a run that the engine drives besides
        row = without_sensitive(event_row(run_id, seq, event), self._plan_of[run_id])
        if isinstance(event, RunFinished):
            del self._plan_of[run_id]
        self.attempt(partial(self._tell, row))

    def _tell(self, row: EventRow) -> None:
        from flowctl.records import event_object

        if self._on_event is not None:
            self._on_event(row)
        self._view.on_event(row.run_id, event_object(row))


@contextmanager
def _ticking(reactor: SelectorReactor, view: RunView, telling: _Telling) -> Iterator[None]:
    """Let the view know that time passes."""
    clock = SteadyClock()
    stop: list[Callable[[], None]] = []

    def tick() -> None:
        telling.attempt(lambda: view.on_tick(clock.now()))
        stop[:] = [reactor.call_later(TICK_S, tick)]

    tick()
    try:
        yield
    finally:
        for cancel in stop:
            cancel()


class _Caught:
    """Signals that have come: each is a cancel of the run, all but the first with force."""

    def __init__(self) -> None:
        self.first: int | None = None
        self._waiting: list[Cancel] = []
        self._cancel: Callable[[Cancel], None] = self._waiting.append

    def cancel_by(self, cancel: Callable[[Cancel], None]) -> None:
        """From now on this cancels the run; what came before there was one is passed on."""
        self._cancel = cancel
        for command in self._waiting:
            cancel(command)

    def handle(self, number: int, frame: FrameType | None) -> None:  # noqa: ARG002 - the system's signature
        """Take in a signal."""
        name = signal.Signals(number).name
        self._cancel(Cancel(by=name, note=f"{name} received", force=self.first is not None))
        self.first = self.first or number


@contextmanager
def _catching_signals() -> Iterator[_Caught]:
    """Catch SIGINT and SIGTERM; only the main thread may, and in others nothing is caught."""
    caught = _Caught()
    if threading.current_thread() is not threading.main_thread():
        yield caught
        return
    before = {number: signal.signal(number, caught.handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield caught
    finally:
        for number, old in before.items():
            signal.signal(number, old)
