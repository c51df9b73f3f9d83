"""Texts that look more or less like expressions, for property tests."""

from __future__ import annotations

from hypothesis import strategies as st

WORDS = (
    "params tasks.a.output item 1 2.5 'x' \" ' ( ) [ ] { } {% %} }} ${{ . , : | ~ + - * / // % ** == != < <= > >= = not and",
    "or in is if else default(1) length join none true defined \n \r \\ # é \x00 \x03\x02 \x01\x02 ; $ ! & @ 1_0 0x 0b1",
    "loop.index __class__ {{ 1e9",
)
PIECES = st.lists(st.sampled_from([*" ".join(WORDS).split(" "), "\n", "\r\n"]), max_size=30)
TEXTS = st.one_of(st.text(max_size=60), PIECES.map(" ".join), PIECES.map("".join))
