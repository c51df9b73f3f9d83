"""The life of every attempt on this machine: it is started, perhaps stopped, and reported once."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from engine.attempts import Launch, Reactor
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.control import add_signs
from engine.runners.endings import one_line
from engine.runners.masking import Masker
from engine.runners.preparation import CannotStart
from engine.runners.reporting import Reporter, lost_by
from engine.runners.trees import Family, Process, Tree, program_name

LEFTOVER_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL of what a task left running when it ended."""

_SHOWN_LEFTOVERS = 5


class Kit(Struct, frozen=True):
    """What every attempt of a runner works with."""

    reactor: Reactor
    family: Family
    reporter: Reporter


class LocalAttempt:
    """One attempt; `over` is called in the loop's thread when it is, just before it is reported."""

    def __init__(self, kit: Kit, launch: Launch, over: Callable[[], None]) -> None:
        self._kit = kit
        self._launch = launch
        self._over = over
        self._masker = Masker(launch.secrets)
        self._stopped = False
        self._ended = False
        self._notes: list[str] = []

    def start(self) -> None:
        """Begin; what goes wrong is reported."""
        try:
            self._start()
        except CannotStart as refusal:
            self._report(Outcome(Ending.FAILED, refusal.failure))
        except OSError as error:
            self._report(lost_by(error))
        except ValueError as error:
            self._report(Outcome(Ending.FAILED, self._misfit(error)))

    def stop(self, grace: timedelta) -> None:
        """End it; sooner, when that is under way."""
        raise NotImplementedError

    def trees(self) -> list[Tree]:
        """The processes of this attempt that the engine itself has to end, for a runner that closes."""
        return []

    def discard(self) -> None:
        """Free everything without a report; the processes have been killed, or are no business of this engine any more."""
        self._ended = True

    def _start(self) -> None:
        raise NotImplementedError

    def _misfit(self, error: ValueError) -> Failure:
        return Failure("exit", f"cannot be started: {error}")

    def _failed(self, failure: Failure) -> Outcome:
        failure, notes = add_signs(failure, self._launch)
        self._notes.extend(notes)
        return Outcome(Ending.FAILED, failure, exit_code=failure.exit_code)

    def _report(self, outcome: Outcome, *, tmp: str = "", then: Callable[[], None] | None = None) -> None:
        """Report how it ended, once the folder `tmp` is gone; `then` is called, from any thread, afterwards."""
        self._ended = True
        self._over()
        if self._notes:
            outcome = replace(outcome, notes=tuple(self._notes))
        self._kit.reporter.report(self._launch, outcome, self._masker, tmp=tmp, then=then)


def leftovers_of(left: list[Process]) -> str:
    """The note on processes that an attempt left running."""
    return describe_leftovers(len(left), sorted({program_name(process.pid) for process in left}))


def describe_leftovers(count: int, names: list[str]) -> str:
    """The note on so many processes that were left running, of programs of these names."""
    shown = ", ".join(f"`{one_line(name) or '?'}`" for name in names[:_SHOWN_LEFTOVERS])
    if count == 1:
        return f"left a process running, which was ended: {shown}"
    return f"left {count} processes running, which were ended: {shown}"
