"""Values for parameters: converted, checked, complete, and told of without showing what is sensitive."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.compiling.declarations import parameter
from engine.errors import BadParameters
from engine.parameters import bind_parameters, plain
from engine.plan import Parameter
from specs.model.parts import ParamSpec

HERE, THERE = Path("/home/me"), Path("/flows")


def spec(**fields: Any) -> Parameter:
    return parameter(ParamSpec.model_validate(fields))


def bind(declared: Parameter, text: str | None = None, **value: Any) -> Any:
    texts = {} if text is None else {"p": text}
    return bind_parameters({"p": declared}, texts, value)["p"]


def problems(declared: Parameter, text: str | None = None, **value: Any) -> tuple[str, ...]:
    with pytest.raises(BadParameters) as caught:
        bind(declared, text, **value)
    return caught.value.problems


@pytest.mark.parametrize(
    ("fields", "text", "value"),
    [
        ({}, "x y", "x y"),
        ({"type": "int"}, "-7", -7),
        ({"type": "float"}, "1.5", 1.5),
        ({"type": "bool"}, "true", True),
        ({"type": "date"}, "2026-01-31", "2026-01-31"),
        ({"type": "datetime"}, "2026-01-31T08:30:00Z", "2026-01-31T08:30:00+00:00"),
        ({"type": "duration"}, "90s", "1m30s"),
        ({"type": "size"}, "1MiB", 1 << 20),
        ({"type": "path"}, "a/../b", "b"),
        ({"type": "json"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "list", "items": "int"}, "[1, 2]", [1, 2]),
        ({"type": "map"}, '{"a": null}', {"a": None}),
    ],
)
def test_text_is_converted_by_the_declared_type(fields: dict[str, Any], text: str, value: Any) -> None:
    found = bind(spec(**fields), text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"type": "int"}, "3"),
        ({"type": "int"}, True),
        ({"type": "bool"}, "true"),
        ({"type": "bool"}, 1),
        ({}, 3),
        ({"type": "float"}, "1.5"),
        ({"type": "list"}, "[1]"),
        ({"type": "list", "items": "int"}, [1, "2"]),
        ({"type": "map"}, []),
    ],
)
def test_values_are_checked_strictly(fields: dict[str, Any], value: Any) -> None:
    assert len(problems(spec(**fields), p=value)) == 1


def test_all_problems_are_told_at_once() -> None:
    specs = {"count": spec(type="int"), "name": spec(), "fine": spec(default="x")}
    with pytest.raises(BadParameters) as caught:
        bind_parameters(specs, {"count": "many", "nmae": "x"}, {"other": 1})
    text = "\n".join(caught.value.problems)
    assert len(caught.value.problems) == 4
    for word in ("`count`", "`nmae`", "`name`", "`other`", "required"):
        assert word in text
    assert caught.value.hint is not None


def test_every_parameter_has_a_value_in_the_order_declared() -> None:
    specs = {"a": spec(default=1, type="int"), "b": spec(), "c": spec(default=None)}
    assert list(bind_parameters(specs, {"b": "x"}, {}).items()) == [("a", 1), ("b", "x"), ("c", None)]


def test_text_wins_over_a_value() -> None:
    assert bind(spec(), "text", p="value") == "text"


@pytest.mark.parametrize(
    ("fields", "good", "bad"),
    [
        ({"type": "int", "min": 1, "max": 3}, ["1", "3"], ["0", "4"]),
        ({"min_length": 2, "max_length": 3}, ["ab", "abc"], ["a", "abcd"]),
        ({"pattern": "[a-z]+"}, ["abc"], ["abc1", "", "a\nb", "abc\n"]),
        ({"choices": ["eu", "us"]}, ["eu"], ["EU", ""]),
        ({"type": "int", "choices": [1, 2]}, ["1"], ["3"]),
        ({"type": "list", "min_length": 1}, ["[1]"], ["[]"]),
    ],
)
def test_bounds_hold_at_their_ends(fields: dict[str, Any], good: list[str], bad: list[str]) -> None:
    for text in good:
        bind(spec(**fields), text)
    for text in bad:
        assert problems(spec(**fields), text)


def test_a_choice_is_of_its_own_type() -> None:
    assert problems(spec(type="json", choices=[1]), p=True)
    assert bind(spec(type="json", choices=[True]), p=True) is True


def test_relative_paths_stand_where_they_were_written() -> None:
    specs = {
        "given": spec(type="path"),
        "default": spec(type="path", default="x"),
        "many": spec(type="list", items="path"),
        "absolute": spec(type="path"),
    }
    texts = {"given": "in/../a", "many": '["b", "/c"]', "absolute": "/d"}
    assert bind_parameters(specs, texts, {}, text_base=HERE, default_base=THERE) == {
        "given": "/home/me/a",
        "default": "/flows/x",
        "many": ["/home/me/b", "/c"],
        "absolute": "/d",
    }


@pytest.mark.parametrize(
    ("fields", "value"),
    [
        ({"pattern": "[0-9]{4}"}, "hunter2-hunter2"),
        ({"choices": ["abcd"]}, "hunter2-hunter2"),
        ({"type": "int"}, "hunter2-hunter2"),
        ({"type": "date"}, "hunter2-hunter2"),
        ({"type": "int", "max": 10}, "123456789"),
        ({"type": "json"}, "hunter2-hunter2"),
    ],
)
def test_a_sensitive_value_is_in_no_message(fields: dict[str, Any], value: str) -> None:
    text = "".join(problems(spec(sensitive=True, **fields), value))
    assert "`p`" in text
    assert value not in text
    assert value[:7] not in text


def test_a_sensitive_parameter_that_is_missing_is_still_told() -> None:
    assert "required" in problems(spec(sensitive=True))[0]


texts = st.text(max_size=30)
numbers = st.integers() | st.floats() | st.booleans() | st.none()
anything = st.recursive(texts | numbers, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner))
types = st.sampled_from(
    ("string", "int", "float", "bool", "date", "datetime", "duration", "size", "path", "json", "list", "map")
)


def refusal_of(binding: Callable[[], object]) -> tuple[str, ...]:
    """The problems that binding tells of, none when the value fits; any other exception comes out."""
    try:
        binding()
    except BadParameters as refused:
        return refused.problems
    return ()


@given(kind=types, items=st.none() | types, value=anything)
def test_any_value_fits_or_is_refused_in_words(kind: str, items: str | None, value: Any) -> None:
    declared = spec(type=kind, items=items if kind == "list" else None)
    assert len(refusal_of(lambda: bind_parameters({"p": declared}, {}, {"p": value}))) <= 1


@given(
    kind=types, text=st.text(max_size=60) | st.sampled_from(("NaN", "1e999", "9" * 6000, "[" * 5000, "\ud800", "\0"))
)
def test_any_text_fits_or_is_refused_in_words(kind: str, text: str) -> None:
    assert len(refusal_of(lambda: bind(spec(type=kind), text))) <= 1


def test_plain_values_have_plain_types() -> None:
    class Written(float):
        pass

    found = plain({"a": [Written(1.5), True, None, "x", 3]})
    assert found == {"a": [1.5, True, None, "x", 3]}
    assert type(found["a"][0]) is float  # type: ignore[index]
