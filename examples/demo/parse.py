"""Read the database and tell what is in it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from shared import give
from tzfile import FOREVER, continent_of, read_database


def main() -> int:
    """Give the sizes of the file and the continents found in it."""
    database = read_database(Path(os.environ["DATABASE"]))
    year = re.match(r"\d{4}", database.version)
    if year is None or not database.zones:
        print("this is no tzdata.zi: it names no version or no zones", file=sys.stderr)
        return 1
    rules = [rule for rule_set in database.rules.values() for rule in rule_set]
    give(
        version=database.version,
        year=int(year.group()),
        lines=database.lines,
        zones=len(database.zones),
        links=len(database.links),
        rule_sets=len(database.rules),
        open_ended=sum(rule.last == FOREVER for rule in rules),
        continents=sorted({continent_of(zone) for zone in database.zones}),
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
