"""`flowctl schema`: the JSON Schema of flow files, for editors."""

from __future__ import annotations

import json

import typer

from flowctl.cli.exits import Exit
from flowctl.cli.group import frame_of


def schema_command(ctx: typer.Context) -> int:
    """Print the JSON Schema of flow files.

    Editors with yaml-language-server use it after a first line such as
    `# yaml-language-server: $schema=flow.schema.json`.
    """
    from specs.schema import language_schema

    frame_of(ctx).put(json.dumps(language_schema(), indent=2, ensure_ascii=False))
    return Exit.SUCCESS
