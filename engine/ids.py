"""Ids of runs: sortable by time, never reused, easy to select with a double click.

The form is that of ULID (https://github.com/ulid/spec): 48 bits of milliseconds and 80 random bits in Crockford's base 32,
here in lower case. Within one millisecond the random part of the previous id is counted up, so ids of one process sort in
the order they were made.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import Protocol

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_CHARACTERS = frozenset(_ALPHABET)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_RANDOM_BITS = 80
LENGTH = 26


class Ids(Protocol):
    """Makes run ids."""

    def new(self, at: datetime) -> str:
        """An id that was never given out before."""


class RandomIds:
    """Ids with 80 random bits from the system."""

    def __init__(self) -> None:
        self._last_ms = -1
        self._last_random = 0

    def new(self, at: datetime) -> str:
        """An id that sorts after all earlier ones of this object, unless the clock was set back."""
        milliseconds = int(at.timestamp() * 1000)
        if milliseconds == self._last_ms:
            self._last_random = (self._last_random + 1) % (1 << _RANDOM_BITS)
        else:
            self._last_ms = milliseconds
            self._last_random = int.from_bytes(os.urandom(_RANDOM_BITS // 8)) >> 1
        return encode(milliseconds << _RANDOM_BITS | self._last_random)


def is_id(text: str) -> bool:
    """Whether `text` has the form of an id, so that it may also be the name of a folder."""
    return len(text) == LENGTH and not set(text) - _CHARACTERS


def made_at(run_id: str) -> datetime:
    """The instant that an id holds, to the millisecond."""
    number = 0
    for character in run_id:
        number = number << 5 | _ALPHABET.index(character)
    return _EPOCH + timedelta(milliseconds=number >> _RANDOM_BITS)


def encode(number: int) -> str:
    """A 128-bit number as 26 characters that sort like the numbers."""
    return "".join(_ALPHABET[number >> shift & 31] for shift in range(125, -1, -5))
