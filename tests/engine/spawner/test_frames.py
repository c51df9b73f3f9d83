"""Messages come out as they went in, wherever the stream was cut."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spawner.frames import LARGEST_BYTES, Frames, pack

FIELD = st.binary(max_size=20).map(lambda data: data.replace(b"\0", b"-"))


@given(
    messages=st.lists(st.tuples(st.lists(FIELD, min_size=1, max_size=5), st.binary(max_size=30)), max_size=5),
    cuts=st.lists(st.integers(0, 400), max_size=6),
)
def test_messages_come_out_whole_and_in_order(messages: list[tuple[list[bytes], bytes]], cuts: list[int]) -> None:
    data = b"".join(pack(b"\0".join(fields), tail) for fields, tail in messages)
    frames, found, at = Frames(), [], 0
    for cut in [*sorted(cuts), len(data)]:
        found.extend(frames.feed(data[at:cut]))
        at = max(at, cut)
    assert found == messages


def test_a_message_that_is_too_long_is_refused() -> None:
    with pytest.raises(ValueError, match="too long"):
        Frames().feed((LARGEST_BYTES + 1).to_bytes(4, "big"))
