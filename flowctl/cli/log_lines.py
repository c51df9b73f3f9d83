"""Writing logs: as they are, line by line with the name of their task, or as objects of JSON; terminals get safe text."""

from __future__ import annotations

import json
import sys
from typing import Protocol

from engine.attempts import AttemptKey
from flowctl.cli.raw_output import put_bytes
from flowctl.records import SCHEMA_VERSION
from flowctl.terminal.sanitise import safe_log

LONGEST = 1 << 16
"""Bytes of a line that are kept until its end is seen; a longer one is written in parts."""


class LogWriter(Protocol):
    """Where one log goes."""

    def feed(self, piece: bytes) -> None:
        """Write the next piece."""

    def finish(self) -> None:
        """The log has ended: write what was kept back."""


class RawWriter:
    """Everything as it was written, byte for byte."""

    def feed(self, piece: bytes) -> None:
        """Write the piece."""
        put_bytes(piece)

    def finish(self) -> None:
        """Nothing is kept back."""


class LineWriter:
    """Whole lines, so that logs written at the same time do not mix within one."""

    def __init__(self, key: AttemptKey, *, prefixed: bool, safe: bool, as_json: bool) -> None:
        self._key = key
        self._prefix = f"{name_of(key)} | ".encode() if prefixed else b""
        self._safe = safe
        self._json = as_json
        self._kept = b""
        self._inside = False  # of a line whose first part has been written

    def feed(self, piece: bytes) -> None:
        """Write the lines that are whole by now."""
        *lines, self._kept = (self._kept + piece).split(b"\n")
        written = [self._line(line, ends=True) for line in lines]
        while len(self._kept) > LONGEST:
            written.append(self._line(self._kept[:LONGEST], ends=False))
            self._kept = self._kept[LONGEST:]
        put_bytes(b"".join(written))

    def finish(self) -> None:
        """Write a last line that has no line break."""
        if self._kept or self._inside:
            put_bytes(self._line(self._kept, ends=True))
        self._kept = b""

    def _line(self, line: bytes, *, ends: bool) -> bytes:
        first, self._inside = not self._inside, not ends
        if self._json:
            return self._object(line, ends=ends)
        prefix = self._prefix if first else b""
        return prefix + (self._made_safe(line) if self._safe else line) + (b"\n" if ends else b"")

    def _made_safe(self, line: bytes) -> bytes:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"
        return safe_log(line.decode("utf-8", "replace")).encode(encoding, "backslashreplace")

    def _object(self, line: bytes, *, ends: bool) -> bytes:
        key = self._key
        item = {} if key.item is None else {"item": key.item}
        found = {
            "schema_version": SCHEMA_VERSION,
            "type": "log",
            "run": key.run_id,
            "task": key.task,
            **item,
            "round": key.round,
            "attempt": key.attempt,
            "text": line.decode("utf-8", "replace"),
            "ends": ends,
        }
        return json.dumps(found, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def name_of(key: AttemptKey) -> str:
    """What the log belongs to: `load`, `load[3]`."""
    return key.task if key.item is None else f"{key.task}[{key.item}]"
