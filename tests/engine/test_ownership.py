"""When what an engine holds is free, and what an engine says of its lease."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from engine.identity import Standing
from engine.ownership import Membership, Terms, why_free
from engine.store.rows import EngineRow, Holding

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
OWNER = "elsewhere/boot/7/1/ns.x"
S = Standing


def holding(*, known: bool = True, retired: bool = False, lapsed_s: float = -10) -> Holding:
    engine = EngineRow(OWNER, NOW, 1, retired, timedelta(seconds=lapsed_s)) if known else None
    return Holding(OWNER, 1, engine)


@pytest.mark.parametrize(
    ("found", "known", "retired", "lapsed_s", "reason"),
    [
        (S.DEAD, True, False, -10, "process 7 on elsewhere is gone"),
        (S.DEAD, False, False, 0, "process 7 on elsewhere is gone"),
        (S.ALIVE, True, False, -10, None),
        (S.ALIVE, True, False, 3600, None),
        (S.ALIVE, True, True, -10, "process 7 on elsewhere has left it behind"),
        (S.ALIVE, False, False, 0, None),
        (S.STOPPED, True, False, -1, None),
        (S.STOPPED, True, False, 0, "process 7 on elsewhere has not been heard of"),
        (S.STOPPED, False, False, 0, None),
        (S.UNKNOWN, True, False, -1, None),
        (S.UNKNOWN, True, False, 0, "process 7 on elsewhere has not been heard of"),
        (S.UNKNOWN, True, True, -10, "process 7 on elsewhere has left it behind"),
        (S.UNKNOWN, False, False, 0, "nobody knows its engine"),
    ],
)
def test_what_an_owner_holds_is_free_when_it_cannot_be_driving_it(
    found: Standing, known: bool, retired: bool, lapsed_s: float, reason: str | None
) -> None:
    held = holding(known=known, retired=retired, lapsed_s=lapsed_s)
    assert why_free(held, lambda owner: {OWNER: found}[owner]) == reason


def test_what_nobody_holds_is_free() -> None:
    assert why_free(Holding(None, 3, None)) == "nobody drove it"


class Elapsed:
    """Seconds under a test's hand."""

    def __init__(self) -> None:
        self.s = 100.0

    def __call__(self) -> float:
        return self.s


def test_a_lease_is_taken_with_the_first_hold_renewed_at_beats_and_given_back_with_the_last() -> None:
    elapsed = Elapsed()
    lease = Membership("me", terms=Terms(timedelta(seconds=5), timedelta(seconds=15)), elapsed=elapsed)
    assert lease.due_in_s is None
    assert lease.next(holds=False, now=NOW) is None

    taken = lease.next(holds=True, now=NOW)
    assert taken is not None
    assert (taken.engine, taken.started_at, taken.lasts) == ("me", NOW, timedelta(seconds=15))
    lease.said(taken, at_s=elapsed())
    assert lease.due_in_s == 5

    elapsed.s += 4.9
    assert lease.next(holds=True, now=NOW) is None
    elapsed.s += 0.2
    renewed = lease.next(holds=True, now=NOW + timedelta(hours=1))
    assert renewed == taken
    lease.said(renewed, at_s=elapsed())

    back = lease.next(holds=False, now=NOW)
    assert back is not None
    assert not back.lasts
    lease.said(back, at_s=elapsed())
    assert lease.next(holds=False, now=NOW) is None


def test_a_lease_that_was_not_renewed_in_time_may_have_run_out() -> None:
    elapsed = Elapsed()
    lease = Membership("me", terms=Terms(), elapsed=elapsed)
    assert not lease.is_overdue
    lease.said(lease.next(holds=True, now=NOW), at_s=elapsed())
    elapsed.s += 14.9
    assert not lease.is_overdue
    elapsed.s += 0.2
    assert lease.is_overdue


def test_what_a_commit_says_counts_from_its_beginning() -> None:
    elapsed = Elapsed()
    lease = Membership("me", terms=Terms(), elapsed=elapsed)
    began = elapsed()
    said = lease.next(holds=True, now=NOW)
    elapsed.s += 20  # a disk that takes its time
    lease.said(said, at_s=began)
    assert lease.is_overdue
