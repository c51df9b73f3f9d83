"""Values that could become code, options, secrets in the open, or the environment of the loader (FLOW410-413, 423)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from specs.context import FlowContext, Path, Rule
from specs.diagnostics import Diagnostic
from specs.expressions.analysis import Part, Read
from specs.expressions.references import references
from specs.expressions.report import Reporter, findings_of
from specs.expressions.templates import CLOSING, OPENING, contains_template
from specs.expressions.uses import Use
from specs.rules.moving import move_to_env

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "ash", "fish"})
_PYTHON = re.compile(r"(?:python|pypy)[0-9.]*")
_BY_OPTION: Mapping[str, re.Pattern[str]] = {
    "shell": re.compile(r"-[a-zA-Z]*c"),
    "python": re.compile(r"-[a-zA-Z]*c"),
    "perl": re.compile(r"-[a-zA-Z]*[eE]"),
    "ruby": re.compile(r"-[a-zA-Z]*e"),
    "node": re.compile(r"-[a-z]*[ep]|--eval|--print"),
    "php": re.compile(r"-r|--run"),
}
_DANGEROUS = re.compile(
    r"PATH|LD_.*|DYLD_.*|BASH_ENV|ENV|IFS|PS4|PROMPT_COMMAND|SHELLOPTS|BASHOPTS|CDPATH|GLOBIGNORE|PYTHON.*|GIT_.*|"
    r"PERL5LIB|PERL5OPT|PERL5DB|RUBYLIB|RUBYOPT|NODE_OPTIONS|NODE_PATH|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|CLASSPATH"
)
_NO_OPTION = frozenset({"int", "float", "bool", "date", "datetime"})


def literal_scripts(context: FlowContext) -> Iterator[Diagnostic]:
    """A script is taken as it is written: values reach it through `env`."""
    reporter = Reporter(context)
    for read in context.expressions.reads:
        use = read.use
        if use.form != "script":
            continue
        start = use.text.index(OPENING)
        end = use.text.find(CLOSING, start)
        span = (start, end + len(CLOSING) if end >= 0 else start + len(OPENING))
        moved = move_to_env(context, use)
        message = "`run` is literal: expressions are not expanded in scripts"
        yield reporter.at("FLOW410", use, span, message, help=moved.help, fix=moved.fix)


class _Command(Struct, frozen=True):
    """An `exec` list and its path."""

    path: Path
    elements: Sequence[Any]


def program_texts(context: FlowContext) -> Iterator[Diagnostic]:
    """A value is never part of a program that an interpreter is given as an argument."""
    reporter = Reporter(context)
    by_path = {read.use.path: read for read in context.expressions.reads if read.use.want == "argument"}
    if not by_path:
        return
    for command in _commands(context):
        if not any(isinstance(element, str) and contains_template(element) for element in command.elements):
            continue
        program, indices = _program_text(command.elements)
        for index in indices:
            read = by_path.get((*command.path, index))
            if read is not None:
                start = read.use.text.index(OPENING)
                message = f"an expression inside the program text of `{program}`"
                way_out = _program_help(program)
                yield reporter.at("FLOW411", read.use, (start, _end(read.use, start)), message, help=way_out)
        yield from _options(reporter, command, by_path, indices)


def _end(use: Use, start: int) -> int:
    end = use.text.find(CLOSING, start)
    return end + len(CLOSING) if end >= 0 else len(use.text)


def _program_help(program: str) -> str:
    if program == "ssh":
        return "send a fixed command and give it the value on its input or in a file"
    name = "`$1`" if program in _SHELLS else "an element of its arguments"
    return f"pass the value as a further argument and read it as {name}, or give it in `env`"


def _commands(context: FlowContext) -> Iterator[_Command]:
    for graph in context.graphs:
        for name, task in graph.having("exec", "undo", "ready", "health"):
            owners = (((), task), (("undo",), task.undo), (("ready",), task.ready), (("health",), task.health))
            for below, owner in owners:
                if owner is not None and owner.exec is not None:
                    yield _Command((*graph.prefix, name, *below, "exec"), owner.exec)


def _program_text(elements: Sequence[Any]) -> tuple[str, list[int]]:
    """The interpreter in a command and the indices of the elements that it reads as a program."""
    for position, element in enumerate(elements):
        name = element.rsplit("/", 1)[-1] if isinstance(element, str) else ""
        if name == "ssh":
            return name, _after_host(elements, position + 1)
        option = _BY_OPTION.get(_family(name))
        if option is not None:
            found = _after_option(elements, position + 1, option)
            if found is not None:
                return name, [found]
    return "", []


def _family(name: str) -> str:
    return "shell" if name in _SHELLS else "python" if _PYTHON.fullmatch(name) else name


def _after_option(elements: Sequence[Any], start: int, option: re.Pattern[str]) -> int | None:
    for index in range(start, len(elements) - 1):
        if isinstance(elements[index], str) and option.fullmatch(elements[index]):
            return index + 1
    return None


# options of ssh that are followed by a value
_SSH_WITH_VALUE = frozenset(f"-{letter}" for letter in "bcDEeFIiJLlmOopQRSWw")


def _after_host(elements: Sequence[Any], start: int) -> list[int]:
    """The words after the host: `ssh` joins them into one line for the shell there."""
    index = start
    while index < len(elements) and isinstance(elements[index], str) and elements[index].startswith("-"):
        index += 2 if elements[index] in _SSH_WITH_VALUE else 1
    return list(range(index + 1, len(elements)))


def _options(
    reporter: Reporter, command: _Command, by_path: Mapping[Path, Read], programs: Sequence[int]
) -> Iterator[Diagnostic]:
    """FLOW412: a value from outside begins an argument, and nothing before it ends the options."""
    for index, element in enumerate(command.elements):
        if element == "--":
            return
        read = by_path.get((*command.path, index))
        if index == 0 or read is None or read.template is None or index in programs or not read.parts:
            continue
        part = read.parts[0]
        first = read.template.parts[0]
        if first is part.expression and part.inferred.type.kind not in _NO_OPTION and _from_outside(part):
            span = (part.offset + part.expression.root.start, part.offset + part.expression.root.end)
            message = "a value from outside may be taken for an option"
            yield reporter.at("FLOW412", read.use, span, message, help="put `--` before it")


def _from_outside(part: Part) -> bool:
    return any(reference.root == "trigger" for reference in references(part.expression))


def secrets_in_the_open(context: FlowContext) -> Iterator[Diagnostic]:
    """Secrets go into `env` and secret fields of connectors, and nowhere else."""
    yield from findings_of(context, ("FLOW413",))


def environment_from_outside(context: FlowContext) -> Iterator[Diagnostic]:
    """A value of a trigger, or of a parameter that a trigger gives, does not decide what programs load."""
    reporter = Reporter(context)
    outside = _outside_params(context)
    for read in context.expressions.reads:
        path = read.use.path
        if len(path) < 2 or "env" not in (path[0], path[-2]) or not _DANGEROUS.fullmatch(str(path[-1])):
            continue
        for part in read.parts:
            for reference in references(part.expression):
                given = reference.root == "params" and reference.keys[:1] and reference.keys[0] in outside
                if reference.root == "trigger" or given:
                    span = (part.offset + reference.start, part.offset + reference.end)
                    message = f"a value from outside may not set `{path[-1]}`"
                    yield reporter.at(
                        "FLOW423", read.use, span, message, help="choose among fixed values, or use another name"
                    )


def _outside_params(context: FlowContext) -> frozenset[str]:
    """Parameters that a trigger fills with what it was sent, and that are not limited to known values."""
    return frozenset(
        str(read.use.path[-1])
        for read in context.expressions.reads
        if read.use.reader.kind == "trigger"
        and read.use.path[2:3] == ("params",)
        and any(map(_from_outside, read.parts))
        and _is_open(context, str(read.use.path[-1]))
    )


def _is_open(context: FlowContext, name: str) -> bool:
    param = context.flow.params.get(name)
    return param is not None and param.choices is None and param.type not in _NO_OPTION


RULES: tuple[Rule, ...] = (literal_scripts, program_texts, secrets_in_the_open, environment_from_outside)
