"""Which clocks will be moved next year, by the rules that have no end."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from shared import give
from tzfile import changes_of, read_database


def main() -> int:
    """Give how many zones will move their clocks next year, and the day on which most of them do."""
    year = int(os.environ["LAST_YEAR"]) + 1
    database = read_database(Path(os.environ["DATABASE"]))
    coming = [
        one for zone in database.zones for one in changes_of(database, zone, last_year=year) if one.day.year == year
    ]
    moving = {one.zone for one in coming}
    day, zones = Counter(one.day.isoformat() for one in coming).most_common(1)[0] if coming else ("-", 0)
    share = 100 * len(moving) / len(database.zones)
    give(text=f"In {year} clocks will be moved in {len(moving)} zones ({share:.0f} %), in {zones} of them on {day}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
