"""Evaluation is strict, total, and bounded; filters do what the language says."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.expressions import (
    Budget,
    EvaluationError,
    Expression,
    ExpressionError,
    compile_value,
    evaluate,
    evaluate_condition,
    parse,
    resolve,
    resolve_arguments,
    resolve_text,
)
from specs.expressions.filters import FILTERS, TESTS
from specs.scalars import WrittenFloat
from tests.specs.expressions.texts import PIECES

NAMES: Mapping[str, Any] = {
    "params": {"n": 3, "f": 1.5, "name": "Ada", "list": ["b", "a"], "flag": True, "nothing": None, "items": [1]},
    "tasks": {"a": {"status": "succeeded", "output": {"rows": [{"id": 2}, {"id": 1}]}}},
    "day": date(2026, 1, 31),
    "at": datetime(2026, 1, 31, 8, tzinfo=UTC),
}


def value(text: str, names: Mapping[str, Any] = NAMES) -> object:
    return evaluate(parse(text), names)


def failure(text: str, names: Mapping[str, Any] = NAMES) -> str:
    with pytest.raises(EvaluationError) as caught:
        value(text, names)
    return str(caught.value)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("params.n + 2 * 2 - 1", 6),
        ("7 // 2", 3),
        ("7 % 4", 3),
        ("6 / 3", 2.0),
        ("-params.n", -3),
        ("params.name ~ '-' ~ params.n ~ '-' ~ params.flag", "Ada-3-true"),
        ("params.n == 3.0", True),
        ("1 < 2 <= 2", True),
        ("1 < 2 > 3", False),
        ("'b' in params.list", True),
        ("'n' in params and 'Ad' in params.name", True),
        ("4 not in [1, 2]", True),
        ("'x' if params.n > 5 else 'y'", "y"),
        ("params['items'][0]", 1),
        ("params.items", [1]),
        ("params.list[-1]", "a"),
        ("tasks.a.output.rows[1].id", 1),
        ("params.flag or params.missing", True),
        ("not params.flag and params.missing", False),
        ("{'a': [1, none]}", {"a": [1, None]}),
        ("day", "2026-01-31"),
        ("at", "2026-01-31T08:00:00+00:00"),
    ],
)
def test_operators_give_typed_values(text: str, expected: object) -> None:
    found = value(text)
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    "text",
    [
        "params.n == '3'", "params.flag == 1", "params.nothing == ''", "params.n < 'a'", "true < false", "[1] < [2]",
        "params.name * 3", "'a' * 1000000000", "'a' + 'b'", "[1] + [2]", "params.flag + 1", "-params.name", "'%s' % 1",
        "not params.name", "params.name and true", "params.n or true", "1 in 2", "1 in 'a'", "params.name.upper",
        "params.name[0]", "params.list.first", "params.list['a']", "none ~ ''", "params.list ~ ''", "1 if params.n else 2",
    ],
)  # fmt: skip
def test_a_value_of_the_wrong_type_is_an_error_and_never_a_guess(text: str) -> None:
    failure(text)


def test_undefined_is_an_error_that_names_the_path() -> None:
    assert failure("tasks.a.output.x") == "`tasks.a.output.x` is undefined"
    assert failure("tasks.b.output.x + 1").startswith("`tasks.b` is undefined")
    assert failure("params.list[7]") == "`params.list[7]` is undefined"


def test_default_and_defined_ask_for_what_is_missing_anywhere_along_a_path() -> None:
    assert value("tasks.b.output.x[0].y | default(7)") == 7
    assert value("tasks.b.output is defined") is False
    assert value("tasks.b.output is not defined") is True
    assert value("params.nothing | default(1)") is None
    assert value("[] | first | default('none')") == "none"


def test_division_by_zero_and_numbers_without_end_are_errors() -> None:
    for text in ("1 / 0", "1 // 0", "1 % 0", "1e308 * 10", " * ".join(["9" * 1000] * 3)):
        failure(text)


def test_names_may_look_values_up_when_they_are_asked() -> None:
    class Lazy(Mapping[str, object]):
        asked: list[str] = []  # noqa: RUF012 - one instance

        def __getitem__(self, key: str) -> object:
            self.asked.append(key)
            return {"output": {"x": 1}}

        def __iter__(self) -> Iterator[str]:
            return iter(("a",))

        def __len__(self) -> int:
            return 1

    lazy = Lazy()
    assert value("tasks.a.output.x", {"tasks": lazy}) == 1
    assert lazy.asked == ["a"]


def test_a_condition_must_be_a_boolean() -> None:
    assert evaluate_condition(parse("params.n > 2"), NAMES) is True
    with pytest.raises(EvaluationError, match="must be a boolean"):
        evaluate_condition(parse("params.name"), NAMES)


FILTER_CASES = [
    ("params.missing | default(1)", 1), ("'aé' | length", 2), ("'aB' | lower", "ab"), ("'aB' | upper", "AB"),
    ("'  a ' | trim", "a"), ("'aba' | replace('a', 'xx')", "xxbxx"), ("'a,b' | split(',')", ["a", "b"]),
    ("' a  b ' | split", ["a", "b"]), ("[1, 'a', true] | join('-')", "1-a-true"), ("[3, 1] | first", 3), ("'ab' | last", "b"),
    ("[3, 1, 2] | min", 1), ("['a', 'c'] | max", "c"), ("[1, 2.5] | sum", 3.5), ("[] | sum", 0),
    ("[3, 1, 2] | sort", [1, 2, 3]), ("[1, 1.0, true, 'a', 'a', [1], [1.0]] | unique", [1, True, "a", [1]]),
    ("[1, 2] | reverse", [2, 1]), ("'ab' | reverse", "ba"),
    ("tasks.a.output.rows | pluck('id')", [2, 1]), ("[1, none, 2] | compact", [1, 2]), ("' 42 ' | int", 42), ("3.9 | int", 3),
    ("'1e3' | float", 1000.0), ("2 | float", 2.0), ("true | string", "true"), ("1.5 | string", "1.5"), ("2.6 | round", 3),
    ("2.345 | round(1)", 2.3), ("-2 | abs", 2), ("{'b': 1, 'a': ['é', none, true]} | tojson", '{"b":1,"a":["é",null,true]}'),
    ("'[1, {\"a\": 2}]' | fromjson", [1, {"a": 2}]), ("'2026-01-31T23:00:00+01:00' | date", "2026-01-31"),
    ("'2026-01-31' | datetime", "2026-01-31T00:00:00+00:00"), ("day | shift('-1d')", "2026-01-30"),
    ("'2026-03-01' | shift('1w')", "2026-03-08"), ("at | shift('90m')", "2026-01-31T09:30:00+00:00"),
    ("'/a/b/c.tar.gz' | basename", "c.tar.gz"), ("'/a/b/c.txt' | dirname", "/a/b"), ("'/a/b/c.txt' | stem", "c"),
    ("'a/b c&é' | urlencode", "a%2Fb%20c%26%C3%A9"), ("'a' | sha256", hashlib.sha256(b"a").hexdigest()),
    ("'é' | b64encode", "w6k="), ("'w6k=' | b64decode", "é"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "expected"), FILTER_CASES)
def test_filters_do_what_they_say(text: str, expected: object) -> None:
    found = value(text)
    assert (found, json.dumps(found)) == (expected, json.dumps(expected))


def test_every_filter_and_test_of_the_language_is_there_and_tried() -> None:
    documented = """default length lower upper trim replace split join first last min max sum sort unique reverse pluck compact
    int float string round abs tojson fromjson date datetime shift basename dirname stem urlencode sha256 b64encode b64decode"""
    assert set(FILTERS) == set(documented.split())
    assert set(TESTS) == {"defined", "none", "boolean", "integer", "float", "string", "mapping", "sequence"}
    assert all(any(f"| {name}" in text for text, _ in FILTER_CASES) for name in FILTERS)


@pytest.mark.parametrize(
    "text",
    [
        "'x' | int", "'1.5' | int", "true | int", "'nan' | float", "'1e999' | float", "params.list | string", "none | string",
        "[1, 'a'] | sort", "[none] | min", "[true] | sum", "[1] | pluck('a')", "[{'a': 1}] | pluck('b')", "'x' | fromjson",
        "'NaN' | fromjson", "'2026-02-30' | date", "'2026-01-01T00:00:00' | datetime", "'x' | shift('1d')", "day | shift('1h')",
        "day | shift('tomorrow')", "'9999-12-31' | shift('1w')", "'!' | b64decode", "'a' | replace('', 'b')", "[[1]] | join",
    ],
)  # fmt: skip
def test_a_filter_refuses_what_it_cannot_do(text: str) -> None:
    failure(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("true is boolean", True), ("1 is boolean", False), ("1 is integer", True), ("true is integer", False),
        ("1.0 is float", True), ("'a' is string", True), ("{} is mapping", True), ("[] is sequence", True),
        ("'a' is sequence", False), ("none is none", True), ("1 is not none", True),
    ],
)  # fmt: skip
def test_tests_tell_types_apart(text: str, expected: bool) -> None:
    assert value(text) is expected


def test_a_date_compares_with_the_text_of_one() -> None:
    assert value("day > '2026-01-30' and '2026-01-31' == day") is True
    assert value("at == '2026-01-31T09:00:00+01:00'") is True
    for text in ("day == 'soon'", "day < at", "day == 1"):
        failure(text)


# --- budgets ----------------------------------------------------------------------------------------------------------------

BIG = {"s": "x" * (1 << 19), "l": ["x" * 1024] * 1000}


@pytest.mark.parametrize(
    "text",
    [
        "s ~ s ~ s", "s | replace('x', 'yyy')", "l | join(s)", "[s, s, s]", "[l, l] | tojson",
        "s | replace('x', '/') | urlencode",
        "{'a': s, 'b': s, 'c': s}", "s | split('x') | tojson",
    ],
)  # fmt: skip
def test_a_result_past_the_limit_is_refused(text: str) -> None:
    assert "larger than" in failure(text, BIG)


def test_steps_are_counted() -> None:
    with pytest.raises(EvaluationError, match="steps"):
        evaluate(parse("1 + 1 + 1 + 1"), {}, Budget(steps=3))


def test_deep_values_are_refused() -> None:
    deep: Any = 1
    for _ in range(5000):
        deep = [deep]
    for text in ("x", "x == x", "x | tojson", "[x] | unique", "x in [x]"):
        assert "deeper" in failure(text, {"x": deep})


def test_a_large_input_may_be_reduced() -> None:
    names = {"rows": [{"n": number, "pad": "x" * 100} for number in range(20_000)]}
    assert value("rows | pluck('n') | max", names) == 19_999


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abxn"), inner, max_size=3),
    max_leaves=8,
)
CALLS = st.sampled_from(
    [*(f"| {name}" for name in FILTERS), "| default(0)", "| join('-')", "| pluck('a')", "| shift('-1d')"]
)
ATOMS = st.sampled_from(
    [
        "a",
        "b",
        "a.x",
        "a.x.n",
        "b[0]",
        "b['n']",
        "1",
        "0",
        "-2",
        "1.5",
        "'x'",
        "''",
        "'2026-01-01'",
        "none",
        "true",
        "false",
        "[a,b]",
        "{'a':b}",
    ]
)
OPERATORS = st.sampled_from(
    [
        "+",
        "-",
        "*",
        "/",
        "//",
        "%",
        "~",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "in",
        "and",
        "or",
        "not in",
        "if true else",
        "is",
    ]
)


@st.composite
def expressions(draw: st.DrawFn) -> str:
    words = [draw(ATOMS), *draw(st.lists(CALLS, max_size=2))]
    for _ in range(draw(st.integers(0, 4))):
        words += [draw(OPERATORS), draw(ATOMS | st.sampled_from(list(TESTS))), *draw(st.lists(CALLS, max_size=1))]
    return " ".join(words)


def tried(text: str, names: Mapping[str, Any]) -> object:
    try:
        expression: Expression = parse(text)
        return evaluate(expression, names)
    except (ExpressionError, EvaluationError):
        return None


@given(expressions() | PIECES.map(" ".join), JSON, JSON)
def test_any_expression_on_any_values_gives_json_or_an_evaluation_error(text: str, a: object, b: object) -> None:
    json.dumps(tried(text, {"a": a, "b": b, "params": a, "tasks": b, "item": a}), allow_nan=False)


# --- hostile input ----------------------------------------------------------------------------------------------------------

HOSTILE = [
    "''.__class__.__mro__", "''['__class__']", "''['\\x5f\\x5fclass\\x5f\\x5f']", "'' | attr('__cla' ~ 'ss__')",
    "'{0.__class__}'.format(1)", "'' | attr('format')", "[1] | map(attribute='__class__')", "x | map(f)", "x | format(1)",
    "cycler.__init__.__globals__", "lipsum.__globals__", "lipsum(n=1000000)", "self", "self.__init__", "context", "g", "_",
    "namespace()", "joiner()", "range(100000)", "dict(a=1)", "get_flashed_messages.__globals__",
    "include 'x'", "{% include '/etc/passwd' %}", "{% for x in range(10) %}{% endfor %}", "{% macro m() %}{% endmacro %}",
    "x.gi_frame.f_globals", "x.__traceback__.tb_frame", "x.constructor.constructor('return process')()", "(x).constructor",
    "'a' * 10**9", "'a' * 1000000000", "'a' | center(1000000000)", "'%1000000000s' % 'a'", "9**9**9", "9 ** 9",
    "'a' | pprint", "'(a+)+$' | regex_match('aaaa')", "-" * 20_000 + "1", "(" * 20_000, "[" * 20_000 + "]" * 20_000,
    "x" + ".x" * 20_000, "x" + "|upper" * 3_000, "loop.index", "caller()", "super()", "varargs", "x.mro()", "().__class__",
    "params.__class__.__init__", "params.name.format", "params.name.__class__", "params.list.__class__", "params.list.append",
    "params.keys", "params.__getitem__", "params['__class__']", "tasks.a.__dict__",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: text[:40])
def test_hostile_expressions_are_refused(text: str) -> None:
    with pytest.raises((ExpressionError, EvaluationError)):
        value(text)


def test_a_value_is_never_read_again_as_an_expression() -> None:
    names = {"params": {"x": "${{ secrets.KEY }}", "y": "{{ 1 + 1 }}"}}
    assert resolve(compile_value("a ${{ params.x }} ${{ params.y }}"), names) == "a ${{ secrets.KEY }} {{ 1 + 1 }}"


# --- values of a spec -------------------------------------------------------------------------------------------------------


def test_a_single_expression_keeps_its_type_and_a_mixed_one_is_text() -> None:
    compiled = compile_value(
        {"n": "${{ params.n }}", "t": "n=${{ params.n }} ${{ params.flag }} ${{ day }}", "l": [1, "${{ params.list }}"]}
    )
    assert resolve(compiled, NAMES) == {"n": 3, "t": "n=3 true 2026-01-31", "l": [1, ["b", "a"]]}


@pytest.mark.parametrize("name", ["nothing", "list"])
def test_what_has_no_text_of_its_own_is_refused_inside_a_text(name: str) -> None:
    compiled = compile_value("x ${{ params." + name + " }}")
    with pytest.raises(EvaluationError, match="tojson"):
        resolve(compiled, NAMES)
    with pytest.raises(EvaluationError, match="tojson"):
        resolve_text(compile_value("${{ params." + name + " }}"), NAMES)


def test_a_number_in_a_text_field_keeps_its_written_form() -> None:
    assert resolve_text(compile_value(WrittenFloat(1.1, "1.10")), {}) == "1.10"
    assert resolve(compile_value(WrittenFloat(1.1, "1.10")), {}) == 1.1
    assert resolve_text(compile_value(True), {}) == "true"
    assert resolve_text(compile_value("${{ params.flag }}"), NAMES) == "true"


def test_arguments_are_one_for_each_element_and_each_item_of_a_list() -> None:
    compiled = [
        compile_value(each) for each in ("rm", "--", "${{ params.list }}", "x ${{ params.n }} y", 7, "${{ params.f }}")
    ]
    assert resolve_arguments(compiled, NAMES) == ["rm", "--", "b", "a", "x 3 y", "7", "1.5"]


@pytest.mark.parametrize("text", ["${{ params }}", "${{ [[1]] }}", "${{ params.nothing }}", "a ${{ params.list }}"])
def test_an_argument_is_never_a_map_or_a_list_in_a_list(text: str) -> None:
    with pytest.raises(EvaluationError):
        resolve_arguments([compile_value(text)], NAMES)
