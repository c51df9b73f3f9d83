"""What happened to the clocks of one continent."""

from __future__ import annotations

import os
import sys
from collections import Counter
from pathlib import Path

from shared import changes, give
from tzfile import continent_of, read_database


def main() -> int:
    """Give the counts of a continent and its most restless zone."""
    continent = os.environ["CONTINENT"]
    zones = {zone for zone in read_database(Path(os.environ["DATABASE"])).zones if continent_of(zone) == continent}
    own = [one for one in changes() if one["zone"] in zones]
    seasonal = {one["zone"] for one in own if one["kind"] != "shift"}
    restless, moves = max(
        Counter(one["zone"] for one in own).items(), key=lambda pair: (pair[1], pair[0]), default=("-", 0)
    )
    give(
        name=continent, zones=len(zones), changes=len(own), never=len(zones - seasonal), restless=restless, moves=moves
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
