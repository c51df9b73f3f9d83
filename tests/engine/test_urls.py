"""A value in an address is data (`LANGUAGE.md` 14)."""

from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.urls import resolve_url
from specs.expressions import EvaluationError, compile_value


def url(text: str, **names: object) -> str:
    return resolve_url(compile_value(text), names)


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_in_the_path_stays_one_segment(value: str) -> None:
    made = url("https://h/a/${{ x }}/b", x=value)
    assert urlsplit(made).netloc == "h"
    assert [unquote(part) for part in made.split("/")[3:]] == ["a", value, "b"]
    assert made.isascii()


@given(st.text(st.characters(codec="utf-8")))
def test_a_value_behind_the_question_mark_stays_one_value(value: str) -> None:
    made = url("https://h?q=${{ x }}", x=value)
    query = made.partition("?")[2]
    assert unquote(query.removeprefix("q=")) == value
    assert not {"&", "#", "/"} & set(query)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("https://h/a b", "https://h/a b"),
        ("${{ base }}/v1", "http://one/api/v1"),
        ("${{ base }}/${{ x }}", "http://one/api/..%2Fadmin%3Fa"),
        ("https://${{ host }}/${{ x }}", "https://h.example:8080/..%2Fadmin%3Fa"),
        ("https://h/#${{ x }}", "https://h/#..%2Fadmin%3Fa"),
        ("https://h/${{ n }}/${{ yes }}", "https://h/7/true"),
        ("${{ base }}", "http://one/api"),
    ],
)
def test_what_stands_before_the_path_is_taken_as_it_is(text: str, made: str) -> None:
    names = {"base": "http://one/api", "host": "h.example:8080", "x": "../admin?a", "n": 7, "yes": True}
    assert url(text, **names) == made


def test_a_lone_surrogate_is_replaced() -> None:
    assert url("https://h/${{ x }}", x="\ud800") == "https://h/%3F"


def test_what_cannot_be_written_is_an_error() -> None:
    with pytest.raises(EvaluationError):
        url("https://h/${{ x }}", x=None)
    with pytest.raises(EvaluationError):
        url("https://h/${{ y }}")
