"""Every command, its one line of help and its module, so that help and dispatch import none of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CommandEntry:
    """A command: a function named like it in `module` (`-` as `_`), imported when the command is asked for."""

    name: str
    module: str
    summary: str

    @property
    def function(self) -> str:
        """The function's name in the module."""
        return f"{self.name.replace('-', '_')}_command"


COMMANDS: tuple[CommandEntry, ...] = (
    CommandEntry("init", "flowctl.cli.init", "Start a project: settings and a first flow"),
    CommandEntry("validate", "flowctl.cli.validate", "Check flows as strictly as a compiler checks a program"),
    CommandEntry("run", "flowctl.cli.run", "Run a flow here and wait for it"),
    CommandEntry("completion", "flowctl.cli.completion", "Print the completion script for a shell"),
)


def entry(name: str) -> CommandEntry | None:
    """The command called `name`."""
    return next((command for command in COMMANDS if command.name == name), None)
