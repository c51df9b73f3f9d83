"""Which rule sets move the most clocks, and in which years the most clocks were moved."""

from __future__ import annotations

import os
import sys
from collections import Counter, defaultdict
from typing import Any

from shared import changes, give


def main() -> int:
    """Give the busiest rule sets and years."""
    top = int(os.environ["TOP"])
    found = changes()
    give(rule_sets=busiest_rules(found, top), years=busiest_years(found, top))
    return 0


def busiest_rules(found: list[dict[str, Any]], top: int) -> list[dict[str, Any]]:
    """The rule sets by the number of changes they ordered, each with its zones and its usual example."""
    zones: dict[str, Counter[str]] = defaultdict(Counter)
    days: dict[str, set[str]] = defaultdict(set)
    for one in found:
        if one["rules"] and one["kind"] != "shift":
            zones[one["rules"]][one["zone"]] += 1
            days[one["rules"]].add(one["day"])
    ranked = sorted(zones, key=lambda name: (-zones[name].total(), name))[:top]
    return [
        {
            "name": name,
            "changes": zones[name].total(),
            "zones": len(zones[name]),
            "days": len(days[name]),
            "like": min(zones[name].items(), key=lambda pair: (-pair[1], pair[0]))[0],
        }
        for name in ranked
    ]


def busiest_years(found: list[dict[str, Any]], top: int) -> list[dict[str, Any]]:
    """The years by number of changes, each with the number of zones concerned."""
    counted = Counter(one["day"][:4] for one in found)
    zones: dict[str, set[str]] = defaultdict(set)
    for one in found:
        zones[one["day"][:4]].add(one["zone"])
    ranked = sorted(counted, key=lambda year: (-counted[year], year))[:top]
    return [{"year": int(year), "changes": counted[year], "zones": len(zones[year])} for year in ranked]


if __name__ == "__main__":
    sys.exit(main())
