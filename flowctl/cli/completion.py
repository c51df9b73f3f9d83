"""`flowctl completion`: the script that teaches a shell our commands and options."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of


class Shell(StrEnum):
    """Shells there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion_command(
    ctx: typer.Context, shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="The shell the script is for.")]
) -> int:
    """Print the completion script for a shell.

    For bash put `eval "$(flowctl completion bash)"` into ~/.bashrc; for zsh the same into ~/.zshrc, after compinit;
    for fish write the output to ~/.config/fish/completions/flowctl.fish.
    """
    from typer._completion_shared import get_completion_script

    script = get_completion_script(prog_name="flowctl", complete_var="_FLOWCTL_COMPLETE", shell=shell.value)
    frame_of(ctx).put(script)
    return Exit.SUCCESS
