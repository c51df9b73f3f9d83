"""Files of environment variables (`.env`): values are literal, nothing in them is run or expanded (`CONVENTIONS.md` 4).

# a comment
export NAME=value          # `export` is allowed, a comment after a space, too
SINGLE='as it stands $HOME'
DOUBLE="with \\n \\t \\" \\\\ and
line breaks"
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from flowctl.problems import UsageProblem

LARGEST = 1 << 20
"""Bytes of an environment file that are read; a larger one is refused."""

_NAME = re.compile(r"[ \t]*(?:export[ \t]+)?([A-Za-z_][A-Za-z0-9_]*)[ \t]*=[ \t]*")
_BLANK = re.compile(r"[ \t]*(?:#[^\n]*)?(?:\n|\Z)")
_SINGLE = re.compile(r"'([^']*)'")
_DOUBLE = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_PLAIN = re.compile(r"[^\n]*")
_COMMENT = re.compile(r"(?:^|[ \t]+)#.*")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_MEANINGS = {"n": "\n", "r": "\r", "t": "\t", "\n": ""}


class BadEnvironmentFile(UsageProblem):
    """An environment file is missing, unreadable or wrong."""

    code = "bad_environment_file"


def load_environment_files(paths: Iterable[Path]) -> Mapping[str, str]:
    """The variables of all files; a later file wins over an earlier one. Raises `BadEnvironmentFile`."""
    found: dict[str, str] = {}
    for path in paths:
        found.update(parse_environment(_read(path), name=str(path)))
    return found


def parse_environment(text: str, *, name: str) -> Mapping[str, str]:
    """The variables written in `text`; a name that occurs twice keeps its last value. `name` is for messages."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n")
    found: dict[str, str] = {}
    at = 0
    while at < len(text):
        blank = _BLANK.match(text, at)
        if blank:
            at = blank.end()
            continue
        key = _NAME.match(text, at)
        if key is None:
            raise _bad(text, at, name, "expected `NAME=value`")
        found[key[1]], at = _value(text, key.end(), name)
    return found


def _value(text: str, at: int, name: str) -> tuple[str, int]:
    """The value that starts at `at`, and where the next line starts."""
    quote = text[at : at + 1]
    if quote in ("'", '"') and quote:
        match = (_SINGLE if quote == "'" else _DOUBLE).match(text, at)
        if match is None:
            raise _bad(text, at, name, f"the quote {quote} is never closed")
        rest = _BLANK.match(text, match.end())
        if rest is None:
            raise _bad(text, match.end(), name, "something follows the closing quote")
        value, end = (match[1] if quote == "'" else _ESCAPE.sub(_unescape, match[1])), rest.end()
    else:
        match = _PLAIN.match(text, at)
        assert match is not None  # noqa: S101 - the pattern accepts nothing at all
        value, end = _COMMENT.sub("", match[0]).rstrip(), match.end() + 1
    if "\0" in value:
        raise _bad(text, at, name, "a value holds a NUL character")
    return value, end


def _unescape(match: re.Match[str]) -> str:
    return _MEANINGS.get(match[1], match[1] if match[1] in '"\\$`' else match[0])


def _read(path: Path) -> str:
    from flowctl.reading import Unreadable, read_regular

    try:
        return read_regular(path, most=LARGEST, follow=True).decode("utf-8")
    except Unreadable as error:
        raise BadEnvironmentFile(f"cannot read `{path}`: {error}", hint="name a file of `NAME=value` lines") from error
    except UnicodeDecodeError as error:
        raise BadEnvironmentFile(f"`{path}` is not UTF-8 at byte {error.start}", hint="save it as UTF-8") from error


def _bad(text: str, at: int, name: str, message: str) -> BadEnvironmentFile:
    line = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return BadEnvironmentFile(
        message, file=name, line=line, column=column, hint="write one `NAME=value` a line; quote what is not plain"
    )
