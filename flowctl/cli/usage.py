"""The help of the program itself, made from the tables without importing a command or a parser."""

from __future__ import annotations

from flowctl.cli.exits import MEANINGS
from flowctl.cli.table import COMMANDS

GLOBAL_OPTIONS: tuple[tuple[str, str], ...] = (
    ("-C DIR", "work as if started in DIR"),
    ("--config FILE", "settings instead of the nearest flowctl.yaml"),
    ("--store STORE", "a file, or postgresql://USER@HOST/DATABASE"),
    ("--color WHEN", "auto, always or never"),
    ("-o, --output FORM", "text or json; --json is the same as -o json"),
    ("-q, --quiet", "no talk on stderr but errors"),
    ("-v, --verbose", "more talk on stderr"),
    ("--no-input", "never ask"),
    ("-h, --help", "this help, or that of a command"),
    ("-V, --version", "the version"),
)


def root_help() -> str:
    """What `flowctl --help` prints."""
    return "\n".join(
        [
            "Usage: flowctl [OPTIONS] COMMAND [ARGS]...",
            "",
            "A workflow engine for people who keep their flows in git.",
            "",
            "Commands:",
            *_columns([(command.name, command.summary) for command in COMMANDS]),
            "",
            "Options, before or after the command:",
            *_columns(list(GLOBAL_OPTIONS)),
            "",
            "Exit codes:",
            *_columns([(str(int(code)).rjust(3), meaning) for code, meaning in MEANINGS]),
        ]
    )


def _columns(rows: list[tuple[str, str]]) -> list[str]:
    width = max(len(left) for left, _ in rows)
    return [f"  {left.ljust(width)}  {right}" for left, right in rows]
