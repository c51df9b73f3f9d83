"""What a spawner waits on: descriptors and timers. As the engine's reactor, without the modules that one loads."""

from __future__ import annotations

import heapq
import select
import time
from collections.abc import Callable


class Turns:
    """Descriptors and timers, handled in one thread."""

    def __init__(self) -> None:
        self._poll = select.epoll()
        self._ready: dict[int, Callable[[], None]] = {}
        self._timers: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._number = 0

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` whenever `descriptor` is readable."""
        self._poll.register(descriptor, select.EPOLLIN)
        self._ready[descriptor] = ready

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; unknown descriptors are ignored."""
        if self._ready.pop(descriptor, None) is not None:
            self._poll.unregister(descriptor)

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once after `delay_s` seconds; the result cancels it (repeatable)."""
        self._number += 1
        number = self._number
        heapq.heappush(self._timers, (time.monotonic() + delay_s, number))
        self._callbacks[number] = callback
        return lambda: _forget(self._callbacks, number)

    def turn(self) -> None:
        """Wait until something has happened and handle it."""
        timeout = -1.0
        while self._timers and self._timers[0][1] not in self._callbacks:
            heapq.heappop(self._timers)
        if self._timers:
            timeout = max(0.0, self._timers[0][0] - time.monotonic())
        for descriptor, _ in self._poll.poll(timeout):
            ready = self._ready.get(descriptor)
            if ready is not None:  # not unwatched by one of those before it
                ready()
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = self._callbacks.pop(heapq.heappop(self._timers)[1], None)
            if callback is not None:
                callback()


def _forget(callbacks: dict[int, Callable[[], None]], number: int) -> None:
    callbacks.pop(number, None)
