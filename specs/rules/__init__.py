"""The checks of a typed flow, one module for each family; all of them together are `all_rules()`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from specs.context import Rule

FAMILIES = (
    "structure", "graph", "arms", "joins", "services", "resets", "subflows", "fan_out", "connectors", "schedules",
    "time", "limits", "honoured", "names", "conditions", "optional", "safety", "credentials", "outside", "load",
    "calendar", "scripts",
)  # fmt: skip
"""Modules of this package, each with its own `RULES`."""

OPT_IN_FAMILIES = ("redundant", "usage", "style")
"""Modules whose rules yield nothing but findings that are off unless asked for."""


@cache
def all_rules(*, opt_in: bool = False) -> tuple[Rule, ...]:
    """Every rule, family by family; with `opt_in` those too whose findings are off unless asked for. The modules are
    imported on the first call: reading a broken file needs none."""
    families = (*FAMILIES, *OPT_IN_FAMILIES) if opt_in else FAMILIES
    modules = (import_module(f"specs.rules.{family}") for family in families)
    return tuple(rule for module in modules for rule in module.RULES)
