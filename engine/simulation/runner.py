"""A runner that starts nothing: each attempt ends, when its time has come, as its stub says."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from engine.attempts import AttemptEnded, AttemptKey, AttemptReady, Launch
from engine.outcomes import Ending, Failure, Outcome
from engine.plan import PlanTask
from engine.simulation.clockwork import Clockwork, VirtualClock
from engine.simulation.stubs import Stub, StubSet, invented
from engine.simulation.trace import Trace
from specs.context import Catalogue

HANGS = "timeout"
"""The failure of an attempt that does not end by itself."""


class StubRunner:
    """A `Runner` on a virtual clock. A service is ready at once and ends when it is stopped, unless its stub fails."""

    def __init__(
        self, stubs: StubSet, *, trace: Trace, clock: VirtualClock, clockwork: Clockwork, catalogue: Catalogue | None
    ) -> None:
        self._stubs = stubs
        self._trace = trace
        self._clock = clock
        self._clockwork = clockwork
        self._catalogue = catalogue

    def start(self, launch: Launch) -> None:
        """Schedule the end of the attempt."""
        key = launch.key
        traced = self._trace.runs[key.run_id]
        launches = traced.launches.setdefault((key.task, key.item), [])
        launches.append(launch)
        spec = traced.plan.tasks[key.task]
        stub = self._stubs.find(traced.path, traced.segment(key.task, key.item)).attempt(len(launches))
        if spec.service and not (stub.failure is not None and stub.duration is None):
            self._clockwork.post(AttemptReady(key))
        if not _runs_on(spec, stub):
            self._end(key, self._outcome(spec, stub), self._duration(stub))

    def stop(self, key: AttemptKey, *, grace: timedelta) -> None:  # noqa: ARG002 - nothing here needs grace
        """End the attempt now."""
        self._clockwork.post(AttemptEnded(key, Outcome(Ending.STOPPED)))

    def recover(self, launches: Sequence[Launch], *, origin: str) -> None:  # noqa: ARG002 - nobody died
        """Start them anew: what is simulated has no processes that could have gone on."""
        for launch in launches:
            self.start(launch)

    def leave(self) -> None:
        """Nothing is left to free."""

    def close(self) -> None:
        """Nothing is left to free."""

    def _end(self, key: AttemptKey, outcome: Outcome, after: timedelta) -> None:
        self._clockwork.post_at(self._clock.now() + after, AttemptEnded(key, outcome))

    def _duration(self, stub: Stub) -> timedelta:
        return self._stubs.duration if stub.duration is None else stub.duration

    def _outcome(self, spec: PlanTask, stub: Stub) -> Outcome:
        failure = stub.failure
        if failure is None:
            return Outcome(Ending.SUCCEEDED, output={**invented(spec, self._catalogue), **stub.outputs}, exit_code=0)
        if failure.kind == "lost":
            return Outcome(Ending.LOST, failure)
        return Outcome(Ending.FAILED, _unasked(failure, spec), exit_code=failure.exit_code)


def _runs_on(spec: PlanTask, stub: Stub) -> bool:
    """Whether the attempt goes on until it is stopped: a service, and what hangs where something limits it."""
    if stub.failure is None:
        return spec.service
    return stub.failure.kind == HANGS and spec.timeout is not None


def _unasked(failure: Failure, spec: PlanTask) -> Failure:
    """The failure as a script of this task could cause it; asking for ancestors needs `retry_upstream`."""
    if failure.asks_upstream and spec.retry_upstream is None:
        return Failure(failure.kind, failure.message, failure.exit_code)
    return failure
