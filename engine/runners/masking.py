"""Secrets replaced in everything that is written: as they are, encoded, and across the borders of chunks."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus

from engine.outcomes import Json
from engine.runners.masked_stream import MaskedStream

SHORTEST = 4
"""Shorter texts are not masked: that would garble everything."""

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
