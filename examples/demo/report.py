"""Put the findings of all the other tasks together and print them."""

from __future__ import annotations

import json
import os
from typing import Any

RULE = "─"


def main() -> None:
    """Print the report."""
    facts, continents = read("FACTS"), read("CONTINENTS")
    totals = f"{facts['zones']} zones, {facts['links']} more names for them, {facts['rule_sets']} sets of rules"
    print(f"CLOCKS, from {facts['lines']:,} lines of the IANA time zone database {facts['version']}")
    print(f"{totals}; clocks were moved {int(os.environ['TOTAL']):,} times.\n")
    table(
        "Continent",
        ["Zones", "Changes", "Per zone", "Never summer time", "Most restless"],
        [
            [
                one["name"],
                one["zones"],
                one["changes"],
                f"{one['changes'] / one['zones']:.1f}",
                one["never"],
                restless(one),
            ]
            for one in sorted(continents, key=lambda one: -one["changes"])
        ],
    )
    table(
        "Rules like those of",
        ["Changes ordered", "On days", "Zones"],
        [[one["like"], one["changes"], one["days"], one["zones"]] for one in read("RULE_SETS")],
    )
    table("Year", ["Changes", "Zones"], [[str(one["year"]), one["changes"], one["zones"]] for one in read("YEARS")])
    for one in read("SEASONS"):
        when = f"on a {one['label']}" if one["unit"] == "weekday" else f"in {one['label']}"
        print(f"Clocks go {one['direction']:7} most often {when}: {one['share']:.0%} of the time.")
    print(os.environ["AHEAD"])


def read(name: str) -> Any:
    """A value that the flow handed over as JSON."""
    return json.loads(os.environ[name])


def restless(one: dict[str, Any]) -> str:
    """The zone of a continent that changed most."""
    return f"{one['restless']} ({one['moves']})" if one["moves"] else "-"


def table(first: str, columns: list[str], rows: list[list[Any]]) -> None:
    """Print rows under aligned headings: names to the left, numbers to the right."""
    shown = [
        [first, *columns],
        *([f"{cell:,}" if isinstance(cell, int) else str(cell) for cell in row] for row in rows),
    ]
    widths = [max(len(row[at]) for row in shown) for at in range(len(columns) + 1)]
    named = [at == 0 or any(is_name(row[at]) for row in shown[1:]) for at in range(len(widths))]
    lines = [
        "  ".join(
            cell.ljust(width) if name else cell.rjust(width)
            for cell, width, name in zip(row, widths, named, strict=True)
        ).rstrip()
        for row in shown
    ]
    print("\n".join([lines[0], RULE * (sum(widths) + 2 * len(columns)), *lines[1:]]), end="\n\n")


def is_name(cell: str) -> bool:
    """Whether a cell is no number."""
    return not cell.replace(",", "").replace(".", "").isdigit()


if __name__ == "__main__":
    main()
