"""Reading a file: what is refused and where it says so, what values come out, and where everything stands."""

from __future__ import annotations

import gc
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from specs.source import Document, Limits, Reading, WrittenFloat, WrittenInt, read_document, written_form


def read(text: str | bytes, **limits: int) -> Reading:
    data = text.encode() if isinstance(text, str) else text
    return read_document(data, "flow.yaml", Limits(**limits))


def document(text: str) -> Document:
    reading = read(text)
    assert reading.document is not None, reading.diagnostics
    return reading.document


def codes(reading: Reading) -> list[str]:
    return [found.code for found in reading.diagnostics]


# --- what is refused ----------------------------------------------------------------------------------------------


def bomb(levels: int, width: int = 9) -> str:
    lines = [f"a0: &a0 [{', '.join('x' * width)}]"]
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * width)}]")
    return "\n".join(lines)


HOSTILE: dict[str, tuple[str | bytes, str]] = {
    "brackets": ("[" * 100_000, "FLOW108"),
    "braces": ("{a: " * 100_000, "FLOW108"),
    "dashes": ("- " * 100_000, "FLOW108"),
    "question marks": ("? " * 100_000, "FLOW108"),
    "nested blocks": ("".join(f"{' ' * n}a:\n" for n in range(1000)), "FLOW108"),
    "alias bomb": (bomb(9), "FLOW107"),
    "list in itself": ("a: &a [*a]", "FLOW107"),
    "map in itself": ("a: &a {k: *a}", "FLOW107"),
    "unknown alias": ("a: *nope", "FLOW107"),
    "merge key": ("<<: 1", "FLOW104"),
    "5,000 digits": ("a: " + "9" * 5000, "FLOW119"),
    "6,000 hexadecimal digits": ("a: 0x" + "f" * 6000, "FLOW119"),
    "not a number": ("a: .nan", "FLOW119"),
    "infinite": ("a: -.inf", "FLOW119"),
    "too large": ("a: 1e999", "FLOW119"),
    "tagged int": ("a: !!int x", "FLOW105"),
    "tagged timestamp": ("a: !!timestamp x", "FLOW105"),
    "python object": ("a: !!python/object/apply:os.system [x]", "FLOW105"),
    "set": ("a: !!set {x}", "FLOW105"),
    "non-specific tag": ("a: ! x", "FLOW105"),
    "NUL by escape": ('a: "\\0"', "FLOW109"),
    "surrogate by escape": ('a: "\\ud800"', "FLOW101"),
    "surrogate the pure parser accepts": ('a: [x:y, "\\ud800"]', "FLOW109"),
    "list as a key": ("{[a]: 1}", "FLOW106"),
    "null as a key": ("~: 1", "FLOW106"),
    "carriage returns": (b"a: 1\rb: 2", "FLOW109"),
    "NEL": ("a: b\u0085c", "FLOW109"),
    "line separator": ("a: b\u2028c", "FLOW109"),
    "NUL": (b"a: \0", "FLOW109"),
    "escape character": (b"a: \x1b[2J", "FLOW109"),
    "Latin-1": (b"a: \xe9", "FLOW109"),
    "UTF-16": ("a: 1".encode("utf-16"), "FLOW109"),
    "UTF-16 without a mark": ("a: 1".encode("utf-16-le"), "FLOW109"),
    "UTF-32": ("a: 1".encode("utf-32"), "FLOW109"),
    "tab": ("a:\n\t- 1", "FLOW101"),
    "empty": ("", "FLOW102"),
    "comments only": ("# nothing\n", "FLOW102"),
    "null": ("~", "FLOW102"),
    "two documents": ("a: 1\n---\nb: 2", "FLOW102"),
    "text": ("hello", "FLOW112"),
    "list": ("- a", "FLOW112"),
    "colon in a value": ("a: b: c", "FLOW101"),
    "bad directive": ("%YAML 3.0\n---\na: 1", "FLOW101"),
    "never closed": ('a: "x', "FLOW101"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_text_is_refused_with_one_clear_error(case: str) -> None:
    text, code = HOSTILE[case]
    reading = read(text)
    assert codes(reading) == [code]
    assert not reading.is_sound


def test_a_file_over_the_limit_is_refused_before_it_is_read() -> None:
    assert codes(read("[" * 100, file_bytes=99)) == ["FLOW108"]
    assert codes(read("a: 1", file_bytes=4)) == []


def test_nodes_are_counted_after_the_expansion_of_aliases() -> None:
    text = "a: &a [1, 2]\nb: [*a, *a]"  # a map, two keys, two lists, two numbers: 7, and twice the 3 of the alias
    assert codes(read(text, nodes=13)) == []
    assert codes(read(text, nodes=12)) == ["FLOW107"]
    assert codes(read("[1, 2, 3]", nodes=3)) == ["FLOW108"]


def test_depth_is_counted_through_aliases() -> None:
    text = "a: &a [[1]]\nb: [*a]"
    assert codes(read(text, depth=4)) == []
    assert codes(read(text, depth=3)) == ["FLOW107"]


def test_a_second_occurrence_of_a_key_marks_both_places_and_keeps_the_first() -> None:
    reading = read("a: 1\nb: 2\na: 3\n")
    (found,) = reading.diagnostics
    assert found.code == "FLOW103"
    assert reading.source.position(found.place.start) == (3, 1)
    assert reading.source.position(found.labels[0].place.start) == (1, 1)
    assert reading.document is not None
    assert reading.document.data == {"a": 1, "b": 2}
    assert reading.is_sound


def test_a_yaml_error_marks_what_the_reader_was_doing() -> None:
    reading = read("a: [1,\nb: 2")
    (found,) = reading.diagnostics
    assert reading.source.position(found.labels[0].place.start) == (1, 4)
    assert found.labels[0].text == "while parsing a flow sequence"


def test_reading_stops_after_a_few_hundred_findings() -> None:
    assert len(read("a: [" + "!x y," * 100_000 + "]").diagnostics) == 200


def test_collection_is_on_again_after_reading() -> None:
    read("a: [")
    assert gc.isenabled()


# --- values -------------------------------------------------------------------------------------------------------

CORE = {
    "yes": "yes", "on": "on", "No": "No", "12:30": "12:30", "2026-01-02": "2026-01-02", "1_000": "1_000", "=": "=",
    "true": True, "False": False, "null": None, "~": None, "": None, "12": 12, "-7": -7, "+3": 3, "0o17": 15, "0x1F": 31,
    "0755": 755, "1.5": 1.5, ".5": 0.5, "1.": 1.0, "1e3": 1000.0, "-0.0": -0.0, "1.2.3": "1.2.3", "0b1": "0b1",
    "0x": "0x", "e5": "e5", "-": "-", "+": "+", ".": ".", "..": "..", "1e": "1e",
}  # fmt: skip


@pytest.mark.parametrize("text", [text for text in CORE if text != "-"])
def test_plain_scalars_follow_the_core_schema_of_yaml_1_2(text: str) -> None:
    value = document(f"a: {text}\n").data["a"]
    assert value == CORE[text]
    assert isinstance(value, type(CORE[text]))


@pytest.mark.parametrize("text", ["yes", "12", "true", "null", "1.10", "0755", ""])
def test_quotes_make_text(text: str) -> None:
    assert document(f"a: '{text}'\nb: \"{text}\"\n").data == {"a": text, "b": text}


@pytest.mark.parametrize("text", ["1.10", "0755", "0x1F", "1e3", "+1", "0o17", "-0", "1.", "007"])
def test_a_number_keeps_its_written_form(text: str) -> None:
    value = document(f"a: {text}\n").data["a"]
    assert isinstance(value, WrittenInt | WrittenFloat)
    assert written_form(value) == text


@pytest.mark.parametrize("text", ["0", "12", "-3", "1.5", "-0.25", "9223372036854775807"])
def test_a_number_in_its_usual_form_is_a_plain_number(text: str) -> None:
    value = document(f"a: {text}\n").data["a"]
    assert type(value) in (int, float)
    assert written_form(value) == text


def test_written_form_of_other_values() -> None:
    assert written_form(True) == "true"
    assert written_form(False) == "false"
    assert written_form("x") == "x"
    assert written_form(None) is None
    assert written_form([1]) is None
    assert written_form({}) is None


def test_a_mark_at_the_start_and_windows_line_ends_are_fine() -> None:
    reading = read(b"\xef\xbb\xbfa: 1\r\nb: |\r\n  x\r\n  y\r\n")
    assert reading.document is not None
    assert reading.document.data == {"a": 1, "b": "x\ny\n"}


def test_a_colon_inside_a_word_in_brackets_is_text() -> None:
    assert document("a: [group:dba]\n").data == {"a": ["group:dba"]}


def test_an_alias_is_the_anchored_value() -> None:
    assert document("a: &x [1, 2]\nb: *x\nc: &y z\nd: *y\n").data == {"a": [1, 2], "b": [1, 2], "c": "z", "d": "z"}


def test_an_anchor_that_is_never_used_is_told_once() -> None:
    reading = read("a: &x [1]\nb: &y 2\nc: *y\n")
    assert codes(reading) == ["FLOW126"]
    assert reading.is_sound


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text("abc<=~ ", max_size=3), inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(st.text("abc", min_size=1), json_values))
def test_json_is_read_as_json(value: dict[str, Any]) -> None:
    text = json.dumps(value, ensure_ascii=True)
    if "\\ud" in text or not value:  # pairs of surrogates are no characters in YAML
        return
    assert document(text).data == value


# --- places -------------------------------------------------------------------------------------------------------

FLOW = """\
version: 1
env:
  é😀: &v "x\\u00e9y"
tasks:
  build:
    after: [a, 'b c']
    run: |
      make
        all

      end
    with: {n: 1.10, "quoted key": *v}
"""


def shown(text: str, *path: Any, key: bool = False) -> str:
    place = document(text).place(path, key=key)
    return place.source.text[place.start : place.end]


def test_values_and_keys_are_found_by_their_path() -> None:
    assert shown(FLOW, "version") == "1"
    assert shown(FLOW, "version", key=True) == "version"
    assert shown(FLOW, "env", "é😀") == '"x\\u00e9y"'
    assert shown(FLOW, "env", "é😀", key=True) == "é😀"
    assert shown(FLOW, "tasks", "build", "after", 1) == "'b c'"
    assert shown(FLOW, "tasks", "build", "after") == "[a, 'b c']"
    assert shown(FLOW, "tasks", "build", "with", "quoted key", key=True) == '"quoted key"'


def test_an_alias_stands_where_it_is_written() -> None:
    assert shown(FLOW, "tasks", "build", "with", "quoted key") == "*v"


def test_what_is_inside_an_alias_stands_at_the_anchor() -> None:
    text = "a: &x {k: [1, 22]}\nb: *x\n"
    assert shown(text, "b", "k", 1) == "22"
    assert document(text).place(("b", "k", 1)).start == text.index("22")


def test_a_path_that_goes_too_deep_gives_the_nearest_parent() -> None:
    assert shown(FLOW, "version", "nope", 3) == "1"
    assert shown(FLOW, "tasks", "build", "after", 9) == "[a, 'b c']"
    assert shown(FLOW, "tasks", "build", "nope", key=True).startswith("after:")


def test_the_place_of_a_block_does_not_hold_what_follows_it() -> None:
    assert shown("a:\n  b: 1\n\n\nc: 2\n", "a") == "b: 1"


OFFSETS = {
    "plain": ("a: some text\n", "some text", "text"),
    "single quoted": ("a: 'it''s here'\n", "it's here", "here"),
    "double quoted": ('a: "tab\\t\\u00e9\\x41 end"\n', "tab\té\x41 end", "end"),
    "literal": ("a: |\n    one\n      two\n\n    three\n", "one\n  two\n\nthree\n", "three"),
    "literal, strip": ("a: |-\n  one\n  two\n", "one\ntwo", "two"),
    "literal, indented": ("x:\n  a: |2\n      one\n    two\n", "  one\ntwo\n", "two"),
    "literal, windows": ("a: |\r\n  one\r\n  two\r\n", "one\ntwo\n", "two"),
    "literal with a comment": ("a: | # why\n  one\n  two\n", "one\ntwo\n", "two"),
    "astral": ("é: 😀😀 x\n", "😀😀 x", "x"),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_a_place_inside_a_text_is_exact(case: str) -> None:
    text, value, word = OFFSETS[case]
    read_text = document(text)
    path = ("x", "a") if "x" in read_text.data else tuple(read_text.data)
    assert read_text.value(path) == value
    offset = read_text.scalar_offset(path, value.index(word))
    assert offset == text.rindex(word)


def test_a_place_inside_an_alias_is_at_the_anchor() -> None:
    text = "a: &x one two\nb: *x\n"
    assert document(text).scalar_offset(("b",), 4) == text.index("two")


@pytest.mark.parametrize(
    "text", ["a: >\n  one\n  two\n", "a: one\n  two\n", 'a: "one\n  two"\n', "a: 'one\n\n  two'\n"]
)
def test_places_inside_folded_text_are_not_told(text: str) -> None:
    assert document(text).scalar_offset(("a",), 1) is None


def test_places_inside_other_values_are_not_told() -> None:
    read_text = document("a: [1]\nb: x\n")
    assert read_text.scalar_offset(("a",), 0) is None
    assert read_text.scalar_offset(("b",), 2) is None
    assert read_text.scalar_offset(("b", "c"), 0) is None
    assert read_text.scalar_offset((), 0) is None


@given(st.text(st.characters(min_codepoint=32, exclude_categories=["Cs", "Cc", "Zl", "Zp"]), min_size=1), st.data())
def test_every_character_of_a_quoted_text_is_found(value: str, data: st.DataObject) -> None:
    text = f"a: {json.dumps(value, ensure_ascii=data.draw(st.booleans()))}\n"
    reading = read(text)
    if reading.document is None or "\\ud" in text:
        return
    found = [reading.document.scalar_offset(("a",), index) for index in range(len(value))]
    offsets = [offset for offset in found if offset is not None]
    assert len(offsets) == len(value)
    assert all(text[offset] in (character, "\\") for offset, character in zip(offsets, value, strict=True))
    assert offsets == sorted(set(offsets))


# --- anything -----------------------------------------------------------------------------------------------------


@given(st.binary() | st.text().map(str.encode) | st.text("ab:-[]{}&*!|>'\"#%@`,?\n \t").map(str.encode))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    reading = read(data)
    assert reading.document is not None or reading.diagnostics
    for found in reading.diagnostics:
        reading.source.position(found.place.start)
        assert 0 <= found.place.start <= found.place.end <= len(reading.source.text)
