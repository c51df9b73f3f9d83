"""What a shell script reads and sets, as far as a careful look at its text can tell.

Not a parser of a shell: a scanner that knows quotes, comments, substitutions and here-documents, and says nothing at all
of a script that it cannot follow to its end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from msgspec import Struct, field

_NAME = r"[A-Za-z_][A-Za-z0-9_]*"
_EXPANSION = re.compile(rf"\$(?:({_NAME})|\{{[#!]?({_NAME})([^}}]?[-=?+]?))")
_HEREDOC = re.compile(rf"<<(-?)[ \t]*(?:'([^'\n]+)'|\"([^\"\n]+)\"|(\\?)({_NAME}))")
_ASSIGNED = re.compile(rf"(?<![\w$.{{-])({_NAME})(?:\[[^\]\n]{{0,100}}\])?(?:\+|:)?=")
_FOR = re.compile(rf"\b(?:for|select)[ \t]+({_NAME})\b")
_SETTERS = re.compile(
    r"\b(?:export|local|declare|typeset|readonly|read|getopts|mapfile|readarray|unset|let|printf[ \t]+-v|wait[ \t]+-p)\b"
    r"([^;|&\n)]*)"
)
_NAMES = re.compile(rf"(?<![\w$./-])({_NAME})\b")
_ARITHMETIC_SET = re.compile(rf"\b({_NAME})[ \t]*(?:\+\+|--|[-+*/%]?=)|(?:\+\+|--)({_NAME})")
_READS_ELSEWHERE = re.compile(
    r"(?:^|[\n;&|({]|\b(?:then|do|else|if|!))[ \t]*(?:\.|source|eval|set[ \t]+\+\w{0,9}u\w{0,9})[ \t\n]"
)


_SPECIAL = re.compile(r"[\\$\"'`#\n<()]")


class Expansion(Struct, frozen=True):
    """`$name` or `${name...}` from `start` to `end` of the script; `guarded` when it says what holds if it is not set."""

    name: str
    start: int
    end: int
    guarded: bool


def unset_names(script: str, known: frozenset[str]) -> tuple[Expansion, ...]:
    """The first reading of each variable that is neither known nor ever set or guarded in the script; nothing for a
    script that runs the text of others (`.`, `eval`) or that cannot be followed."""
    seen = {first or second for first, second, _ in _EXPANSION.findall(script)} - known
    seen = seen and seen.difference(_ASSIGNED.findall(script))
    seen = seen and seen - _set_otherwise(script)
    if not seen or _READS_ELSEWHERE.search(script):
        return ()
    expansions = _Scanner(script).expansions()  # the slow look, where the quick one found something
    missing = seen - {one.name for one in expansions if one.guarded}
    first: dict[str, Expansion] = {}
    for one in expansions:
        if one.name in missing:
            first.setdefault(one.name, one)
    return tuple(first.values())


def _set_otherwise(script: str) -> set[str]:
    """Names that a script sets by other means than `name=`."""
    names = set(_FOR.findall(script))
    for arguments in _SETTERS.findall(script):
        names.update(_NAMES.findall(arguments))
    for match in _ARITHMETIC_SET.finditer(script):
        names.add(match[1] or match[2])
    return names


class _Scanner(Struct):
    """One pass over a script with a stack of what is open: `"` a quoted text, `(` a substitution, "`" an old one."""

    script: str
    open: list[str] = field(default_factory=list)
    parentheses: list[int] = field(default_factory=list)
    found: list[Expansion] = field(default_factory=list)
    heredocs: list[tuple[str, bool, bool]] = field(default_factory=list)

    def expansions(self) -> tuple[Expansion, ...]:
        """Every expansion that the shell would make, in order; none when something stays open at the end."""
        found = _SPECIAL.search(self.script)
        while found is not None:
            step = self._step(found.start())
            if step is None:
                return ()
            found = _SPECIAL.search(self.script, step)
        return tuple(self.found) if not self.open and not self.heredocs else ()

    def _step(self, at: int) -> int | None:
        """Where to go on after the character at `at`; `None` where the script cannot be followed."""
        character = self.script[at]
        inside_text = bool(self.open) and self.open[-1] == '"'
        if character == "\\":
            return at + 2
        if character == "$":
            return self._dollar(at, inside_text=inside_text)
        if character == '"' or character == "`":
            self._toggle(character)
            return at + 1
        return at + 1 if inside_text else self._plain(at, character)

    def _plain(self, at: int, character: str) -> int | None:
        """A character outside of quoted texts."""
        if character == "'":
            end = self.script.find("'", at + 1)
            return end + 1 if end >= 0 else None
        if character == "#" and (at == 0 or self.script[at - 1] in " \t\n;&|("):
            end = self.script.find("\n", at)
            return end if end >= 0 else len(self.script)
        if character == "\n" and self.heredocs:
            return self._bodies(at + 1)
        if character == "<" and self.script.startswith("<<", at) and not self.script.startswith("<<<", at):
            return self._heredoc(at)
        if character in "()" and self.open and self.open[-1] == "(":
            self.parentheses[-1] += 1 if character == "(" else -1
            if self.parentheses[-1] == 0:
                self.open.pop()
                self.parentheses.pop()
        return at + (3 if self.script.startswith("<<<", at) else 1)

    def _toggle(self, quote: str) -> None:
        if self.open and self.open[-1] == quote:
            self.open.pop()
        else:
            self.open.append(quote)

    def _dollar(self, at: int, *, inside_text: bool) -> int | None:
        if self.script.startswith("$(", at):
            self.open.append("(")
            self.parentheses.append(1)
            return at + 2
        if self.script.startswith("$'", at) and not inside_text:
            end = re.compile(r"(?:[^'\\]|\\.)*'", re.DOTALL).match(self.script, at + 2)
            return end.end() if end else None
        match = _EXPANSION.match(self.script, at)
        if match is None:
            return at + 2 if self.script[at + 1 : at + 2] in ("$", "#") else at + 1
        self.found.append(_expansion(match))
        return match.end(2) if match[2] is not None else match.end()

    def _heredoc(self, at: int) -> int:
        match = _HEREDOC.match(self.script, at)
        if match is None:
            return at + 2
        quoted = match[2] or match[3]
        self.heredocs.append((quoted or match[5], bool(quoted or match[4]), bool(match[1])))
        return match.end()

    def _bodies(self, at: int) -> int | None:
        """Go past the bodies of the here-documents that begin at this line."""
        for delimiter, is_literal, strips_tabs in self.heredocs:
            tabs = r"\t*" if strips_tabs else ""
            end = re.compile(rf"^{tabs}{re.escape(delimiter)}$", re.MULTILINE).search(self.script, at)
            if end is None:
                return None
            if not is_literal:
                self.found += _in_body(self.script, at, end.start())
            at = end.end()
        self.heredocs.clear()
        return at


def _in_body(script: str, start: int, end: int) -> Iterator[Expansion]:
    for match in _EXPANSION.finditer(script, start, end):
        before = match.start()
        while before > start and script[before - 1] == "\\":
            before -= 1
        if (match.start() - before) % 2 == 0:
            yield _expansion(match)


def _expansion(match: re.Match[str]) -> Expansion:
    name = match[1] or match[2]
    operator = match[3] or ""
    guarded = operator[:1] in ("-", "=", "?", "+") or (operator[:1] == ":" and operator[1:2] in ("-", "=", "?", "+"))
    end = match.end(1) if match[1] else match.end(2)
    return Expansion(name, match.start(), end, bool(operator) and guarded)
