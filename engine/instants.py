"""How an instant is written."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache


@lru_cache(maxsize=256)
def written(instant: datetime) -> str:
    """An instant of UTC as RFC 3339. Remembered: what is decided together has one instant, and writes it often."""
    return instant.isoformat()
