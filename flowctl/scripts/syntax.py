"""Syntax of shell scripts as the shell itself sees it (`sh -n`, `bash -n`): many scripts, as a rule one process.

All scripts are given to the shell as one text, each closed off so that what one leaves open cannot be closed by the next.
Only where that text is refused are parts of it asked about.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from flowctl.scripts.tools import ToolFailed, ask

MOST_BROKEN = 20
"""Broken scripts that are looked for in one flow; no more findings of one code are shown."""

# words and expansions of variables, no quotes but pairs on one line, no operator: nothing of that can be wrong
_PLAIN = re.compile(r"(?:[\w ./=:,@%+\t\n-]|\$\w++|\"(?:[^\"\\$`\n]|\$\w++)*+\")*+")
_RESERVED = re.compile(r"\b(?:if|then|else|elif|fi|for|while|until|do|done|case|esac|in|function|select|time|coproc)\b")
_HEREDOC = re.compile(r"<<-?[ \t]*['\"\\]?([A-Za-z0-9_]+)")

# Each script stands in two frames, one after the other: what closes and opens the one again does not do so in the other.
_FRAMES = (("(\n{ :\n", "}\n)\n"), ("case a in\na) :\n", ";;\nesac\n"))
# a quote or a substitution that is still open takes in one of these lines up to its own quote, and fails on the rest
_NOTHING_OPEN = "\n# ' ) ( ;;\n# \" ) ( ;;\n# ` ) ( ;;\n"

_MESSAGE = re.compile(r"^[^\n]*?: (?:line )?(\d+): (?:[Ss]yntax error(?::| near) )?([^\n]+)$", re.MULTILINE)
_QUOTED = re.compile(r"[`\"']([^`\"'\n]{1,40})[\"']")
_ARGV: Mapping[str, tuple[str, ...]] = {"sh": ("-n", "/dev/stdin"), "bash": ("-O", "extglob", "-n", "/dev/stdin")}


class Problem(Struct, frozen=True):
    """What a shell refuses, with the line, from 1, at which it gave up."""

    line: int
    message: str


def problems(language: str, program: str, scripts: Sequence[str], environ: Mapping[str, str]) -> dict[str, Problem]:
    """What is wrong with scripts, by their text; those that are fine are left out. Raises `ToolFailed`."""
    argv = (program, *_ARGV[language])

    def refusal(text: str) -> str | None:
        answer = ask(argv, environ, text=text)
        return None if answer.exit_code == 0 else answer.err

    doubtful = [script for script in dict.fromkeys(scripts) if not is_plain(script)]
    return _search(doubtful, refusal)


def are_sound(language: str, program: str, scripts: Sequence[str], environ: Mapping[str, str]) -> bool:
    """Whether nothing is wrong with scripts, as far as one call of the shell tells: no means perhaps. Raises `ToolFailed`."""
    doubtful = [script for script in dict.fromkeys(scripts) if not is_plain(script)]
    text = "".join(map(_closed_off, doubtful))
    return not doubtful or ask((program, *_ARGV[language]), environ, text=text).exit_code == 0


def is_plain(script: str) -> bool:
    """Whether a script is nothing but simple commands, in which a shell finds nothing wrong."""
    return _PLAIN.fullmatch(script) is not None and _RESERVED.search(script) is None


def _search(scripts: Sequence[str], refusal: Callable[[str], str | None]) -> dict[str, Problem]:
    found: dict[str, Problem] = {}
    waiting = [list(scripts)] if scripts else []
    while waiting and len(found) < MOST_BROKEN:
        part = waiting.pop()
        if len(part) > 1:
            if refusal("".join(map(_closed_off, part))) is not None:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]
        else:
            said = refusal(part[0])
            if said is not None:
                found[part[0]] = _read(said)
    return found


def _closed_off(script: str) -> str:
    # a here-document that does not end ends here; elsewhere its delimiter is one more command
    delimiters = "".join(f"\n{name}" for name in _HEREDOC.findall(script))
    return "".join(f"{opening}{script}{delimiters}{_NOTHING_OPEN}{closing}" for opening, closing in _FRAMES)


def _read(said: str) -> Problem:
    match = _MESSAGE.search(said)
    if match is None:
        return Problem(1, "the shell refuses it")
    text = _QUOTED.sub(r"`\1`", match[2].strip())
    return Problem(int(match[1]), text[:1].lower() + text[1:])


__all__ = ["MOST_BROKEN", "Problem", "ToolFailed", "are_sound", "is_plain", "problems"]
