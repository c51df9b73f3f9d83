"""A ring reaches the engine it is meant for, wakes its loop, and harms nobody when nobody is there."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from engine.doorbell import Doorbell, ring
from engine.reactor import SelectorReactor


@pytest.fixture
def reactor() -> Iterator[SelectorReactor]:
    reactor = SelectorReactor()
    yield reactor
    reactor.close()


def test_a_ring_is_heard_by_the_engine_it_is_for_and_once_for_many(reactor: SelectorReactor) -> None:
    heard: list[str] = []
    bells = [Doorbell(f"me {os.getpid()} {n}", reactor, lambda n=n: heard.append(str(n))) for n in range(2)]  # type: ignore[misc]
    for _ in range(3):
        ring(f"me {os.getpid()} 1")
    reactor.wait(30)
    assert heard == ["1"]
    for bell in bells:
        bell.close()
        bell.close()


def test_ringing_where_nobody_listens_does_nothing() -> None:
    ring("nobody at all")


def test_more_rings_than_are_kept_are_no_error(reactor: SelectorReactor) -> None:
    heard: list[int] = []
    bell = Doorbell(f"busy {os.getpid()}", reactor, lambda: heard.append(1))
    for _ in range(5_000):
        ring(f"busy {os.getpid()}")
    reactor.wait(30)
    assert heard == [1]
    bell.close()


def test_an_engine_whose_name_is_taken_does_without_a_bell(reactor: SelectorReactor) -> None:
    heard: list[int] = []
    first = Doorbell(f"same {os.getpid()}", reactor, lambda: heard.append(1))
    second = Doorbell(f"same {os.getpid()}", reactor, lambda: heard.append(2))
    ring(f"same {os.getpid()}")
    reactor.wait(30)
    assert heard == [1]
    second.close()
    first.close()
