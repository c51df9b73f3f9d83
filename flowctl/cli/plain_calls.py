"""Calls of `run` and `validate` that need no parser: their words are taken as typer would take them, without importing it.

Only what is plain is taken: the command first, options known and written out, each value apart from its option or after
`=`. For anything else (help, mistakes, bundled letters) there is no plain call and typer reads the words. A test holds the
tables here and the options of the commands to be the same, and both ways to give the same values.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import Struct

from flowctl.cli.coercion import plain_path
from flowctl.cli.frame import Frame, OutputForm, make_frame
from flowctl.cli.table import entry
from flowctl.terminal.colour import ColourChoice


class _NotPlain(Exception):
    """A word that typer has to look at."""


class PlainOption(Struct, frozen=True):
    """An option as it is written. `read` makes a value of its text; `None` is of a flag, which is true when it is there."""

    name: str
    read: Callable[[str], Any] | None = None
    many: bool = False
    counts: bool = False


class PlainCommand(Struct, frozen=True):
    """What may follow the name of a command. `argument` is the parameter that words without a dash go to."""

    options: Mapping[str, PlainOption]
    argument: str
    many: bool


class PlainCall(Struct, frozen=True):
    """A command with the values given for it, and what a command finds in its context: the frame in `obj`."""

    command: str
    values: Mapping[str, Any]
    obj: Frame

    def __call__(self) -> int:
        """Run the command; its exit code."""
        found = entry(self.command)
        assert found is not None  # noqa: S101 - the names of `COMMANDS` are those of the table
        function = getattr(importlib.import_module(found.module), found.function)
        return int(function(self, **self.values) or 0)


def _path(text: str) -> Path:
    path = plain_path(text)
    if path is None:
        raise _NotPlain
    return path


def _form(text: str) -> Any:
    from flowctl.findings.reports import FindingsForm

    return FindingsForm(text)


_OUTPUT = PlainOption("output", OutputForm)
SHARED: Mapping[str, PlainOption] = {
    "-C": PlainOption("start_in", _path),
    "--config": PlainOption("config", _path),
    "--store": PlainOption("store", str),
    "--color": PlainOption("color", ColourChoice),
    "-o": _OUTPUT,
    "--output": _OUTPUT,
    "--json": PlainOption("json"),
    "-q": PlainOption("quiet"),
    "--quiet": PlainOption("quiet"),
    "-v": PlainOption("verbose", counts=True),
    "--verbose": PlainOption("verbose", counts=True),
    "--no-input": PlainOption("no_input"),
}
_FILE, _PARAM = PlainOption("file", str), PlainOption("param", str, many=True)
PLAIN: Mapping[str, PlainCommand] = {
    "run": PlainCommand(
        {
            "-f": _FILE,
            "--file": _FILE,
            "-p": _PARAM,
            "--param": _PARAM,
            "--params-file": PlainOption("params_file", _path),
            "--env": PlainOption("env", str, many=True),
            "--env-file": PlainOption("env_file", _path, many=True),
            "--priority": PlainOption("priority", str),
            "--dry-run": PlainOption("dry_run"),
            "--no-cache": PlainOption("no_cache"),
        },
        argument="flow",
        many=False,
    ),
    "validate": PlainCommand(
        {
            "--format": PlainOption("form", _form),
            "--concise": PlainOption("one_line"),
            "--output-file": PlainOption("output_file", _path),
            "--enable": PlainOption("enable", str, many=True),
            "--disable": PlainOption("disable", str, many=True),
            "--deny-warnings": PlainOption("deny_warnings"),
            "--show-info": PlainOption("show_info"),
            "--problem-matcher": PlainOption("problem_matcher"),
            "--fix": PlainOption("fix"),
            "--diff": PlainOption("diff"),
            "--no-scripts": PlainOption("no_scripts"),
        },
        argument="paths",
        many=True,
    ),
}


def plain_call(words: Sequence[str]) -> PlainCall | None:
    """The call that `words` are, `None` for one that typer has to read. Raises what `make_frame` does."""
    command = PLAIN.get(words[0]) if words else None
    if command is None:
        return None
    try:
        values = read_plain(command, words[1:])
    except (_NotPlain, ValueError):
        return None
    shared = {name: values.pop(name, None) for name in dict.fromkeys(option.name for option in SHARED.values())}
    return PlainCall(words[0], values, make_frame(shared))


def read_plain(command: PlainCommand, words: Sequence[str]) -> dict[str, Any]:
    """Values by parameter, of those that are given. Raises `_NotPlain`, or the `ValueError` of a value."""
    values: dict[str, Any] = {}
    left = list(reversed(words))
    while left:
        word = left.pop()
        if not word.startswith("-") or word == "-":
            _put(values, command.argument, word, many=command.many)
            continue
        written, equals, text = word.partition("=") if word.startswith("--") else (word, "", "")
        option = command.options.get(written) or SHARED.get(written)
        if option is None or (option.read is None and equals):
            raise _NotPlain
        if option.counts:
            values[option.name] = values.get(option.name, 0) + 1
        elif option.read is None:
            values[option.name] = True
        else:
            if not equals:
                text = left.pop() if left else "-"
                if text.startswith("-"):  # a value is missing, or looks as if it were
                    raise _NotPlain
            _put(values, option.name, option.read(text), many=option.many)
    return values


def _put(values: dict[str, Any], name: str, value: Any, *, many: bool) -> None:
    if many:
        values.setdefault(name, []).append(value)
    elif name in values:
        raise _NotPlain
    else:
        values[name] = value
