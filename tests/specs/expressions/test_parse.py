"""Expressions are read with exact places, and refused with a code where the language ends."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from typing import TypeVar

import pytest
from hypothesis import example, given

from specs.expressions import Expression, ExpressionError, parse, parse_template, references
from specs.expressions.nodes import Filter, Key, Literally, Name, Node
from specs.expressions.nodes import Test as NodeTest
from specs.expressions.references import children
from specs.expressions.tokens import tokenize
from specs.expressions.translate import translate
from tests.specs.expressions.texts import TEXTS

T = TypeVar("T")


def parts(expression: Expression) -> set[str]:
    """The text of every node."""
    found: set[str] = set()
    pending: list[Node] = [expression.root]
    while pending:
        node = pending.pop()
        found.add(expression.text[node.start : node.end])
        pending.extend(children(node))
    return found


def refusal(text: str) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        parse(text)
    return caught.value


def test_every_node_knows_its_exact_range() -> None:
    text = "é.ü['k'][0] + (3 - 1) * x | abs > 2 and y is not none"
    assert {
        "é",
        "é.ü",
        "é.ü['k']",
        "é.ü['k'][0]",
        "3 - 1",
        "(3 - 1) * x | abs",
        "x | abs",
        "é.ü['k'][0] + (3 - 1) * x | abs > 2",
        "y is not none",
        text,
    } <= parts(parse(text))


def test_a_filter_ends_with_its_arguments_and_knows_where_its_name_stands() -> None:
    node = parse("params.x | default( 'a' ) ~ 1").root
    assert "params.x | default( 'a' )" in parts(parse("params.x | default( 'a' ) ~ 1"))
    assert not isinstance(node, Filter)


def test_a_key_in_brackets_is_the_same_key() -> None:
    dotted, bracketed = parse("a.b").root, parse("a['b']").root
    assert isinstance(dotted, Key)
    assert isinstance(bracketed, Key)
    assert (dotted.key, bracketed.key) == ("b", "b")
    assert "a['b']"[bracketed.key_start :][:1] == "b"


def test_is_not_is_one_negated_test() -> None:
    node = parse("x is not none").root
    assert isinstance(node, NodeTest)
    assert (node.name, node.negated) == ("none", True)


@pytest.mark.parametrize(
    ("text", "value"),
    [("1_000_000", 1_000_000), ("0x1F", 31), ("2.5e1", 25.0), ("'a' 'b'", "ab"), ("True", True), ("none", None)],
)
def test_literals_are_read_as_jinja_reads_them(text: str, value: object) -> None:
    node = parse(text).root
    assert isinstance(node, Literally)
    assert node.value == value


@pytest.mark.parametrize("path", ["tasks.load.output.rows", "item", " params.day ", "a.not.in", "a.b.c.d"])
def test_a_path_reads_the_same_with_and_without_the_parser(path: str) -> None:
    assert parse(path).root == translate(tokenize(path))


@pytest.mark.parametrize(
    ("text", "code", "place"),
    [
        ("a >", "FLOW301", ">"),
        ("a = b", "FLOW301", "="),
        ("a && b", "FLOW301", "&"),
        ("'abc", "FLOW301", "'"),
        ("(a", "FLOW301", "("),
        ("a if b", "FLOW301", "a"),
        ("1e999", "FLOW301", "1e999"),
        ("x | lenght", "FLOW305", "lenght"),
        ("x is odd", "FLOW305", "odd"),
        ("a[1:2]", "FLOW306", "1"),
        ("{% if x %}", "FLOW307", "{%"),
        ("x | join(3)", "FLOW308", "join(3)"),
        ("x | replace('a')", "FLOW308", "replace('a')"),
        ("x | default(value=3)", "FLOW308", "default(value=3)"),
        ("x is none(3)", "FLOW308", "none"),
        ("tasks.my-id.output", "FLOW318", "my-id"),
        ("params.retry-count", "FLOW318", "retry-count"),
        ("tasks.build-1.output", "FLOW318", "build-1"),
    ],
)
def test_what_is_not_in_the_language_is_refused_at_its_place(text: str, code: str, place: str) -> None:
    error = refusal(text)
    assert (error.code, text[error.start : error.end]) == (code, place)


@pytest.mark.parametrize("text", ["", "  ", "now()", "(1, 2)", "2 ** 3", "{1: 2}", "x.get('a')", "a ? b : c"])
def test_other_constructs_are_refused(text: str) -> None:
    assert refusal(text).code in ("FLOW301", "FLOW306")


@pytest.mark.parametrize(("text", "way_out"), [("x.upper()", "| upper"), ("len(x)", "| length"), ("a || b", "or")])
def test_a_refusal_names_the_form_to_use(text: str, way_out: str) -> None:
    assert way_out in (refusal(text).help or "")


def test_a_dash_in_a_name_is_told_from_a_minus() -> None:
    assert refusal("tasks.my-id.output").help == "did you mean `my_id`?"
    for subtraction in ("params.a-params.b", "params.a - b", "params.a-1", "item_index-1"):
        assert isinstance(parse(subtraction), Expression)


@pytest.mark.parametrize(
    "text",
    [
        "-" * 4000 + "1",
        "(" * 2000 + "1" + ")" * 2000,
        "[" * 33 + "]" * 33,
        "not " * 33 + "x",
        "a if b else " * 40 + "c",
    ],
)
def test_deep_nesting_is_refused_before_it_is_parsed(text: str) -> None:
    assert refusal(text).code == "FLOW319"


def test_nesting_of_thirty_two_is_read() -> None:
    assert isinstance(parse("(" * 32 + "1" + ")" * 32), Expression)
    assert isinstance(parse("[" + ", ".join(["a if b else c"] * 60) + "]"), Expression)


def test_length_is_limited_in_bytes() -> None:
    assert isinstance(parse("'" + "x" * 4094 + "'"), Expression)
    assert refusal("'" + "x" * 4095 + "'").code == "FLOW319"
    assert refusal("'" + "é" * 2048 + "'").code == "FLOW319"


def test_a_chain_too_long_for_what_is_recursive_is_refused() -> None:
    assert refusal("+".join("a" * 1500)).code == "FLOW319"
    assert refusal("a" + ".b" * 1500).code == "FLOW319"
    assert isinstance(parse(" or ".join(["a"] * 150)), Expression)


def test_references_are_paths_with_the_place_of_each_key() -> None:
    text = "tasks.a.outputs[params.i].x ~ (env['HOME'] | default(item))"
    found = references(parse(text))
    assert [(each.root, each.keys) for each in found] == [
        ("tasks", ("a", "outputs")),
        ("params", ("i",)),
        ("env", ("HOME",)),
        ("item", ()),
    ]
    assert [text[start:end] for each in found for start, end in each.spans] == [
        "tasks", "a", "outputs", "params", "i", "env", "HOME", "item",
    ]  # fmt: skip


# --- templates --------------------------------------------------------------------------------------------------------------


def test_a_template_is_literal_pieces_and_expressions_with_offsets() -> None:
    text = "n=${{ params.n }}, ${{ item }}"
    template = parse_template(text)
    assert [part if isinstance(part, str) else part.text for part in template.parts] == [
        "n=",
        " params.n ",
        ", ",
        " item ",
    ]
    assert [text[offset : offset + 2] for offset in template.offsets] == [" p", " i"]
    assert template.single is None


def test_exactly_one_expression_is_single() -> None:
    assert isinstance(parse_template("${{ x }}").single, Expression)
    assert parse_template(" ${{ x }}").single is None


@pytest.mark.parametrize("text", ["${{ '}}' }}", '${{ "a\\"}}" }}', "${{ {'a': {'b': 1}} | tojson }}"])
def test_closing_braces_inside_quotes_and_maps_do_not_end_it(text: str) -> None:
    assert isinstance(parse_template(text).single, Expression)


def test_a_template_without_an_end_is_refused_where_it_begins() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template("a ${{ b")
    assert (caught.value.code, caught.value.start) == ("FLOW317", 2)


def test_a_quote_that_does_not_close_is_reported_as_that() -> None:
    with pytest.raises(ExpressionError) as caught:
        parse_template("x ${{ it's }}")
    assert (caught.value.code, caught.value.start) == ("FLOW301", len("x ${{ it"))


def test_importing_the_package_does_not_load_jinja() -> None:
    code = "import sys, specs.expressions as e; e.parse('tasks.a.output'); sys.exit('jinja2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- any text ---------------------------------------------------------------------------------------------------------------


def outcome(read: Callable[[str], T], text: str) -> T | ExpressionError:
    try:
        return read(text)
    except ExpressionError as error:
        return error


@given(TEXTS)
@example("\r\n a \r + \n")
@example("'\\x'")
@example("'\\N{x}'")
def test_any_text_is_an_expression_or_a_located_refusal(text: str) -> None:
    found = outcome(parse, text)
    if isinstance(found, ExpressionError):
        assert 0 <= found.start <= found.end <= len(text)
        assert found.code.startswith("FLOW3")
        return
    pending: list[Node] = [found.root]
    while pending:
        node = pending.pop()
        assert 0 <= node.start < node.end <= len(text)
        if isinstance(node, Name):
            assert text[node.start : node.end] == node.name
        pending.extend(children(node))


@given(TEXTS)
def test_any_text_is_a_template_or_a_located_refusal(text: str) -> None:
    found = outcome(parse_template, text)
    if isinstance(found, ExpressionError):
        assert 0 <= found.start <= found.end <= len(text)
        return
    pieces = [part if isinstance(part, str) else "${{" + part.text + "}}" for part in found.parts]
    assert "".join(pieces) == text
