"""Ask the clerk for the list of changes. Not there yet: leave an order and come again (exit 75, "try later")."""

from __future__ import annotations

import os
import sys

from shared import CHANGES, ORDERS, changes, give

TRY_LATER = 75


def main() -> int:
    """Give the number of changes, or leave an order."""
    if not CHANGES.exists():
        ORDERS.mkdir(exist_ok=True)
        print(f"attempt {os.environ['FLOW_ATTEMPT']}: the list is not written yet, an order is left")
        return TRY_LATER
    found = changes()
    give(total=len(found), seasonal=sum(one["kind"] != "shift" for one in found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
