"""Which connector types installed packages offer, known by their entry points; no package is imported."""

from __future__ import annotations

ENTRY_POINTS = "flowctl.connectors"


def installed_plugins() -> tuple[str, ...]:
    """Names of the connector types that installed packages offer."""
    from importlib import metadata  # with `email` and `zipfile` behind it

    return tuple(sorted({point.name for point in metadata.entry_points(group=ENTRY_POINTS)}))
