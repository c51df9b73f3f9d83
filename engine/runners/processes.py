"""An attempt that is a local process: a script or a command."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from msgspec import Struct
from msgspec.structs import replace

from engine.attempts import CommandWork, Launch, Reactor, ScriptWork
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.children import Child, Start
from engine.runners.control import add_signs
from engine.runners.endings import ProcessEnd, describe_end, one_line
from engine.runners.masking import Masker
from engine.runners.outputs import BadOutput, read_outputs
from engine.runners.preparation import CannotStart, explain_refusal, marker_of, prepare_command
from engine.runners.reporting import Reporter, lost, lost_by
from engine.runners.stopping import TreeStop
from engine.runners.streams import Streams
from engine.runners.trees import Family, Process, Tree, program_name

LEFTOVER_GRACE_S = 2.0
"""Between SIGTERM and SIGKILL of what a task left running when it ended."""


class Kit(Struct, frozen=True):
    """What every attempt of a runner works with."""

    reactor: Reactor
    family: Family
    reporter: Reporter


class ProcessAttempt:
    """One attempt; `over` is called in the loop's thread when it is, just before it is reported."""

    def __init__(self, kit: Kit, launch: Launch, over: Callable[[], None]) -> None:
        self._kit = kit
        self._launch = launch
        self._over = over
        self._masker = Masker(launch.secrets)
        self._streams: Streams | None = None
        self._child: Child | None = None
        self._stop: TreeStop | None = None
        self._stopped = False
        self._ended = False
        self._notes: list[str] = []

    def start(self) -> None:
        """Start the process; what goes wrong is reported."""
        try:
            self._start()
        except CannotStart as refusal:
            self._report(Outcome(Ending.FAILED, refusal.failure))
        except OSError as error:
            self._report(lost_by(error))
        except ValueError as error:
            self._report(Outcome(Ending.FAILED, Failure("exit", f"cannot be started: {error}")))

    def stop(self, grace: timedelta) -> None:
        """End the tree; sooner, when it is being ended already."""
        child = self._child
        if child is None or self._ended:
            return
        self._stopped = self._stopped or child.peek() is None
        self._end_tree(grace.total_seconds())

    def trees(self) -> list[Tree]:
        """The processes of this attempt, for a runner that closes."""
        return [] if self._child is None else [self._tree(self._child)]

    def discard(self) -> None:
        """Free everything without a report; the processes have been killed."""
        self._ended = True
        if self._stop is not None:
            self._stop.abandon()
        if self._streams is not None:
            self._streams.close()
        if self._child is not None:
            self._kit.reactor.unwatch(self._child.descriptor)
            self._child.reap()

    def _start(self) -> None:
        launch = self._launch
        command = prepare_command(launch)
        streams = Streams(self._kit.reactor, launch, self._masker)
        try:
            child = Child(
                self._kit.family,
                Start(command.program, command.argv, command.env, launch.workdir, streams.stdout, streams.stderr),
            )
        except (OSError, ValueError) as error:
            streams.close()
            refusal = explain_refusal(error, command, launch.workdir)
            if refusal is None:
                raise
            raise refusal from error
        self._child, self._streams = child, streams
        streams.hand_over()
        self._kit.reactor.watch(child.descriptor, self._see_exit)

    def _tree(self, child: Child) -> Tree:
        return Tree(child.pid, frozenset({marker_of(self._launch.key).encode()}))

    def _see_exit(self) -> None:
        child = self._child
        if child is None or child.peek() is None:
            return  # called for a descriptor that was closed in the same turn
        self._kit.reactor.unwatch(child.descriptor)
        if self._ended:
            child.reap()
        elif self._stop is not None:
            self._stop.look_now()
        elif left := self._kit.family.left_of(self._tree(child)):
            self._notes.append(describe_leftovers(left))
            self._end_tree(min(LEFTOVER_GRACE_S, self._launch.grace.total_seconds()))
        else:
            self._finish(())

    def _end_tree(self, grace_s: float) -> None:
        if self._stop is not None:
            self._stop.hurry(grace_s)
        elif self._child is not None:
            self._stop = TreeStop(self._kit.reactor, self._kit.family, self._tree(self._child), self._finish)
            self._stop.begin(grace_s)

    def _finish(self, notes: tuple[str, ...]) -> None:
        self._notes.extend(notes)
        child, streams = self._child, self._streams
        if child is None or streams is None or self._ended:
            return
        end = child.peek()
        if end is not None:  # else it could not be killed, and is reaped should it ever end
            self._kit.reactor.unwatch(child.descriptor)
            child.reap()
        line = streams.finish(want_line=end is not None and not self._stopped and not self._succeeded(end))
        self._notes.extend(streams.notes)
        self._report(self._outcome(end, line))

    def _outcome(self, end: ProcessEnd | None, line: str) -> Outcome:
        if self._stopped:
            return Outcome(Ending.STOPPED, exit_code=end.exit_code if end else None)
        if end is None or end.signal == 0:
            return lost("nobody knows how the process ended")
        if not self._succeeded(end):
            return self._failed(describe_end(end, last_line=line))
        code = end.exit_code or 0
        try:
            kept = self._streams.kept if self._streams is not None else {}
            output = read_outputs(self._launch, exit_code=code, streams=kept)
        except BadOutput as error:
            return self._failed(Failure("output", str(error), exit_code=code))
        return Outcome(Ending.SUCCEEDED, output=output, exit_code=code)

    def _succeeded(self, end: ProcessEnd) -> bool:
        work = self._launch.work
        return isinstance(work, ScriptWork | CommandWork) and end.exit_code in work.success_codes

    def _failed(self, failure: Failure) -> Outcome:
        failure, notes = add_signs(failure, self._launch)
        self._notes.extend(notes)
        return Outcome(Ending.FAILED, failure, exit_code=failure.exit_code)

    def _report(self, outcome: Outcome) -> None:
        self._ended = True
        self._over()
        self._kit.reporter.report(self._launch, replace(outcome, notes=tuple(self._notes)), self._masker)


def describe_leftovers(left: list[Process]) -> str:
    """The note on processes that a task left running."""
    names = sorted({one_line(program_name(process.pid)) or "?" for process in left})
    shown = ", ".join(f"`{name}`" for name in names[:5])
    if len(left) == 1:
        return f"left a process running, which was ended: {shown}"
    return f"left {len(left)} processes running, which were ended: {shown}"
