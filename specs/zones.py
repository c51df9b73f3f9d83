"""Names of time zones: those of the IANA database that is installed with the package, exactly as they are written there.

The list is the package's own, not the machine's, so that a flow that is valid on one machine is valid on the next.
"""

from __future__ import annotations

from collections.abc import Collection
from functools import cache

from specs.suggest import nearest


def is_zone(name: str) -> bool:
    """Whether `name` is a time zone; upper and lower case matter."""
    return name == "UTC" or name in zone_names()


def nearest_zone(name: str) -> str | None:
    """The zone that was most likely meant: by its whole name, or by its city alone."""
    folded = name.strip().casefold().replace(" ", "_")
    if not folded or len(folded) > 64:
        return None
    same = next((zone for zone in zone_names() if zone.casefold() == folded), None)
    city = next((zone for zone in zone_names() if zone.casefold().rpartition("/")[2] == folded), None)
    return same or city or nearest(name, zone_names())


@cache
def zone_names() -> Collection[str]:
    """Every zone's name, sorted. Read once from the installed package, as `zoneinfo` reads the zones themselves."""
    from importlib.resources import files

    text = (files("tzdata") / "zones").read_text(encoding="utf-8")
    return dict.fromkeys(sorted(line.strip() for line in text.splitlines() if line.strip())).keys()
