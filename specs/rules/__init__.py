"""The checks of a typed flow, one module for each family; all of them together are `all_rules()`."""

from __future__ import annotations

from functools import cache
from importlib import import_module

from specs.context import Rule

FAMILIES = (
    "structure", "graph", "arms", "joins", "services", "resets", "subflows", "fan_out", "connectors", "schedules",
    "time", "limits", "honoured", "names", "conditions", "optional", "safety", "redundant", "credentials", "outside",
    "load", "calendar", "usage", "style", "scripts",
)  # fmt: skip
"""Modules of this package, each with its own `RULES`."""


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, family by family. The modules are imported on the first call: reading a broken file needs none."""
    modules = (import_module(f"specs.rules.{family}") for family in FAMILIES)
    return tuple(rule for module in modules for rule in module.RULES)
