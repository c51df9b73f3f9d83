"""Values of declared types: from text, from values, and refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.values import check_value, convert_text, parse_json

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("text", "type_name", "value"),
    [
        ("", "string", ""), ("1.10", "string", "1.10"), ("0", "int", 0), ("-12", "int", -12), ("+7", "int", 7),
        ("1e3", "float", 1000.0), (".5", "float", 0.5), ("3", "float", 3.0), ("true", "bool", True),
        ("false", "bool", False), ("2024-02-29", "date", "2024-02-29"),
        ("2026-01-02T03:04:05Z", "datetime", "2026-01-02T03:04:05+00:00"),
        ("2026-01-02t03:04:05.5-03:00", "datetime", "2026-01-02T03:04:05.500000-03:00"),
        ("90m", "duration", "1h30m"), ("500ms", "duration", "500ms"), ("1KiB", "size", 1024), ("1.5MB", "size", 1_500_000),
        ("a//b/../c", "path", "a/c"), ("./", "path", "."), ('[1, "a"]', "json", [1, "a"]), ("null", "json", None),
        ("[]", "list", []), ('{"a": 1}', "map", {"a": 1}),
    ],
)  # fmt: skip
def test_text_is_converted_to(text: str, type_name: str, value: Any) -> None:
    converted = convert_text(text, type_name)
    assert converted == value
    assert type(converted) is type(value)


@pytest.mark.parametrize(
    ("text", "type_name"),
    [
        ("", "int"), ("1.0", "int"), ("1_000", "int"), (" 1", "int"), ("0x10", "int"), ("٣", "int"), ("9" * 5000, "int"),
        ("nan", "float"), ("inf", "float"), ("1e999", "float"), ("", "float"), ("1,5", "float"), ("yes", "bool"),
        ("True", "bool"), ("1", "bool"), ("2023-02-29", "date"), ("20240229", "date"), ("2024-2-9", "date"),
        ("2026-01-02T03:04:05", "datetime"), ("2026-01-02 03:04", "datetime"), ("2026-01-02T25:00:00Z", "datetime"),
        ("90", "duration"), ("", "duration"), ("-1s", "duration"), ("10", "size"), ("ten MB", "size"), ("", "path"),
        ("a\0b", "path"), ("{", "json"), ("[NaN]", "json"), ('{"a": 1, "a": 2}', "json"), ('"\\ud800"', "json"),
        ("[" * 100_000, "json"), ("[" * 500 + "]" * 500, "json"), ("1e999", "json"), ("{}", "list"), ("[]", "map"),
    ],
)  # fmt: skip
def test_text_is_refused_with_one_line(text: str, type_name: str) -> None:
    with pytest.raises(ValueError, match=r"\w") as caught:
        convert_text(text, type_name)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 200


@pytest.mark.parametrize(
    ("value", "type_name"),
    [
        (1, "string"), (None, "string"), ("3", "int"), (True, "int"), (3.0, "int"), ("1.5", "float"), (True, "float"),
        (10**400, "float"), (float("nan"), "float"), (1, "bool"), ("true", "bool"), (20240101, "date"), (90, "duration"),
        (-1, "size"), (1.5, "size"), (True, "size"), ([], "map"), ({}, "list"), ("a", "list"), ({"a": float("inf")}, "map"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_refused(value: Any, type_name: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        check_value(value, type_name)


def test_elements_of_a_list_are_checked_and_named() -> None:
    assert check_value(["90m", "1s"], "list", "duration") == ["1h30m", "1s"]
    with pytest.raises(ValueError, match=r"^element 1: expected a whole number, found text$"):
        convert_text('[1, "2"]', "list", "int")


@given(JSON)
def test_json_comes_back_as_it_was(value: Any) -> None:
    assert parse_json(json.dumps(value)) == value
    assert check_value(value, "json") == value


@given(
    st.text(), st.sampled_from(["int", "float", "bool", "date", "datetime", "duration", "size", "json", "list", "map"])
)
def test_any_text_is_converted_or_refused_and_the_result_is_canonical(text: str, type_name: str) -> None:
    try:
        value = convert_text(text, type_name)
    except ValueError:
        return
    assert check_value(value, type_name) == value
