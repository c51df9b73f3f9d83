"""Ids of runs sort in the order in which they were made."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from engine.ids import LENGTH, RandomIds, encode

NOW = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def decode(text: str) -> int:
    number = 0
    for letter in text:
        number = number * 32 + ALPHABET.index(letter)
    return number


@given(st.integers(0, 2**128 - 1))
def test_the_written_form_is_crockfords_base_32(number: int) -> None:
    assert len(encode(number)) == LENGTH
    assert decode(encode(number)) == number


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**128 - 1))
def test_ids_sort_like_their_numbers(one: int, other: int) -> None:
    assert (encode(one) < encode(other)) == (one < other)


def test_an_id_begins_with_the_milliseconds_of_its_instant() -> None:
    made = RandomIds().new(NOW)
    assert decode(made) >> 80 == int(NOW.timestamp() * 1000)


@given(st.lists(st.integers(0, 3), min_size=1, max_size=50))
def test_ids_of_one_process_sort_in_the_order_they_were_made(steps: list[int]) -> None:
    ids, at, made = RandomIds(), NOW, []
    for step in steps:
        at += timedelta(milliseconds=step)
        made.append(ids.new(at))
    assert made == sorted(made)
    assert len(set(made)) == len(made)


def test_a_clock_that_is_set_back_gives_no_id_twice() -> None:
    ids = RandomIds()
    made = [ids.new(NOW + timedelta(milliseconds=step)) for step in (0, 1, 0, 1, 0)]
    assert len(set(made)) == len(made)


def test_two_processes_do_not_give_the_same_id() -> None:
    assert RandomIds().new(NOW) != RandomIds().new(NOW)
