"""What a flow is known by: a digest of all its texts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

LANGUAGE_VERSION = 1


def digest_of(files: Mapping[str, str]) -> str:
    """SHA-256 over the language version and every file a flow is made of, in hexadecimal."""
    digest = hashlib.sha256(f"flowctl language {LANGUAGE_VERSION}\n".encode())
    for name in sorted(files):
        text = files[name].encode()
        digest.update(f"{len(name.encode())} {name} {len(text)}\n".encode())
        digest.update(text)
    return digest.hexdigest()
