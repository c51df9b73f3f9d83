"""When clocks go forward, or back: counted by month, by day of the week or by year."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import date

from shared import changes, give
from tzfile import DAYS, MONTHS

UNITS: dict[str, Callable[[date], str]] = {
    "month": lambda day: MONTHS[day.month - 1].capitalize(),
    "weekday": lambda day: DAYS[day.weekday()].capitalize(),
    "year": lambda day: str(day.year),
}


def main() -> int:
    """Give the most frequent values of one unit for one direction."""
    direction, unit = os.environ["DIRECTION"], os.environ["UNIT"]
    counted = Counter(UNITS[unit](date.fromisoformat(one["day"])) for one in changes() if one["kind"] == direction)
    label, count = counted.most_common(1)[0] if counted else ("-", 0)
    give(direction=direction, unit=unit, label=label, count=count, share=count / max(1, sum(counted.values())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
