"""What the loop waits on: descriptors, timers and reports, all handled in one thread."""

from __future__ import annotations

import heapq
import itertools
import os
import selectors
import threading
import time
from collections import deque
from collections.abc import Callable

from engine.attempts import Report

LONGEST_WAIT_S = 86_400.0
"""How long the system is asked to wait at once: it takes no more than some 24 days."""


class SelectorReactor:
    """A `Reactor` over `selectors`. Everything but `post` and `wake` belongs to the thread that calls `wait`."""

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._reports: deque[Report] = deque()
        self._timers: list[tuple[float, int]] = []
        self._callbacks: dict[int, Callable[[], None]] = {}
        self._order = itertools.count()
        self._thread = threading.get_ident()
        self._wake_r, self._wake_w = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._selector.register(self._wake_r, selectors.EVENT_READ, self._drain_wake)

    def watch(self, descriptor: int, ready: Callable[[], None]) -> None:
        """Call `ready` in the loop's thread whenever `descriptor` is readable."""
        self._selector.register(descriptor, selectors.EVENT_READ, ready)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching; unknown descriptors are ignored."""
        try:
            self._selector.unregister(descriptor)
        except (KeyError, ValueError):
            return

    def call_later(self, delay_s: float, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` once after `delay_s` monotonic seconds; the result cancels it (repeatable)."""
        number = next(self._order)
        heapq.heappush(self._timers, (time.monotonic() + max(0.0, delay_s), number))
        self._callbacks[number] = callback

        def cancel() -> None:
            self._callbacks.pop(number, None)

        return cancel

    def post(self, report: Report) -> None:
        """Hand a report to the loop; from any thread."""
        self._reports.append(report)
        if threading.get_ident() != self._thread:  # the loop looks for reports before it waits
            self.wake()

    def wake(self) -> None:
        """End a `wait` early; safe in a signal handler and from any thread, and of no effect after `close`."""
        if self._wake_w < 0:
            return
        try:
            os.write(self._wake_w, b"\0")
        except BlockingIOError:
            return  # it is awake already

    def wait(self, timeout_s: float | None) -> list[Report]:
        """Wait for a report, a due timer or `timeout_s` (`None` waits for ever); return the reports that have come. It may
        come back earlier, with nothing."""
        self._thread = threading.get_ident()
        if self._reports:
            timeout_s = 0.0
        watched = self._selector.get_map()
        for key, _ in self._selector.select(self._shorten(timeout_s)):
            if watched.get(key.fd) is key:  # not unwatched by one of those before it
                key.data()
        self._run_timers()
        reports = list(self._reports)
        for _ in reports:
            self._reports.popleft()
        return reports

    def close(self) -> None:
        """Free the descriptors. Repeatable."""
        if self._wake_r < 0:
            return
        self._selector.close()
        os.close(self._wake_r)
        os.close(self._wake_w)
        self._wake_r = self._wake_w = -1

    def _shorten(self, timeout_s: float | None) -> float | None:
        while self._timers and self._timers[0][1] not in self._callbacks:
            heapq.heappop(self._timers)
        if self._timers:
            until = max(0.0, self._timers[0][0] - time.monotonic())
            timeout_s = until if timeout_s is None else min(timeout_s, until)
        return None if timeout_s is None else min(timeout_s, LONGEST_WAIT_S)

    def _run_timers(self) -> None:
        now = time.monotonic()
        while self._timers and self._timers[0][0] <= now:
            callback = self._callbacks.pop(heapq.heappop(self._timers)[1], None)
            if callback is not None:
                callback()

    def _drain_wake(self) -> None:
        try:
            while os.read(self._wake_r, 4096):
                pass
        except BlockingIOError:
            return
