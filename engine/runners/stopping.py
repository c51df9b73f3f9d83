"""Ending a whole tree of processes: SIGTERM, grace, SIGKILL, and proof that nothing is left."""

from __future__ import annotations

import signal
from collections.abc import Callable

from engine.runners.trees import Family, Process, Tree, is_running, send_signal

_FIRST_LOOK_S = 0.002
_LONGEST_LOOK_S = 0.1
_GIVE_UP_S = 30.0  # after SIGKILL: only a process stuck in the kernel, or one of another user, is still there


class TreeStop:
    """Stops one tree and calls `done` once, when it is empty; its argument are notes for a person."""

    def __init__(
        self,
        call_later: Callable[[float, Callable[[], None]], Callable[[], None]],
        family: Family,
        tree: Tree,
        done: Callable[[tuple[str, ...]], None],
    ) -> None:
        self._call_later = call_later
        self._family = family
        self._tree = tree
        self._done = done
        self._members: dict[Process, None] = {}
        self._told: set[tuple[Process, int]] = set()
        self._signal = signal.SIGTERM
        self._look_s = _FIRST_LOOK_S
        self._cancel_look: Callable[[], None] | None = None
        self._cancel_kills: list[Callable[[], None]] = []
        self._cancel_give_up: Callable[[], None] | None = None
        self._over = False

    def begin(self, grace_s: float) -> None:
        """Send SIGTERM to every member (at once SIGKILL without a grace) and watch them go."""
        if grace_s <= 0:
            self._kill()
            return
        self._cancel_kills.append(self._call_later(grace_s, self._kill))
        self._find()
        self._look()

    def hurry(self, grace_s: float) -> None:
        """SIGKILL after `grace_s` from now, or when it was due before, whichever comes first."""
        if self._over or self._signal == signal.SIGKILL:
            return
        if grace_s <= 0:
            self._kill()
        else:
            self._cancel_kills.append(self._call_later(grace_s, self._kill))

    def look_now(self) -> None:
        """Something of the tree has ended: see whether that was all."""
        if not self._over:
            self._look_s = _FIRST_LOOK_S
            self._look()

    def abandon(self) -> None:
        """Stop watching; `done` is not called."""
        self._over = True
        for cancel in (self._cancel_look, self._cancel_give_up, *self._cancel_kills):
            _call(cancel)
        self._cancel_look = self._cancel_give_up = None
        self._cancel_kills.clear()

    def _kill(self) -> None:
        if self._over or self._signal == signal.SIGKILL:
            return
        self._signal = signal.SIGKILL
        self._look_s = _FIRST_LOOK_S
        self._cancel_give_up = self._call_later(_GIVE_UP_S, self._give_up)
        self._find()
        self._look()

    def _find(self) -> None:
        self._members = dict.fromkeys(self._family.members(self._tree))
        for process in self._members:
            if (process, self._signal) not in self._told:
                self._told.add((process, self._signal))
                send_signal(process, self._signal)
                if self._signal == signal.SIGTERM and process.state == "T":
                    send_signal(process, signal.SIGCONT)  # a stopped process would not hear of it

    def _look(self) -> None:
        _call(self._cancel_look)
        self._cancel_look = None
        if self._over:
            return
        self._members = {process: None for process in self._members if is_running(process)}
        if not self._members:
            if self._family.is_ended(self._tree):
                self._finish(())
                return
            self._find()
        self._cancel_look = self._call_later(self._look_s, self._look)
        self._look_s = min(_LONGEST_LOOK_S, self._look_s * 2)

    def _give_up(self) -> None:
        self._cancel_give_up = None
        pids = ", ".join(str(process.pid) for process in self._members)
        self._finish((f"could not be killed and may still run: process {pids}",))

    def _finish(self, notes: tuple[str, ...]) -> None:
        self.abandon()
        self._done(notes)


def _call(cancel: Callable[[], None] | None) -> None:
    if cancel is not None:
        cancel()
