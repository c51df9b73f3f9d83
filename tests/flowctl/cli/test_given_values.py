"""Parameters and variables from the command line and from files."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadParameters
from flowctl.cli.dotenv import BadEnvironmentFile, load_environment_files, parse_environment
from flowctl.cli.params import GivenParameters, given_environment, given_parameters
from flowctl.problems import UsageProblem


def test_a_flag_gives_text_and_a_file_gives_values(tmp_path: Path) -> None:
    file = tmp_path / "p.yaml"
    file.write_text("day: 2026-01-02\ncount: 3\nregions: [eu, us]\n")
    assert given_parameters(["count=4", "note=a=b"], file=file) == GivenParameters(
        texts={"count": "4", "note": "a=b"}, values={"day": "2026-01-02", "regions": ["eu", "us"]}
    )


def test_an_empty_text_is_a_value() -> None:
    assert given_parameters(["a="]).texts == {"a": ""}


@pytest.mark.parametrize("pairs", [["a"], ["=x"], ["a=1", "a=2"], ["a=\0"], [""]])
def test_what_is_no_pair_is_refused(pairs: list[str]) -> None:
    with pytest.raises(BadParameters):
        given_parameters(pairs)


def test_all_bad_pairs_are_told_at_once() -> None:
    with pytest.raises(BadParameters) as caught:
        given_parameters(["a", "b"])
    assert len(caught.value.problems) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("p.json", "[1]"),
        ("p.json", "{"),
        ("p.json", '{"a": 1, "a": 2}'),
        ("p.json", '{"a": NaN}'),
        ("p.json", "[" * 100_000),
        ("p.yaml", "a: b: c"),
        ("p.yaml", "- a"),
        ("p.yaml", "1: x"),
        ("p.yaml", "a: 1\na: 2"),
    ],
)
def test_a_wrong_file_of_parameters_is_one_error_with_its_name(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(BadParameters, match=name):
        given_parameters([], file=tmp_path / name)


def test_a_file_of_parameters_that_is_missing_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(UsageProblem, match="no such file"):
        given_parameters([], file=tmp_path / "missing.json")


def test_json_values_keep_their_types(tmp_path: Path) -> None:
    (tmp_path / "p.json").write_text('{"a": [1, 2.5, null, true, "x"]}')
    assert given_parameters([], file=tmp_path / "p.json").values == {"a": [1, 2.5, None, True, "x"]}


DOTENV = r"""
# a comment
PLAIN=value
export EXPORTED = spaced   # a comment
HASH=a#b
EMPTY=
SINGLE='$HOME \n # no comment' # comment
DOUBLE="a\n\t\"q\" \\ \$X # kept"
COMMAND=$(rm -rf /) `id` ${HOME}
MANY="first
second"
"""


def test_an_environment_file_is_literal() -> None:
    assert parse_environment(DOTENV, name=".env") == {
        "PLAIN": "value",
        "EXPORTED": "spaced",
        "HASH": "a#b",
        "EMPTY": "",
        "SINGLE": r"$HOME \n # no comment",
        "DOUBLE": 'a\n\t"q" \\ $X # kept',
        "COMMAND": "$(rm -rf /) `id` ${HOME}",
        "MANY": "first\nsecond",
    }


def test_line_ends_of_windows_and_a_byte_order_mark_are_fine() -> None:
    assert parse_environment("\ufeffA=1\r\nB='2'\r\n", name=".env") == {"A": "1", "B": "2"}


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("A=1\nnothing\n", 2, "expected `NAME=value`"),
        ("1A=1", 1, "expected `NAME=value`"),
        ('A="x\n\n', 1, "never closed"),
        ("A='x", 1, "never closed"),
        ("\nA='x' y", 2, "something follows"),
        ("A=\0", 1, "NUL"),
    ],
)
def test_what_is_wrong_in_an_environment_file_has_its_line(text: str, line: int, message: str) -> None:
    with pytest.raises(BadEnvironmentFile, match=message) as caught:
        parse_environment(text, name=".env")
    assert (caught.value.file, caught.value.line) == (".env", line)


@given(st.text(max_size=200))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(BadEnvironmentFile):
        assert all("\0" not in value for value in parse_environment(text, name=".env").values())


@given(st.dictionaries(st.from_regex(r"[A-Z_][A-Z0-9_]{0,8}", fullmatch=True), st.text(st.characters(codec="utf-8"))))
def test_quoted_values_come_back_as_they_were(values: dict[str, str]) -> None:
    def quoted(value: str) -> str:
        return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\r", "\\r") + '"'

    values = {name: value.replace("\0", "") for name, value in values.items()}
    text = "\n".join(f"{name}={quoted(value)}" for name, value in values.items())
    assert parse_environment(text, name=".env") == values


def test_a_named_file_that_is_missing_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BadEnvironmentFile, match="there is no such file"):
        load_environment_files([tmp_path / "missing.env"])


def test_a_file_never_overrides_the_real_environment_and_a_flag_does(tmp_path: Path) -> None:
    (tmp_path / "a.env").write_text("A=file\nB=file\nC=file\n")
    (tmp_path / "b.env").write_text("C=second\n")
    found = given_environment(["B=flag"], files=[tmp_path / "a.env", tmp_path / "b.env"], environ={"A": "real"})
    assert found == {"A": "real", "B": "flag", "C": "second"}


def test_a_variable_needs_a_name_of_one() -> None:
    with pytest.raises(UsageProblem, match="`A-B` is not an environment name"):
        given_environment(["A-B=1"], files=[], environ={})
