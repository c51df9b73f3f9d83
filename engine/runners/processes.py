"""An attempt that is a local process, a script or a command: what its spawner is told, and what its end means."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Mapping
from datetime import timedelta

from engine.attempts import CommandWork, Launch, ScriptWork, Work
from engine.outcomes import Ending, Failure, Outcome
from engine.runners.attempt import LEFTOVER_GRACE_S, Kit, LocalAttempt, describe_leftovers
from engine.runners.endings import ProcessEnd, describe_end, last_line
from engine.runners.journals import Journal, Start, TaskEnd
from engine.runners.links import Link, tree_of
from engine.runners.outputs import BadOutput, read_outputs
from engine.runners.preparation import (
    CannotStart,
    explain_refusal,
    marker_of,
    no_folder,
    prepare_command,
    require_fit,
    require_folder,
)
from engine.runners.reporting import lost, lost_by
from engine.runners.spawners import Spawners
from engine.runners.stopping import TreeStop
from engine.runners.trees import Tree

_DIED = "the process that started it was killed, and nobody knows how it ended"
_TAKEN = "another engine has taken it over"


class ProcessAttempt(LocalAttempt):
    """One attempt, started by a spawner of ours, or by that of an engine that is gone."""

    def __init__(self, kit: Kit, spawners: Spawners, launch: Launch, over: Callable[[], None]) -> None:
        super().__init__(kit, launch, over)
        self.marker = marker_of(launch.key)
        self._spawners = spawners
        self._link: Link | None = None
        self._stop: TreeStop | None = None
        self._tree: Tree | None = None
        self._grace_s: float | None = None

    @property
    def work(self) -> Work:
        """What is done in it."""
        return self._launch.work

    @property
    def token(self) -> int:
        """The fencing number of the right to it."""
        return self._launch.token

    def stop(self, grace: timedelta) -> None:
        """End the tree; sooner, when it is being ended already."""
        if self._ended:
            return
        grace_s = grace.total_seconds()
        self._grace_s = grace_s if self._grace_s is None else min(grace_s, self._grace_s)
        if self._stop is not None:
            self._stop.hurry(grace_s)
        elif self._link is not None:
            self._link.stop(self, grace_s)

    def trees(self) -> list[Tree]:
        """What the engine itself is ending."""
        return [] if self._tree is None else [self._tree]

    def discard(self) -> None:
        """Free everything without a report."""
        super().discard()
        if self._stop is not None:
            self._stop.abandon()

    def _start(self) -> None:
        head, script = message(self._launch, self.marker, self._masker.needles)
        self._link = self._spawners.own()
        self._link.start(self, head, script)

    # --- what its spawner tells -----------------------------------------------------------------------------------------

    def asked(self, link: Link) -> None:
        """A spawner that another engine had started is asked for it."""
        self._link = link

    def adopted(self) -> None:
        """It runs there; its end will be told as if we had started it."""
        if self._grace_s is not None and self._link is not None:
            self._link.stop(self, self._grace_s)

    def taken(self) -> None:
        """It belongs to an engine with a better right."""
        if not self._ended:
            self._report(lost(_TAKEN))

    def ended(self, end: TaskEnd, *, then: Callable[[], None] | None = None) -> None:
        """The process has ended, and nothing of its tree is left; `then` is called when that has been reported."""
        if self._ended:
            return
        if end.left:
            self._notes.append(describe_leftovers(int(end.left[0]), list(end.left[1:])))
        self._notes.extend(end.notes)
        self._report(self._outcome(end), tmp=self._tmp(end.tmp), then=then)

    def orphaned(self, journal: Journal, *, is_ours: bool) -> None:
        """Its spawner has died: nobody will see how it ends."""
        start = journal.starts.get(self.marker)
        tree = tree_of(self.marker, start, is_foreign=not is_ours)
        self.found(journal.ends.get(self.marker), start, tree, _DIED)

    def found(
        self,
        end: TaskEnd | None,
        start: Start | None,
        tree: Tree | None,
        reason: str,
        *,
        then: Callable[[], None] | None = None,
    ) -> None:
        """No spawner has it any more: end what is left of it, `tree`; report its end, or that for this `reason` it is lost."""
        self._link = None
        if self._ended:
            return

        def report(notes: tuple[str, ...] = ()) -> None:
            self._tree = None
            self._notes.extend(notes)
            if end is not None:
                self.ended(end, then=then)
            else:
                outcome = Outcome(Ending.STOPPED) if self._grace_s is not None else lost(reason)
                self._report(outcome, tmp=self._tmp(start.tmp if start is not None else 0), then=then)

        if tree is None:
            report()
        else:
            self._tree = tree
            self._stop = TreeStop(self._kit.reactor.call_later, self._kit.family, tree, report)
            self._stop.begin(0)

    def _tmp(self, number: int) -> str:
        return f"{self._launch.files.slots}/{number}" if number > 0 else ""

    # --- what an end means ----------------------------------------------------------------------------------------------

    def _outcome(self, end: TaskEnd) -> Outcome:
        if end.how == "refused":
            return self._refusal(end)
        code = end.value if end.how == "exit" else None
        if "s" in end.seen:
            return Outcome(Ending.STOPPED, exit_code=code)
        if end.how == "unknown":
            return lost("nobody knows how the process ended")
        kept = kept_streams(self._launch)
        work = self._launch.work
        if code is None or not (isinstance(work, ScriptWork | CommandWork) and code in work.success_codes):
            line = last_line(kept.get("stderr", self._launch.files.log), _length(end, kept))
            how = ProcessEnd(exit_code=code) if code is not None else ProcessEnd(signal=end.value)
            return self._failed(describe_end(how, last_line=line))
        if not self._launch.outputs and "o" not in end.seen and "j" not in end.seen:
            return Outcome(Ending.SUCCEEDED, exit_code=code)
        try:
            return Outcome(
                Ending.SUCCEEDED, output=read_outputs(self._launch, exit_code=code, streams=kept), exit_code=code
            )
        except BadOutput as error:
            return self._failed(Failure("output", str(error), exit_code=code))

    def _refusal(self, end: TaskEnd) -> Outcome:
        error = OSError(end.value, os.strerror(end.value))
        if end.what == "tmp":
            return Outcome(Ending.FAILED, no_folder(self._launch.files.slots, error).failure)
        if end.what in ("log", "script"):
            return lost_by(error)
        try:
            refusal = explain_refusal(error, prepare_command(self._launch), self._launch.workdir)
        except CannotStart as better:
            refusal = better
        except OSError:
            refusal = None
        return lost_by(error) if refusal is None else Outcome(Ending.FAILED, refusal.failure)


def message(launch: Launch, marker: str, needles: tuple[bytes, ...]) -> tuple[bytes, bytes]:
    """What a spawner is told to start an attempt: the head of the message, as `engine.spawner.orders.Order` reads it, and
    the script as its tail.

    Raises `CannotStart` for what no process can be given, `OSError` when the disk fails.
    """
    command = prepare_command(launch)
    files, kept = launch.files, kept_streams(launch)
    fields = [
        "start",
        marker,
        str(launch.token),
        launch.workdir if launch.workdir[:1] == "/" else os.path.abspath(launch.workdir),  # noqa: PTH100 - hot path
        files.log,
        files.slots,
        files.output,
        files.output_json,
        command.fallback,
        command.script_path,
        kept.get("stdout", ""),
        kept.get("stderr", ""),
        str(launch.output_limit_bytes) if kept else "",
        ",".join(needle.hex() for needle in needles),
        str(min(LEFTOVER_GRACE_S, launch.grace.total_seconds())),
        str(len(command.argv)),
        *command.argv,
        *itertools.chain.from_iterable(command.env.items()),
    ]
    try:
        head = os.fsencode("\0".join(fields))
        is_fit = head.count(0) == len(fields) - 1 and "=" not in "".join(command.env) and "" not in command.env
    except UnicodeEncodeError:
        is_fit = False
    if not is_fit:
        require_folder(launch.workdir)
        require_fit(command.env, command.argv)
        raise ValueError("a name of a file or a folder cannot be given to the system")
    return head, command.script


def kept_streams(launch: Launch) -> dict[str, str]:
    """The files of the streams that outputs are read from."""
    if not launch.outputs:
        return {}
    wanted = {output.source for output in launch.outputs.values()}
    return {name: launch.files.own(name) for name in ("stdout", "stderr") if name in wanted}


def _length(end: TaskEnd, kept: Mapping[str, str]) -> int | None:
    return None if end.log_bytes < 0 or "stderr" in kept else end.log_bytes
