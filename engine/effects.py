"""What the loop does after an event is durable: attempts are started, stopped, and recovered from another engine."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Protocol

from msgspec.structs import replace

from engine.attempts import AttemptEnded, AttemptKey, Launch, Report, Runner
from engine.driven import NO_ITEM, Driven
from engine.events import AttemptStarted, AttemptStopping, Event
from engine.launching import Launcher, Surroundings
from engine.outcomes import Ending, Failure, Outcome
from engine.plan import ATTEMPT_ACTIONS
from engine.recovery import Restored, bare_launch, by_origin

AT_ONCE = timedelta(0)

WITH_EFFECT = frozenset({AttemptStarted, AttemptStopping})
"""The events that call for something."""


class Waiter(Protocol):
    """Where reports come from: a reactor, or a test's own clockwork."""

    def wait(self, timeout_s: float | None) -> list[Report]:
        """Wait for reports, at most `timeout_s` seconds (`None`: for ever)."""

    def wake(self) -> None:
        """End a wait early; from any thread or signal handler."""

    def post(self, report: Report) -> None:
        """Hand in a report; from any thread."""


class Effects:
    """Carries out what events call for."""

    def __init__(self, runner: Runner, waiter: Waiter, around: Surroundings) -> None:
        self._runner = runner
        self._waiter = waiter
        self._around = around
        self._doomed: dict[AttemptKey, Failure] = {}

    def perform(self, driven: Driven, event: Event) -> None:
        """Do what a durable event calls for, if it calls for anything."""
        match event:
            case AttemptStarted():
                if isinstance(driven.plan.tasks[event.task].action, ATTEMPT_ACTIONS):
                    self._launch(driven, event)
            case AttemptStopping():
                self._stop(driven, event.task, event.item)

    def end_all(self, driven: Driven) -> None:
        """End every attempt of a run at once; nobody waits for how they end."""
        for key in driven.live_attempts():
            self._runner.stop(key, grace=AT_ONCE)

    def recover(self, restored: Iterable[Restored]) -> None:
        """Find out what became of the attempts that other engines had started: each is reported, sooner or later."""
        launches: list[tuple[Launch, str | None]] = []
        stops: list[tuple[Driven, AttemptKey]] = []
        for each in restored:
            for key in each.driven.live_attempts():
                origin = each.origins.get((key.task, NO_ITEM if key.item is None else key.item))
                launches.append((self._again(each.driven, key), origin))
                if key in self._doomed or each.driven.run.tasks[key.task].unit(key.item).stopping is not None:
                    stops.append((each.driven, key))
        self._hand_over(launches)
        for driven, key in stops:
            self._stop(driven, key.task, key.item)

    def end_leftovers(self, leftovers: Iterable[tuple[AttemptKey, str | None]], *, token: int) -> None:
        """End what may be left of attempts of a run that nobody can drive any more."""
        launches = [(replace(bare_launch(key, self._around.files), token=token), origin) for key, origin in leftovers]
        self._hand_over(launches)
        for launch, _ in launches:
            self._runner.stop(launch.key, grace=AT_ONCE)

    def told(self, report: Report) -> Report:
        """A report as it is to be decided on: an attempt that was ended for want of its launch is lost, for that reason."""
        failure = self._doomed.pop(report.key, None) if isinstance(report, AttemptEnded) and self._doomed else None
        return report if failure is None else AttemptEnded(report.key, Outcome(Ending.LOST, failure))

    def _hand_over(self, launches: Iterable[tuple[Launch, str | None]]) -> None:
        for origin, mine in by_origin(launches).items():
            if origin is None:
                for launch in mine:
                    self._waiter.post(
                        AttemptEnded(launch.key, Outcome(Ending.LOST, Failure("lost", "it was never started")))
                    )
            else:
                self._runner.recover(mine, origin=origin)

    def _again(self, driven: Driven, key: AttemptKey) -> Launch:
        """The launch of an attempt once more; if it cannot be had, what it takes to end the attempt."""
        launch = self._made(driven, key)
        if isinstance(launch, Launch):
            return launch
        self._doomed[key] = Failure("lost", f"it cannot be taken up again: {launch.message}")
        return replace(bare_launch(key, self._around.files), token=driven.token)

    def _made(self, driven: Driven, key: AttemptKey) -> Launch | Failure:
        if driven.launcher is None:
            driven.launcher = Launcher(driven.plan, driven.run, self._around, token=driven.token)
        return driven.launcher.launch(key)

    def _launch(self, driven: Driven, event: AttemptStarted) -> None:
        key = AttemptKey(driven.run.id, event.task, event.item, event.round, event.attempt)
        launch = self._made(driven, key)
        if isinstance(launch, Failure):
            self._waiter.post(AttemptEnded(key, Outcome(Ending.FAILED, launch)))
            return
        try:
            self._make_folders(driven)
        except OSError as problem:
            why = (problem.strerror or "unknown").lower()
            failure = Failure("exit", f"cannot be started: no folder `{launch.files.work}` could be made: {why}")
            self._waiter.post(AttemptEnded(key, Outcome(Ending.FAILED, failure)))
            return
        self._runner.start(launch)

    def _make_folders(self, driven: Driven) -> None:
        if not driven.has_folder:
            self._around.files.make_run(driven.run.id)
            driven.has_folder = True

    def _stop(self, driven: Driven, name: str, item: int | None) -> None:
        spec, task = driven.plan.tasks[name], driven.run.tasks[name]
        if item is None and task.items is not None:
            return  # a mark on the fan-out; its items are stopped one by one
        key = driven.key(name, item)
        hurried = driven.run.hurried_everything or key in self._doomed
        self._runner.stop(key, grace=AT_ONCE if hurried else spec.grace)
