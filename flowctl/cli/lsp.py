"""`flowctl lsp`: the language server."""

from __future__ import annotations

import importlib.util

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of
from flowctl.problems import UsageProblem


def lsp_command(ctx: typer.Context) -> int:
    """Serve an editor over stdin and stdout, in the language server protocol.

    Findings while typing, completion, hover, definitions, references, renaming of tasks, fixes and formatting.
    """
    frame = frame_of(ctx)
    if importlib.util.find_spec("pygls") is None:
        raise UsageProblem(
            "the language server needs `pygls`, which is not installed",
            hint="install it with `pip install flowctl[lsp]`",
        )
    from flowctl.lsp.server import serve

    serve(frame.environ)
    return Exit.SUCCESS
