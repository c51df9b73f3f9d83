"""The reactor over real pipes; nothing here waits for time to pass but timers of no length."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator

import pytest

from engine.attempts import AttemptKey, AttemptReady
from engine.reactor import SelectorReactor

REPORT = AttemptReady(AttemptKey("r", "t", None, 1, 1))
FOR_EVER = 60.0  # longer than any test may take


@pytest.fixture
def reactor() -> Iterator[SelectorReactor]:
    made = SelectorReactor()
    yield made
    made.close()


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    ends = os.pipe()
    yield ends
    for end in ends:
        os.close(end)


def test_a_report_ends_a_wait(reactor: SelectorReactor) -> None:
    thread = threading.Thread(target=reactor.post, args=(REPORT,))
    thread.start()
    assert reactor.wait(FOR_EVER) == [REPORT]
    thread.join()


def test_reports_come_in_the_order_of_their_posting(reactor: SelectorReactor) -> None:
    reports = [AttemptReady(AttemptKey("r", "t", i, 1, 1)) for i in range(100)]
    for report in reports:
        reactor.post(report)
    assert reactor.wait(None) == reports
    assert reactor.wait(0) == []


def test_a_wake_before_a_wait_is_not_lost(reactor: SelectorReactor) -> None:
    for _ in range(100_000):  # more than a pipe holds
        reactor.wake()
    assert reactor.wait(FOR_EVER) == []


def test_a_readable_descriptor_is_told_in_the_waiting_thread(reactor: SelectorReactor, pipe: tuple[int, int]) -> None:
    seen: list[bytes] = []
    reactor.watch(pipe[0], lambda: seen.append(os.read(pipe[0], 10)))
    os.write(pipe[1], b"x")
    reactor.wait(FOR_EVER)
    assert seen == [b"x"]
    reactor.unwatch(pipe[0])
    os.write(pipe[1], b"y")
    reactor.wait(0)
    assert seen == [b"x"]


def test_a_descriptor_that_another_callback_gave_up_is_not_told(reactor: SelectorReactor) -> None:
    pipes = [os.pipe() for _ in range(2)]
    told: list[int] = []

    def give_up(mine: int) -> None:
        told.append(mine)
        for end, _ in pipes:
            reactor.unwatch(end)

    for end, write in pipes:
        reactor.watch(end, lambda end=end: give_up(end))  # type: ignore[misc]
        os.write(write, b"x")
    reactor.wait(FOR_EVER)
    assert len(told) == 1
    for ends in pipes:
        for end in ends:
            os.close(end)


def test_unknown_descriptors_are_ignored(reactor: SelectorReactor) -> None:
    reactor.unwatch(12345)
    reactor.unwatch(-1)


def test_timers_fire_once_in_order_and_not_when_cancelled(reactor: SelectorReactor) -> None:
    fired: list[str] = []
    cancel = reactor.call_later(0, lambda: fired.append("cancelled"))
    reactor.call_later(-5, lambda: fired.append("first"))
    reactor.call_later(0, lambda: fired.append("second"))
    late = reactor.call_later(FOR_EVER * 1000, lambda: fired.append("late"))
    cancel()
    cancel()
    while len(fired) < 2:
        reactor.wait(FOR_EVER)
    late()
    reactor.wait(0)
    assert fired == ["first", "second"]


def test_a_timer_that_has_fired_may_be_cancelled_and_leaves_nothing_behind(reactor: SelectorReactor) -> None:
    fired: list[int] = []
    for number in range(10):
        cancel = reactor.call_later(0, lambda number=number: fired.append(number))  # type: ignore[misc]
        while number not in fired:
            reactor.wait(FOR_EVER)
        cancel()
    assert not reactor._callbacks
    assert not reactor._timers


def test_a_timer_may_set_another(reactor: SelectorReactor) -> None:
    fired: list[int] = []

    def again() -> None:
        fired.append(len(fired))
        if len(fired) < 3:
            reactor.call_later(0, again)

    reactor.call_later(0, again)
    while len(fired) < 3:
        reactor.wait(FOR_EVER)
    assert fired == [0, 1, 2]


@pytest.mark.parametrize("seconds", [30 * 86_400.0, 1e12])
def test_a_wait_may_be_longer_than_the_system_takes(reactor: SelectorReactor, seconds: float) -> None:
    reactor.call_later(seconds, lambda: None)
    threading.Thread(target=reactor.wake).start()
    assert reactor.wait(seconds) == []
    threading.Thread(target=reactor.wake).start()
    assert reactor.wait(None) == []


def test_after_closing_late_reports_and_wakes_do_no_harm() -> None:
    reactor = SelectorReactor()
    reactor.close()
    reactor.close()
    reactor.wake()
    reactor.post(REPORT)
