"""What every command is given: the options all commands share, and where its words go.

Data goes to stdout with `put`, talk to stderr with `say` and `detail`. A command returns its exit code.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from msgspec import Struct
from msgspec.structs import replace

from flowctl.findings.text import Look
from flowctl.problems import UsageProblem
from flowctl.settings import environment
from flowctl.terminal.colour import ColourChoice, Style, is_terminal, paint, speaks_unicode, wants_colour
from flowctl.terminal.width import terminal_columns

if TYPE_CHECKING:
    from flowctl.settings import Settings


class OutputForm(StrEnum):
    """How data is printed."""

    TEXT = "text"
    JSON = "json"


class Frame(Struct, frozen=True, dict=True):
    """The shared options of one call.

    Attributes:
        environ: the environment the program was started with.
        color: `None` where the command line does not say.
        verbosity: how often `-v` was given.
        named: the flow or folder that the command is about, where there is one.
        config: a settings file to use instead of the nearest `flowctl.yaml`.
        store: where the store is, instead of what the settings say.
        form: how data is printed.
    """

    environ: Mapping[str, str]
    color: ColourChoice | None = None
    quiet: bool = False
    verbosity: int = 0
    no_input: bool = False
    config: Path | None = None
    store: str | None = None
    named: Path | None = None
    form: OutputForm = OutputForm.TEXT

    @property
    def json(self) -> bool:
        """Whether data is to be JSON."""
        return self.form is OutputForm.JSON

    @cached_property
    def settings(self) -> Settings:
        """The settings that hold here; raises `BadSettings`."""
        from flowctl.settings import load_settings

        given = {"color": self.color and self.color.value, "store": self.store}
        flags = {key: value for key, value in given.items() if value is not None}
        return load_settings(folder=Path.cwd(), environ=self.environ, flags=flags, config=self.config, named=self.named)

    def about(self, *named: str | None) -> Frame:
        """This frame for a command about flows or folders named on the command line: who stands in no project works in
        that of the first of them."""
        first = next((Path(name) for name in named if name not in (None, "", "-")), None)
        return replace(self, named=first)

    def look(self, stream: TextIO | None) -> Look:
        """Colours, width and characters for what goes to `stream`."""
        return Look(
            colour=wants_colour(stream, self.settings.color, self.environ),
            columns=terminal_columns(stream, self.environ) if is_terminal(stream) else 120,
            unicode=speaks_unicode(stream),
        )

    def put(self, text: str) -> None:
        """Print data: `text` and a line feed on stdout."""
        write_line(sys.stdout, text)

    def put_parts(self, parts: Iterable[str]) -> None:
        """Print one line of data that is too long to be made as a whole."""
        if sys.stdout is not None:
            sys.stdout.writelines(parts)
            sys.stdout.write("\n")

    def say(self, text: str) -> None:
        """Tell a person something, unless `-q` was given."""
        if not self.quiet:
            write_line(sys.stderr, text)

    def detail(self, text: str) -> None:
        """Tell a person who asked for more with `-v`."""
        if self.verbosity and not self.quiet:
            write_line(sys.stderr, text)

    def warn(self, text: str) -> None:
        """Tell a person of something that may be wrong, unless `-q` was given."""
        colour = wants_colour(sys.stderr, self.color or ColourChoice.AUTO, self.environ)
        self.say(f"{paint('warning', Style.WARNING, colour=colour)}: {text}")


def write_line(stream: TextIO | None, text: str) -> None:
    """`text` and a line feed to `stream`; nothing where the program was started without one."""
    if stream is not None:
        stream.write(text + "\n")


def frame_of(ctx: Any) -> Frame:
    """The frame of a command that is being called."""
    frame = ctx.obj
    assert isinstance(frame, Frame)  # noqa: S101 - put there by FramedCommand
    return frame


def make_frame(values: dict[str, Any]) -> Frame:
    """The frame for the shared options as parsed; goes to the folder of `-C`, and makes sure that there is one."""
    form = OutputForm.JSON if values["json"] else values["output"]
    if values["json"] and values["output"] is OutputForm.TEXT:
        raise UsageProblem("`--json` and `-o text` exclude each other")
    _enter(values["start_in"] or Path())
    return Frame(
        environ=environment(),
        color=values["color"] and ColourChoice(values["color"]),
        quiet=bool(values["quiet"]),
        verbosity=values["verbose"] or 0,
        no_input=bool(values["no_input"]),
        config=values["config"],
        store=values["store"],
        form=OutputForm(form or OutputForm.TEXT),
    )


def _enter(folder: Path) -> None:
    try:
        os.chdir(folder)
        Path.cwd()
    except OSError as error:
        why = (error.strerror or "it cannot be entered").lower()
        raise UsageProblem(f"cannot work in `{folder}`: {why}", hint="name an existing folder with `-C`") from error
