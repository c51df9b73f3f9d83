"""What reaches a terminal, and how wide it is."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowctl.terminal.colour import ColourChoice, is_watched, speaks_unicode, wants_colour
from flowctl.terminal.sanitise import safe_log, visible
from flowctl.terminal.width import cut, display_width, terminal_columns


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(
    "attack",
    [
        "\x1b[2J",
        "\x1b[1;1H",
        "\x1b]0;title\x07",
        "\x1b]8;;http://evil\x1b\\",
        "\x1b]52;c;ZXZpbA==\x07",
        "\x1bP1$r0m\x1b\\",
        "\x9b2J",
        "\x9d0;title\x9c",
        "\x1bc",
        "\x1b(0",
        "\x07",
        "\x08",
        "\r",
        "\x7f",
        "\x85",
    ],
)
def test_log_output_loses_every_control_sequence(attack: str) -> None:
    assert safe_log(f"before{attack}after") == "beforeafter"


def test_log_output_keeps_colours_lines_and_tabs_and_ends_plain() -> None:
    assert safe_log("\x1b[31mred\x1b[0m\n\tplain") == "\x1b[31mred\x1b[0m\n\tplain"
    assert safe_log("\x1b[31mred") == "\x1b[31mred\x1b[0m"


def test_an_unfinished_sequence_does_not_take_the_next_line_with_it() -> None:
    assert safe_log("\x1b]0;title\nnext") == "\nnext"


@given(st.text())
def test_no_text_of_a_log_can_move_the_cursor(text: str) -> None:
    import re

    rest = re.sub(r"\x1b\[[0-9;:]*m", "", safe_log(text))
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]", rest)


def test_names_show_control_and_direction_characters_escaped() -> None:
    assert visible("a\x1b[2Jb\n\u202ec\u200b") == "a\\x1b[2Jb\\n\\u202ec\\u200b"
    assert visible("naïve 世界") == "naïve 世界"


@given(st.text())
def test_a_visible_name_is_one_line_that_can_be_encoded(text: str) -> None:
    shown = visible(text)
    assert shown.encode().decode() == shown
    assert len(shown.splitlines()) <= 1


def test_wide_characters_take_two_columns_and_accents_none() -> None:
    assert display_width("abc") == 3
    assert display_width("世界") == 4
    assert display_width("e\u0301") == 1
    assert cut("世界世界", 5) == "世界…"
    assert cut("abc", 3) == "abc"


@pytest.mark.parametrize(
    ("environ", "choice", "on_terminal", "expected"),
    [
        ({}, "auto", True, True),
        ({}, "auto", False, False),
        ({"NO_COLOR": "1"}, "auto", True, False),
        ({"NO_COLOR": ""}, "auto", True, True),
        ({"NO_COLOR": "1"}, "always", False, True),
        ({"FORCE_COLOR": "1"}, "auto", False, True),
        ({"FORCE_COLOR": "0"}, "auto", False, False),
        ({"NO_COLOR": "1", "FORCE_COLOR": "1"}, "auto", True, False),
        ({"CLICOLOR_FORCE": "1"}, "auto", False, True),
        ({"CLICOLOR": "0"}, "auto", True, False),
        ({"TERM": "dumb"}, "auto", True, False),
        ({"FORCE_COLOR": "1"}, "never", True, False),
    ],
)
def test_who_decides_about_colour(environ: dict[str, str], choice: str, on_terminal: bool, expected: bool) -> None:
    stream = Terminal() if on_terminal else io.StringIO()
    assert wants_colour(stream, ColourChoice(choice), environ) is expected


def test_a_closed_stream_is_no_terminal() -> None:
    stream = Terminal()
    stream.close()
    assert not wants_colour(None, ColourChoice.AUTO, {})
    assert not is_watched(io.StringIO(), {})


def test_nobody_watches_a_ci_job() -> None:
    assert is_watched(Terminal(), {})
    assert not is_watched(Terminal(), {"CI": "true"})
    assert not is_watched(Terminal(), {"TERM": "dumb"})


def test_ascii_streams_are_known() -> None:
    assert speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="UTF-8"))
    assert not speaks_unicode(io.TextIOWrapper(io.BytesIO(), encoding="ascii"))
    assert not speaks_unicode(None)


def test_columns_come_from_the_environment_or_a_default() -> None:
    assert terminal_columns(None, {"COLUMNS": "42"}) == 42
    assert terminal_columns(None, {"COLUMNS": "x"}) == 100
    assert terminal_columns(io.StringIO(), {}, default=77) == 77
