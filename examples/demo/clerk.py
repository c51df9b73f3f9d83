"""Write the list of all changes as soon as somebody orders it, then close the office.

Expanding every zone's history is the dear part of this flow, so it is done for those who ask and only once.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

from shared import CHANGES, ORDERS
from tzfile import changes_of, read_database

PATIENCE_S = 60.0
LOOK_EVERY_S = 0.05


def main() -> int:
    """Wait for an order and serve it."""
    database = read_database(Path(os.environ["DATABASE"]))
    if not is_ordered():
        print(f"nobody ordered anything within {PATIENCE_S:.0f} s", file=sys.stderr)
        return 1
    found = [
        {"zone": one.zone, "day": one.day.isoformat(), "by_s": one.by_s, "kind": one.kind, "rules": one.rules}
        for zone in database.zones
        for one in changes_of(database, zone, last_year=int(os.environ["LAST_YEAR"]))
    ]
    draft = CHANGES.with_suffix(".draft")
    draft.write_text(json.dumps(found), encoding="utf-8")
    draft.rename(CHANGES)  # whole or not at all, for those who look in the meantime
    print(f"wrote {len(found):,} changes of {len(database.zones)} zones")
    return 0


def is_ordered() -> bool:
    """Whether an order came in while the office was open."""
    closes_at = time.monotonic() + PATIENCE_S
    while time.monotonic() < closes_at:
        if ORDERS.is_dir():
            return True
        time.sleep(LOOK_EVERY_S)
    return False


if __name__ == "__main__":
    sys.exit(main())
