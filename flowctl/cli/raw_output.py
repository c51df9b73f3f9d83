"""Bytes to stdout: pictures, and logs as they were written."""

from __future__ import annotations

import sys
from typing import TextIO


def put_bytes(data: bytes) -> None:
    """Write to stdout as it is, at once; nothing where the program was started without one."""
    stream: TextIO | None = sys.stdout
    if stream is not None:
        stream.flush()  # text that was printed before comes first
        stream.buffer.write(data)
        stream.buffer.flush()
