"""Quantities as they are written: durations, sizes and rates, read from text and back.

Apart from the typed model, so that who only reads a quantity loads no pydantic.
"""

from __future__ import annotations

import re
from datetime import timedelta
from functools import lru_cache

DURATION_PATTERN = r"(?:\d+(?:\.\d+)?(?:ms|s|m|h|d|w))+"
SIZE_PATTERN = r"\d+(?:\.\d+)?(?:B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)"

_UNIT_S = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_UNIT_BYTES = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40,
}  # fmt: skip
_DURATION_PARTS = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d|w)")
_DURATION = re.compile(DURATION_PATTERN)
_SIZE = re.compile(r"(\d+(?:\.\d+)?)(B|kB|KB|MB|GB|TB|KiB|MiB|GiB|TiB)")
LONGEST = timedelta(days=3650)


@lru_cache(maxsize=4096)
def parse_duration(text: str) -> timedelta | None:
    """The duration written as `text` (`500ms`, `1h30m`), or `None` when it is not one or longer than ten years."""
    if len(text) > 64 or not _DURATION.fullmatch(text):
        return None
    seconds = sum(float(number) * _UNIT_S[unit] for number, unit in _DURATION_PARTS.findall(text))
    return timedelta(seconds=seconds) if seconds <= LONGEST.total_seconds() else None


def format_duration(value: timedelta) -> str:
    """The shortest written form of a duration: `1h30m`, `500ms`, `0s`."""
    rest = round(value.total_seconds() * 1000)
    if rest == 0:
        return "0s"
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts)


def parse_size(text: str) -> int | None:
    """The number of bytes written as `text` (`10MB`, `1MiB`), or `None` when it is not a size."""
    match = _SIZE.fullmatch(text) if len(text) <= 32 else None
    return int(float(match[1]) * _UNIT_BYTES[match[2]]) if match else None


_RATE = re.compile(r"(\d+(?:\.\d+)?)/(s|m|h|d)")


def parse_rate(text: str) -> float | None:
    """Operations per second written as `50/s`, `10/m`; `None` when it is not a rate above zero."""
    match = _RATE.fullmatch(text) if len(text) <= 32 else None
    value = float(match[1]) / _UNIT_S[match[2]] if match else 0.0
    return value if value > 0 else None
