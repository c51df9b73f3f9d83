"""Tools that read the scripts of flows: shells that parse them, shellcheck and ruff where they are installed."""

from flowctl.scripts.checks import ScriptChecks

__all__ = ["ScriptChecks"]
