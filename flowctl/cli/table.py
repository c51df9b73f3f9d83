"""Every command, its one line of help and its module, so that help and dispatch import none of them."""

from __future__ import annotations

from msgspec import Struct


class CommandEntry(Struct, frozen=True):
    """A command: a function named like it in `module` (`-` and blanks as `_`), imported when the command is asked for.

    A name of two words is of a command in a group: `db check`.
    """

    name: str
    module: str
    summary: str

    @property
    def function(self) -> str:
        """The function's name in the module."""
        return f"{self.name.replace('-', '_').replace(' ', '_')}_command"


COMMANDS: tuple[CommandEntry, ...] = (
    CommandEntry("init", "flowctl.cli.init", "Start a project: settings and a first flow"),
    CommandEntry("validate", "flowctl.cli.validate", "Check flows as strictly as a compiler checks a program"),
    CommandEntry("explain", "flowctl.cli.explain", "Explain a code of a finding, or a field of the language"),
    CommandEntry("schema", "flowctl.cli.schema", "Print the JSON Schema of flow files, for editors"),
    CommandEntry("fmt", "flowctl.cli.fmt", "Bring flows into their one form"),
    CommandEntry("lsp", "flowctl.cli.lsp", "Serve editors: findings, completion, hover, renaming"),
    CommandEntry("plan", "flowctl.cli.plan", "Show what a run would do, how long and when, and start nothing"),
    CommandEntry("graph", "flowctl.cli.graph", "Draw a flow, or a run by the states of its tasks"),
    CommandEntry("simulate", "flowctl.cli.simulate", "Show what a run would do, with stubs for what it would start"),
    CommandEntry("test", "flowctl.cli.cases", "Run the cases of *.test.yaml files, simulated"),
    CommandEntry("run", "flowctl.cli.run", "Run a flow here and wait for it"),
    CommandEntry("resume", "flowctl.cli.resume", "Take up runs that nobody drives any more, and wait for them"),
    CommandEntry("cancel", "flowctl.cli.cancel", "End a run, whoever drives it"),
    CommandEntry("runs", "flowctl.cli.runs", "List runs, the newest first"),
    CommandEntry("show", "flowctl.cli.show", "Show a run: its tasks, errors and outputs"),
    CommandEntry("logs", "flowctl.cli.logs", "Print what the tasks of a run have written"),
    CommandEntry("events", "flowctl.cli.events", "Print everything that has happened to a run"),
    CommandEntry("replay", "flowctl.cli.replay", "Prove that the log of a run makes the state that is stored"),
    CommandEntry("export", "flowctl.cli.export", "Write a run that has ended to a file, to keep or to pass on"),
    CommandEntry("import", "flowctl.cli.import_", "Take in a run that was exported from another store"),
    CommandEntry("gc", "flowctl.cli.gc", "Remove runs that ended long ago, and what nothing refers to"),
    CommandEntry("db check", "flowctl.cli.db", "Look whether the store is whole, and change nothing"),
    CommandEntry("db version", "flowctl.cli.db", "Print the version of the store"),
    CommandEntry("db migrate", "flowctl.cli.db", "Bring the store of an earlier flowctl up to date"),
    CommandEntry("db backup", "flowctl.cli.db", "Copy the store, also while engines write to it"),
    CommandEntry("db vacuum", "flowctl.cli.db", "Give room in the store that is not used back to the disk"),
    CommandEntry("db drop", "flowctl.cli.db", "Delete the store and the files of its runs"),
    CommandEntry("completion", "flowctl.cli.completion", "Print the completion script for a shell"),
)


def entry(name: str) -> CommandEntry | None:
    """The command called `name`."""
    return next((command for command in COMMANDS if command.name == name), None)


def verbs_of(noun: str) -> tuple[CommandEntry, ...]:
    """The commands in the group `noun`, in the order of the table."""
    return tuple(command for command in COMMANDS if command.name.startswith(f"{noun} "))


def is_group(name: str) -> bool:
    """Whether `name` is the first word of commands with two."""
    return bool(verbs_of(name))
