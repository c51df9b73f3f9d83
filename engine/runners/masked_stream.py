"""Secrets replaced in a stream of bytes, across the borders of its chunks. A spawner uses this too: no imports."""

from __future__ import annotations

MASK = "***"

_MASK = MASK.encode()


class MaskedStream:
    """Masks a stream piece by piece; holds back only what may be the beginning of a secret."""

    def __init__(self, needles: tuple[bytes, ...]) -> None:
        self._needles = needles
        self._held = b""
        self._covered = 0  # bytes at the head of `_held` that belong to a secret which has been replaced already

    def feed(self, data: bytes) -> bytes:
        """What may be written now that `data` has come."""
        if not self._needles:
            return data
        whole = self._held + data
        cut = len(whole) - _begun(whole, self._needles)
        return self._split(whole, cut)

    def flush(self) -> bytes:
        """What is left at the end of the stream."""
        return self._split(self._held, len(self._held))

    def _split(self, whole: bytes, cut: int) -> bytes:
        if cut == 0:
            self._held = whole
            return b""
        spans = _spans(whole, self._needles, self._covered)
        was_covered, self._covered = self._covered > 0, 0
        self._held = whole[cut:]
        if not spans:
            return whole[:cut]
        pieces: list[bytes] = []
        at = 0
        for start, end in spans:
            if start >= cut:
                break
            pieces.append(whole[at:start])
            if not (start == 0 and was_covered):
                pieces.append(_MASK)
            at = min(end, cut)
            self._covered = max(0, end - cut)
        pieces.append(whole[at:cut])
        return b"".join(pieces)


def _spans(data: bytes, needles: tuple[bytes, ...], covered: int) -> list[tuple[int, int]]:
    """Where secrets are in `data`, overlapping ones merged, in order. The first `covered` bytes are known to be one."""
    found = [(0, covered)] if covered else []
    for needle in needles:
        at = data.find(needle)
        while at >= 0:
            end = at + len(needle)
            if found and found[-1][0] <= at <= found[-1][1]:
                found[-1] = (found[-1][0], max(found[-1][1], end))  # keeps the list short for `aaaa` in a row
            else:
                found.append((at, end))
            at = data.find(needle, at + 1)
    found.sort()
    merged: list[tuple[int, int]] = []
    for start, end in found:
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def _begun(data: bytes, needles: tuple[bytes, ...]) -> int:
    """Length of the longest end of `data` that is a beginning, not the whole, of some needle."""
    longest = 0
    for needle in needles:
        at = data.find(needle[:1], max(0, len(data) - len(needle) + 1))
        while 0 <= at < len(data) - longest:
            if needle.startswith(data[at:]):
                longest = len(data) - at
                break
            at = data.find(needle[:1], at + 1)
    return longest
