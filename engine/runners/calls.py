"""A Python call as an attempt: a message to a warm worker, and not an interpreter's start."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import timedelta

from engine.attempts import CallWork, Launch
from engine.outcomes import Ending, Failure, Json, Outcome
from engine.runners.attempt import LEFTOVER_GRACE_S, Kit, LocalAttempt, leftovers_of
from engine.runners.endings import ProcessEnd, describe_end, last_line
from engine.runners.outputs import BadOutput, check_returned
from engine.runners.preparation import marker_of, no_folder, prepare_env, require_fit, require_folder
from engine.runners.reporting import lost
from engine.runners.stopping import TreeStop
from engine.runners.streams import Streams
from engine.runners.trees import Tree
from engine.runners.workers import CallPool, Worker, WorkerKey
from engine.spawner.slots import path_of


class CallAttempt(LocalAttempt):
    """One call."""

    def __init__(self, kit: Kit, pool: CallPool, launch: Launch, work: CallWork, over: Callable[[], None]) -> None:
        super().__init__(kit, launch, over)
        self._pool = pool
        self._work = work
        self._worker: Worker | None = None
        self._streams: Streams | None = None
        self._answer: Mapping[str, Json] | None = None
        self._stop: TreeStop | None = None
        self._folders = os.fsencode(launch.files.slots)
        self._slot = 0

    def stop(self, grace: timedelta) -> None:
        """End the worker and all it has started; sooner, when that is under way."""
        if self._worker is None or self._ended:
            return
        was_stopped, self._stopped = self._stopped, self._stopped or self._answer is None
        if self._stop is not None and self._stopped and not was_stopped:
            self._stop.abandon()
            self._stop = None
        self._end_tree(grace.total_seconds(), spare=not self._stopped)

    def trees(self) -> list[Tree]:
        """The processes of this call, for a runner that closes."""
        return [] if self._worker is None else [self._tree(self._worker, spare=False)]

    def discard(self) -> None:
        """Free everything without a report; the worker has been killed and belongs to the pool."""
        super().discard()
        if self._stop is not None:
            self._stop.abandon()
        if self._streams is not None:
            self._streams.close()

    def _start(self) -> None:
        launch = self._launch
        require_folder(launch.workdir)
        env = prepare_env(launch)
        require_fit(env)
        env["FLOW_TMP"] = self._take_folder()
        self._pool.logs.take(launch.files.log)
        streams = Streams(self._kit.reactor, log=launch.files.log, kept={}, limit_bytes=0, needles=self._masker.needles)
        try:
            worker = self._pool.take(WorkerKey.of(self._work, workdir=str(launch.workdir), env=env))
        except (OSError, ValueError):
            streams.close()
            self._left_folder()
            raise
        worker.received, worker.died = self._receive, self._see_death
        self._worker, self._streams = worker, streams
        request: dict[str, Json] = {
            "target": self._work.target,
            "arguments": dict(self._work.arguments),
            "env": dict(env),
            "workdir": os.path.abspath(launch.workdir),  # noqa: PTH100 - does not look at the disk
            "limit_bytes": launch.output_limit_bytes,
        }
        worker.channel.send(request, (streams.stdout, streams.stderr))
        streams.hand_over()

    def _tree(self, worker: Worker, *, spare: bool) -> Tree:
        markers = frozenset({marker_of(self._launch.key).encode(), worker.name.encode()})
        return Tree(worker.child.pid, markers, frozenset({worker.child.pid}) if spare else frozenset())

    def _receive(self, message: Mapping[str, Json]) -> None:
        self._answer = message
        if not self._stopped:
            self._end_call(spare=True)

    def _see_death(self) -> None:
        if self._ended:
            return
        if self._stop is not None:
            self._stop.look_now()
        else:
            self._end_call(spare=False)

    def _end_call(self, *, spare: bool) -> None:
        """The call has ended; go on when nothing that it started is left."""
        if self._worker is None:
            return
        is_childless = self._answer is not None and self._answer.get("childless") is True
        left = self._kit.family.left_of(self._tree(self._worker, spare=spare and not is_childless))
        if not left:
            self._finish(())
            return
        self._notes.append(leftovers_of(left))
        self._end_tree(min(LEFTOVER_GRACE_S, self._launch.grace.total_seconds()), spare=spare)

    def _end_tree(self, grace_s: float, *, spare: bool) -> None:
        if self._stop is not None:
            self._stop.hurry(grace_s)
        elif self._worker is not None:
            tree = self._tree(self._worker, spare=spare)
            self._stop = TreeStop(self._kit.reactor.call_later, self._kit.family, tree, self._finish)
            self._stop.begin(grace_s)

    def _finish(self, notes: tuple[str, ...]) -> None:
        worker, streams = self._worker, self._streams
        if worker is None or streams is None or self._ended:
            return
        self._ended = True
        self._notes.extend(notes)
        is_plain = self._answer is not None and self._stop is None
        end = None if is_plain else worker.child.peek()  # an idle worker that ends is removed when that is seen
        size = streams.finish()
        line = last_line(self._launch.files.log) if end is not None and not self._stopped else ""
        self._notes.extend(streams.notes)
        if is_plain and size == 0:
            self._pool.logs.give(self._launch.files.log)
        outcome = self._outcome(end, worker, line)
        self._release(worker, end)
        self._report(outcome, tmp=self._left_folder())

    def _take_folder(self) -> str:
        try:
            self._slot = self._pool.slots.take(self._folders)
        except OSError as error:
            raise no_folder(self._launch.files.slots, error) from None
        return os.fsdecode(path_of(self._folders, self._slot))

    def _left_folder(self) -> str:
        """The folder for temporary files, if the call has left something in it; else it is used again."""
        is_tidy = self._pool.slots.give_back(self._folders, self._slot)
        return "" if is_tidy else os.fsdecode(path_of(self._folders, self._slot))

    def _release(self, worker: Worker, end: ProcessEnd | None) -> None:
        if end is not None:
            self._pool.remove(worker)
        elif self._stopped or self._answer is None or self._answer.get("tainted"):
            self._pool.end(worker)
        else:
            self._pool.give_back(worker)

    def _outcome(self, end: ProcessEnd | None, worker: Worker, line: str) -> Outcome:
        if self._stopped:
            return Outcome(Ending.STOPPED)
        answer = self._answer
        if answer is None:
            if worker.is_deaf:
                return self._failed(Failure("exit", "the callable closed the descriptors of its worker"))
            if end is None or end.signal == 0:
                return lost("nobody knows how the call ended")
            return self._failed(describe_end(end, last_line=line))
        error = answer.get("error")
        if isinstance(error, dict):
            name = error.get("name")
            kind, message = str(error.get("kind")), str(error.get("message"))
            return self._failed(Failure(kind, message, name=str(name) if name is not None else None))
        try:
            return Outcome(Ending.SUCCEEDED, output=check_returned(self._launch, answer.get("value")))
        except BadOutput as problem:
            return self._failed(Failure("output", str(problem)))
