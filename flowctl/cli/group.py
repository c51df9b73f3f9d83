"""The command tree for typer: commands are imported when asked for, and each gets the shared options."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command as build_command

from flowctl.cli import options
from flowctl.cli.coercion import take_plain_values
from flowctl.cli.frame import OutputForm, make_frame
from flowctl.cli.frame import frame_of as frame_of  # every command takes it from here
from flowctl.cli.table import COMMANDS, entry, is_group, verbs_of
from flowctl.cli.usage import root_help
from flowctl.problems import UsageProblem
from flowctl.terminal.colour import ColourChoice
from specs.suggest import did_you_mean

HELP_NAMES = {"help_option_names": ["-h", "--help"]}


def _shared(
    start_in: Annotated[
        Path | None, typer.Option("-C", metavar="DIR", help="Work as if started in DIR.", show_default=False)
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings instead of the nearest flowctl.yaml."),
    ] = None,
    store: Annotated[
        str | None, typer.Option("--store", metavar="STORE", help="A file, or `postgresql://USER@HOST/DATABASE`.")
    ] = None,
    color: Annotated[ColourChoice | None, typer.Option("--color", help="When to use colours.")] = None,
    output: Annotated[OutputForm | None, typer.Option("-o", "--output", help="How data is printed.")] = None,
    json: Annotated[bool, typer.Option("--json", help="The same as `-o json`.", show_default=False)] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No talk on stderr but errors.")] = False,
    verbose: Annotated[
        int, typer.Option("-v", "--verbose", count=True, help="More talk on stderr.", show_default=False)
    ] = 0,
    no_input: Annotated[bool, typer.Option("--no-input", help="Never ask.")] = False,
) -> None:
    """The signature of the options that every command has; never called."""


def _build(function: Any, name: str, kind: type[TyperCommand]) -> Any:
    _lend_names(function)
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(name, cls=kind, context_settings=HELP_NAMES)(function)
    return build_command(app)


def _lend_names(function: Any) -> None:
    """Give a module the names of its annotations that it imports for type checkers only, because a plain call of its
    command (`plain_calls.py`) is to load no typer; typer evaluates the annotations there."""
    for name, value in {"typer": typer, **vars(options)}.items():
        if name == "typer" or name.endswith(("Option", "Argument")):
            vars(sys.modules[function.__module__]).setdefault(name, value)


def shared_parameters() -> list[Any]:
    """The options every command has, as typer's parameters."""
    return list(_build(_shared, "shared", TyperCommand).params)


class FramedCommand(TyperCommand):
    """A command that finds its `Frame` in `ctx.obj`; the shared options are taken out of its own parameters."""

    def get_params(self, ctx: Any) -> list[Any]:
        """Its parameters and `--help`."""
        return _taking_plain_values(super().get_params(ctx))

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Its arguments as manual pages have them: what has to be given stands bare."""
        return [piece.removeprefix("{").removesuffix("}") for piece in super().collect_usage_pieces(ctx)]

    def invoke(self, ctx: Any) -> Any:
        """Run the command with its frame."""
        own = {name: ctx.params.pop(name) for name in _shared_names(ctx.params)}
        above = ctx.parent
        while above is not None:  # the program, and for `db check` also `db`
            own = {name: value or above.params.get(name) for name, value in own.items()}
            above = above.parent
        ctx.obj = make_frame(own)
        return super().invoke(ctx)


class LazyGroup(TyperGroup):
    """The root: names and help come from the table, a command's module is imported when that command is asked for."""

    def get_params(self, ctx: Any) -> list[Any]:
        """The shared parameters and `--help`."""
        return _taking_plain_values(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        """The first words of all names, in the order of the table."""
        return list(dict.fromkeys(command.name.partition(" ")[0] for command in COMMANDS))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """The command of that whole name, or the group of all whose names begin with it, built; `None` without any."""
        return NounGroup(cmd_name) if is_group(cmd_name) else _built(cmd_name)

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        _require_one_of(self.list_commands(ctx), ctx, args)
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - the library's signature
        """The same help that is printed without typer."""
        formatter.write(root_help())


class NounGroup(TyperGroup):
    """Commands whose names begin with the same word, such as `db check` and `db backup`."""

    def __init__(self, noun: str) -> None:
        super().__init__(
            name=noun,
            params=shared_parameters(),
            rich_markup_mode=None,
            context_settings=HELP_NAMES,
            commands={},
            help="; ".join(command.summary.lower() for command in verbs_of(noun)).capitalize() + ".",
        )
        self._noun = noun

    def get_params(self, ctx: Any) -> list[Any]:
        """The shared parameters and `--help`."""
        return _taking_plain_values(super().get_params(ctx))

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - the library's signature
        """The second words, in the order of the table."""
        return [command.name.partition(" ")[2] for command in verbs_of(self._noun)]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002 - the library's signature
        """The command, built; `None` when there is none of that name."""
        return _built(f"{self._noun} {cmd_name}")

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """The command that the first argument names."""
        _require_one_of(self.list_commands(ctx), ctx, args, noun=f"{self._noun} ")
        return super().resolve_command(ctx, args)


def _built(name: str) -> Any:
    """The command of that whole name; `None` when there is none."""
    found = entry(name)
    if found is None:
        return None
    function = getattr(importlib.import_module(found.module), found.function)
    command = _build(function, found.name.rpartition(" ")[2], FramedCommand)
    command.params.extend(shared_parameters())
    command.short_help = found.summary
    return command


def _require_one_of(names: list[str], ctx: Any, args: list[str], *, noun: str = "") -> None:
    if not ctx.resilient_parsing and not args[0].startswith("-") and args[0] not in names:
        raise UsageProblem(f"there is no command `{noun}{args[0]}`", hint=did_you_mean(args[0], names))


def root_group() -> LazyGroup:
    """The whole program as a typer group."""
    return LazyGroup(
        name="flowctl", params=shared_parameters(), rich_markup_mode=None, context_settings=HELP_NAMES, commands={}
    )


def _taking_plain_values(parameters: list[Any]) -> list[Any]:
    for parameter in parameters:
        take_plain_values(parameter)
    return parameters


def _shared_names(params: dict[str, Any]) -> list[str]:
    names = set(_shared.__annotations__) - {"return"}
    return [name for name in params if name in names]
