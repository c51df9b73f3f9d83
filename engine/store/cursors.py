"""The cursor of a list of runs: where the page ended, as text nobody needs to look into."""

from __future__ import annotations

import base64
import binascii

from engine.errors import BadCursor

_RANGE = 1 << 63
_LONGEST = 4096


def write_cursor(created_at: int, run_id: str) -> str:
    """The cursor of the page after the run that was created at these microseconds."""
    return base64.urlsafe_b64encode(f"{created_at}:{run_id}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[int, str]:
    """What `write_cursor` was given; raises `BadCursor` for any text it does not return."""
    try:
        padded = text[:_LONGEST] + "=" * (-len(text) % 4)
        created, _, run_id = (
            base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True).decode().partition(":")
        )
        created_at = int(created)
        if write_cursor(created_at, run_id) == text and -_RANGE <= created_at < _RANGE:
            return created_at, run_id
    except (ValueError, binascii.Error):
        pass
    raise BadCursor("the cursor is not one that a list of runs returned", hint="start again without a cursor")
