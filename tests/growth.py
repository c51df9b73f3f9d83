"""Counting what a piece of work does, so that tests can hold its growth to a line without looking at a clock."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType

ALLOWED = 2.1
"""How many times the calls twice the size may take: twice, and a little for what grows with a logarithm."""


def calls_of(work: Callable[[], object]) -> int:
    """How many functions are called, those of C included, while `work` is done."""
    count = 0

    def note(_frame: FrameType, event: str, _what: object) -> None:
        nonlocal count
        if event in ("call", "c_call"):
            count += 1

    gc.collect()
    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def assert_linear(make: Callable[[int], Callable[[], object]], *, size: int) -> None:
    """Work on twice the size makes at most about twice the calls. `make` prepares the work of a size, uncounted."""
    for each in (size, 2 * size):
        make(each)()  # what is imported, built or looked up once is not part of it
    once, twice = calls_of(make(size)), calls_of(make(2 * size))
    assert once > size, "the work does not depend on the size"
    assert twice <= ALLOWED * once, f"{once} calls at {size}, {twice} at {2 * size}"
