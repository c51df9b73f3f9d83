"""Rules that run tools on the scripts of a flow (FLOW701, 702, 704); each text is looked at once in the life of this."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress

from msgspec.structs import replace

from flowctl.scripts.linters import Remark, ruff, shellcheck
from flowctl.scripts.syntax import Problem, are_sound, is_plain, problems
from flowctl.scripts.tools import ToolFailed, find_tool
from specs.context import FlowContext, Rule
from specs.diagnostics import Diagnostic, Severity
from specs.scripts import Script, each_once

MOST_LINTED = 100
"""Scripts that a linter is given in one call of the program: it takes milliseconds for each."""

_WIKI = "https://www.shellcheck.net/wiki/"


class ScriptChecks:
    """The rules for one call of the program, with the tools that are there, and what is to be told about them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self._tools: dict[str, str | None] = {}
        self._problems: dict[tuple[str, str], Problem | None] = {}
        self._remarks: dict[tuple[str, str], list[Remark]] = {}
        self._told: dict[str, None] = {}
        self._left = {"shellcheck": MOST_LINTED, "ruff": MOST_LINTED}

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The rules, to be given to a check in this order: linters are not asked about what is not syntax."""
        return self.syntax, self.linted_shell, self.linted_python

    @property
    def notes(self) -> tuple[str, ...]:
        """What a user may want to know about the tools, each once: which are missing, what they did not look at."""
        return tuple(self._told)

    # --- many flows at once ---------------------------------------------------------------------------------------------

    def prepare(self, contexts: Sequence[FlowContext]) -> None:
        """Look at the scripts of many flows with few calls of the tools; the rules then know the answers. What the rules
        say does not depend on this."""
        try:
            self._look_at(contexts)
        except Exception:  # noqa: BLE001 - the rule of the flow in question meets it again, and what it meets is told (FLOW901)
            return

    def _look_at(self, contexts: Sequence[FlowContext]) -> None:
        for language in ("sh", "bash"):
            flows = [list(_texts(language, context.scripts)) for context in contexts]
            with suppress(ToolFailed):  # of one flow, each by itself, it may be able to tell
                self._parse_together(language, [texts for texts in flows if any(not is_plain(text) for text in texts)])
        scripts = [script for context in contexts for script in context.scripts]
        self._lint("shellcheck", self._to_shellcheck(scripts), shellcheck)
        self._lint("ruff", [script for script in scripts if script.language == "python"], _ruff)

    def _parse_together(self, language: str, flows: list[list[str]]) -> None:
        """Parse the scripts of flows; where one of them is broken, in halves, down to the flow that has it."""
        program = self._tool(language) if flows else None
        if program is None:
            return
        waiting = [flows]
        while waiting:
            part = waiting.pop()
            texts = [text for flow in part for text in flow]
            if len(part) == 1:
                self._parse(language, texts)
            elif are_sound(language, program, texts, self._environ):
                self._problems.update({(language, text): None for text in texts})
            else:
                middle = len(part) // 2
                waiting += [part[middle:], part[:middle]]

    # --- FLOW701 ------------------------------------------------------------------------------------------------------

    def syntax(self, context: FlowContext) -> Iterator[Diagnostic]:
        """A script for a shell is one."""
        scripts = [script for script in context.scripts if script.language in ("sh", "bash")]
        for language in ("sh", "bash"):
            self._parse(language, list(_texts(language, scripts)))
        yield from each_once(self._refused(scripts))

    def _parse(self, language: str, texts: list[str]) -> None:
        new = [text for text in texts if (language, text) not in self._problems]
        program = self._tool(language) if any(not is_plain(text) for text in new) else None
        found: dict[str, Problem] = {}
        if program is not None:
            try:
                found = problems(language, program, new, self._environ)
            except ToolFailed as failed:
                self._tell(f"`{language}` did not look at scripts: {failed}")
        self._problems.update({(language, text): found.get(text) for text in new})

    def _refused(self, scripts: list[Script]) -> Iterator[Diagnostic]:
        for script in scripts:
            problem = self._problems.get((script.language, script.text))
            if problem is not None:
                message = f"shell syntax: {problem.message}"
                yield script.finding("FLOW701", _line(script, problem.line), message)

    # --- FLOW702, 704 -------------------------------------------------------------------------------------------------

    def linted_shell(self, context: FlowContext) -> Iterator[Diagnostic]:
        """shellcheck has nothing to say about a script for a shell."""
        scripts = self._to_shellcheck(context.scripts)
        self._lint("shellcheck", scripts, shellcheck)
        yield from each_once(self._remarked(scripts, "FLOW702", "shellcheck"))

    def linted_python(self, context: FlowContext) -> Iterator[Diagnostic]:
        """ruff has nothing to say about a script for Python."""
        scripts = [script for script in context.scripts if script.language == "python"]
        self._lint("ruff", scripts, _ruff)
        yield from each_once(self._remarked(scripts, "FLOW704", "ruff"))

    def _to_shellcheck(self, scripts: Iterable[Script]) -> list[Script]:
        return [
            script
            for script in scripts
            if script.language in ("sh", "bash")
            and self._problems.get((script.language, script.text)) is None
            and ("$" in script.text or not is_plain(script.text))
        ]

    def _lint(self, name: str, scripts: list[Script], linter: _Linter) -> None:
        marks = dict.fromkeys((str(script.language), script.text) for script in scripts)
        new = [mark for mark in marks if mark not in self._remarks]
        if not new:
            return
        program = self._tool(name)
        if program is None:
            self._tell(f"`{name}` is not installed, so scripts were checked without it")
            return
        if len(new) > self._left[name]:
            self._tell(f"`{name}` looked at the first {MOST_LINTED} scripts only")
        new = new[: self._left[name]]
        found: _Remarks = {}
        if new:
            try:
                found = linter(program, new, self._environ)
            except ToolFailed as failed:
                self._tell(f"`{name}` did not look at scripts: {failed}")
        self._left[name] -= len(new)
        self._remarks.update({mark: found.get(mark, []) for mark in new})

    def _remarked(self, scripts: list[Script], code: str, name: str) -> Iterator[Diagnostic]:
        for script in scripts:
            for remark in self._remarks.get((script.language, script.text), ()):
                span = _span(script, remark)
                help_ = f"see {_WIKI}{remark.code}" if name == "shellcheck" else f"`ruff rule {remark.code}` says more"
                message = f"{name} {remark.code}: {_sentence(remark.message)}"
                found = script.finding(code, span, message, help_=help_)
                yield replace(found, severity=Severity.INFO) if remark.is_minor else found

    # --- tools --------------------------------------------------------------------------------------------------------

    def _tool(self, name: str) -> str | None:
        if name not in self._tools:
            self._tools[name] = find_tool(name, self._environ)
        return self._tools[name]

    def _tell(self, note: str) -> None:
        self._told[note] = None


_Remarks = dict[tuple[str, str], list[Remark]]
_Linter = Callable[[str, list[tuple[str, str]], Mapping[str, str]], _Remarks]


def _texts(language: str, scripts: Iterable[Script]) -> Iterator[str]:
    return (script.text for script in scripts if script.language == language)


def _ruff(program: str, texts: list[tuple[str, str]], environ: Mapping[str, str]) -> _Remarks:
    found = ruff(program, [text for _, text in texts], environ)
    return {("python", text): remarks for text, remarks in found.items()}


def _line(script: Script, number: int) -> tuple[int, int]:
    """The words of a line; of the last one that has any, where the shell gave up at the end."""
    lines = script.text.split("\n")
    number = min(number, len(lines))
    while number > 1 and not lines[number - 1].strip():
        number -= 1
    line = lines[number - 1]
    start = script.index_of(number, 1 + len(line) - len(line.lstrip()))
    return start, max(start + len(line.strip()), start + 1)


def _span(script: Script, remark: Remark) -> tuple[int, int]:
    start = script.index_of(remark.line, remark.column)
    end = script.index_of(remark.end_line, remark.end_column)
    at_end = end == len(script.text) - 1 and not script.text.endswith("\n")
    return start, max(end + at_end, start + 1)


def _sentence(text: str) -> str:
    """A message as ours read: on one line, lower case, no full stop."""
    words = " ".join(text.split()).rstrip(".")
    return words[:1].lower() + words[1:] if words[1:2].islower() else words
