"""Secrets replaced in everything that is written: as they are, encoded, and across the borders of chunks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from engine.outcomes import Json

MASK = "***"
SHORTEST = 4
"""Shorter texts are not masked: that would garble everything."""

_MASK = MASK.encode()
_WRAP = 76  # where `base64` breaks its lines


class Masker:
    """Replaces secrets. An instance knows one attempt's secrets and may be shared by its streams."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self.needles: tuple[bytes, ...] = _needles(secrets)

    def stream(self) -> MaskedStream:
        """A masker for bytes that come in chunks."""
        return MaskedStream(self.needles)

    def mask_bytes(self, data: bytes) -> bytes:
        """`data` with every secret replaced."""
        stream = self.stream()
        return stream.feed(data) + stream.flush()

    def mask_text(self, text: str) -> str:
        """`text` with every secret replaced."""
        if not self.needles:
            return text
        return self.mask_bytes(text.encode("utf-8", "surrogatepass")).decode("utf-8", "surrogatepass")

    def mask_value(self, value: Json) -> Json:
        """`value` with every secret replaced in its texts and keys; it passed `engine.values.require_json`."""
        if not self.needles:
            return value
        if isinstance(value, str):
            return self.mask_text(value)
        if isinstance(value, list):
            return [self.mask_value(one) for one in value]
        if isinstance(value, dict):
            return {self.mask_text(key): self.mask_value(one) for key, one in value.items()}
        return value


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


# --- what a secret looks like -------------------------------------------------------------------------------------------


def _needles(secrets: Iterable[str]) -> tuple[bytes, ...]:
    found = {form for secret in secrets for part in _parts(secret) for form in _forms(part)}
    return tuple(sorted((form for form in found if len(form) >= SHORTEST), key=lambda form: (-len(form), form)))


def _parts(secret: str) -> Iterator[str]:
    """The secret and, when it has several lines, each line that is long enough."""
    if len(secret) < SHORTEST:
        return
    yield secret
    if "\n" in secret or "\r" in secret:
        for line in secret.splitlines():
            if len(line.strip()) >= SHORTEST:
                yield line.strip()


def _forms(secret: str) -> Iterator[bytes]:
    raw = secret.encode("utf-8", "surrogateescape") if _is_bytes(secret) else secret.encode("utf-8", "replace")
    yield raw
    for percent in (quote(raw, safe=""), quote(raw), quote_plus(raw)):
        yield percent.encode()
        yield _lower_escapes(percent).encode()
    for ascii_only in (True, False):
        yield json.dumps(secret, ensure_ascii=ascii_only)[1:-1].encode("utf-8", "replace")
    for quoted in ("'\\''", "'\"'\"'"):
        yield raw.replace(b"'", quoted.encode())  # as `set -x` and shlex.quote write it
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    for standard in _base64_forms(raw):
        yield standard
        yield standard.replace(b"+", b"-").replace(b"/", b"_")


def _is_bytes(secret: str) -> bool:
    try:
        secret.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _lower_escapes(percent: str) -> str:
    head, *rest = percent.split("%")
    return head + "".join(f"%{part[:2].lower()}{part[2:]}" for part in rest)


def _base64_forms(raw: bytes) -> Iterator[bytes]:
    """The characters of Base64 that only the secret decides, for each of the three places it can start at."""
    for before in range(3):
        encoded = base64.b64encode(b"\0" * before + raw).rstrip(b"=")
        shared_at_end = 0 if (before + len(raw)) % 3 == 0 else 1
        first = 0 if before == 0 else before + 1
        yield encoded[first : len(encoded) - shared_at_end]
    whole = base64.b64encode(raw)
    if len(whole) > _WRAP:
        for at in range(0, len(whole), _WRAP):
            yield whole[at : at + _WRAP]
